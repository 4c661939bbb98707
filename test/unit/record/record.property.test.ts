import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ConnectionId, DecisionId, SpiffeId } from '../../../src/core/kernel/brand.ts';
import { FAULTS, fault, type Fault, type FaultCode } from '../../../src/core/model/faults.ts';
import { NO_OBLIGATIONS } from '../../../src/core/model/decision.ts';
import type { Destination, ProvenServer } from '../../../src/core/model/destination.ts';
import type { DecisionRecord } from '../../../src/core/model/record.ts';
import type { RecordFacts } from '../../../src/core/model/record-facts.ts';
import { createRecorder } from '../../../src/core/record/recorder.ts';
import { createChainVerifier, type BrokenChain, type SoundChain } from '../../../src/core/record/verify.ts';
import { defined, sampleConnection, sampleInput, samplePeer, samplePolicy } from '../../support/record-facts.ts';

const text = fc.string({ unit: 'binary', maxLength: 40 });
const anyFault: fc.Arbitrary<Fault> = fc
  .tuple(fc.constantFrom(...(Object.keys(FAULTS) as FaultCode[])), text)
  .map(([code, detail]) => fault(code, detail));
const number = fc.oneof(fc.nat(), fc.double());
const headers = fc.dictionary(text, text, { maxKeys: 6 });

const server: fc.Arbitrary<ProvenServer | undefined> = fc.option(
  fc.record({ spiffeId: text as fc.Arbitrary<SpiffeId>, serial: text }),
  { nil: undefined },
);

const destination: fc.Arbitrary<Destination> = fc.record({
  name: text,
  address: fc.record({ host: text, port: number }),
  ids: fc.array(text as fc.Arbitrary<SpiffeId>, { maxLength: 3 }),
  protocol: fc.constant('auto' as const),
});

const outcome: fc.Arbitrary<RecordFacts['outcome']> = fc.oneof(
  fc.record({
    kind: fc.constant('refused' as const),
    status: number,
    grpcStatus: fc.option(fc.nat(16), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('forwarded' as const), status: number, bytesIn: number, bytesOut: number, server }),
  fc.record({
    kind: fc.constant('aborted' as const),
    by: fc.constantFrom('peer' as const, 'us' as const),
    fault: anyFault,
    status: number,
    bytesIn: number,
    bytesOut: number,
    server,
  }),
);

const facts: fc.Arbitrary<RecordFacts> = fc.record({
  decisionId: text as fc.Arbitrary<DecisionId>,
  atMs: number,
  connection: fc.record({ id: text, address: text, port: number }).map(({ id, address, port }) => ({
    ...sampleConnection,
    id: id as ConnectionId,
    remote: { address, port },
  })),
  peer: fc.oneof(
    fc.constant({ kind: 'anonymous' as const }),
    text.map((id) => ({ ...samplePeer, spiffeId: id as SpiffeId })),
    fc.record({
      kind: fc.constant('rejected' as const),
      fault: anyFault,
      claimedId: fc.option(text, { nil: undefined }),
    }),
  ),
  destination: fc.option(destination, { nil: undefined }),
  policy: fc.constantFrom(undefined, samplePolicy(), samplePolicy({ mask: () => defined(['/input/parsed_path/0']) })),
  input: fc.option(
    fc.tuple(headers, fc.jsonValue(), text).map(([fields, parsed_body, sni]) => {
      const input = sampleInput(fields, { parsed_body });
      return { ...input, attributes: { ...input.attributes, tlsSession: { sni } } };
    }),
    { nil: undefined },
  ),
  evaluation: fc.oneof(
    fc.constant(undefined),
    fc.jsonValue().map(defined),
    fc.record({ kind: fc.constant('undefined' as const), steps: number, cached: fc.boolean() }),
    fc.record({ kind: fc.constant('failed' as const), fault: anyFault, steps: number }),
  ),
  decision: fc.option(
    fc
      .array(text, { maxLength: 4 })
      .map((reasons) => ({ kind: 'allow' as const, obligations: NO_OBLIGATIONS, reasons })),
    { nil: undefined },
  ),
  fault: fc.option(anyFault, { nil: undefined }),
  mode: fc.constantFrom('enforce' as const, 'shadow' as const),
  trace: fc.option(fc.record({ traceId: text, spanId: text, parentSpanId: fc.constant(undefined), flags: text }), {
    nil: undefined,
  }),
  outcome,
  evaluationNs: number,
  totalMs: number,
});

const encoder = new TextEncoder();

/** Splits as a reader of the file would, and verifies. */
function verifyFile(file: Uint8Array): BrokenChain | SoundChain {
  const verifier = createChainVerifier();
  let begin = 0;
  for (let end = file.indexOf(10); end !== -1; end = file.indexOf(10, begin)) {
    verifier.push(file.subarray(begin, end));
    begin = end + 1;
  }
  verifier.endFile(file.subarray(begin));
  return verifier.verdict();
}

function isClean(verdict: BrokenChain | SoundChain, records: number): boolean {
  return verdict.kind === 'sound' && verdict.records === records && verdict.torn === 0 && verdict.unfinished === 0;
}

test('property: any facts give one line that parses, holds its facts and continues the chain', () => {
  fc.assert(
    fc.property(fc.array(facts, { minLength: 1, maxLength: 5 }), (list) => {
      const recorder = createRecorder({ labels: { id: 'i', version: 'v' } });
      const lines = list.map((one) => recorder.record(one) ?? assert.fail('dropped'));
      for (const [index, line] of lines.entries()) {
        // oxlint-disable-next-line no-control-regex
        assert.doesNotMatch(line, /[\u0000-\u001f\u0080-\u009f\u2028\u2029]/);
        const record = JSON.parse(line) as DecisionRecord;
        assert.equal(record.decision_id, list[index]?.decisionId);
        assert.equal(record.sallyport.fault, list[index]?.fault?.code);
        assert.equal(record.sallyport.destination?.name, list[index]?.destination?.name);
        assert.ok(!Number.isNaN(Date.parse(record.timestamp)));
        assert.equal(record.req_id, index + 1);
        for (const ns of Object.values(record.metrics)) assert.ok(Number.isSafeInteger(ns) && ns >= 0);
      }
      const verdict = verifyFile(encoder.encode(lines.map((line) => `${line}\n`).join('')));
      assert.ok(isClean(verdict, lines.length), JSON.stringify(verdict));
    }),
    { numRuns: 300 },
  );
});

const file = ((): Uint8Array => {
  const recorder = createRecorder({ labels: { id: 'i' } });
  const lines = Array.from({ length: 4 }, (_, index) => {
    const input = sampleInput({ 'x-name': `\ufffd é 世 ${index}` });
    return recorder.record({ ...fc.sample(facts, 1)[0], policy: undefined, input } as RecordFacts);
  });
  return encoder.encode(lines.map((line) => `${line}\n`).join(''));
})();

test('property: any single changed byte is found', () => {
  assert.ok(isClean(verifyFile(file), 4));
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = file.slice();
      changed[at] = (changed[at] ?? 0) ^ flip;
      assert.ok(!isClean(verifyFile(changed), 4));
    }),
    { numRuns: 2_000 },
  );
});

test('property: any single byte added or taken away is found', () => {
  fc.assert(
    fc.property(fc.nat(file.length - 2), fc.option(fc.nat(255), { nil: undefined }), (at, added) => {
      const bytes = [
        ...file.subarray(0, at),
        ...(added === undefined ? [] : [added]),
        ...file.subarray(at + (added === undefined ? 1 : 0)),
      ];
      const verdict = verifyFile(Uint8Array.from(bytes));
      assert.ok(!isClean(verdict, 4));
    }),
    { numRuns: 1_000 },
  );
});

test('property: any other order, and any line missing from between, is found', () => {
  const lines = new TextDecoder().decode(file).trimEnd().split('\n');
  const order = fc.shuffledSubarray([0, 1, 2, 3], { minLength: 2 });
  fc.assert(
    fc.property(order, (picked) => {
      const consecutive = picked.every((line, index) => index === 0 || line === (picked[index - 1] ?? 0) + 1);
      const changed = encoder.encode(picked.map((index) => `${lines[index]}\n`).join(''));
      assert.equal(isClean(verifyFile(changed), picked.length), consecutive);
    }),
  );
});

test('property: a secret in a body or a credentials header is in no line, whatever else there is', () => {
  const secret = 'sEcReT-0451';
  const name = fc.constantFrom('authorization', 'proxy-authorization', 'cookie', 'set-cookie');
  const shape = fc.constantFrom('body', 'parsed', 'request', 'headers', 'response', 'list', 'query');
  fc.assert(
    fc.property(facts, name, shape, fc.integer({ min: 40, max: 40_000 }), (one, header, where, inputBytes) => {
      const base = sampleInput(where === 'request' ? { [header]: `x ${secret}` } : {}, {
        parsed_body: where === 'parsed' ? { deep: [secret] } : { deep: [] },
      });
      const request = base.attributes.request ?? assert.fail();
      const http = where === 'body' ? { ...request.http, body: secret } : request.http;
      const result = {
        allowed: true,
        ...(where === 'headers' && { headers: { [header.toUpperCase()]: [secret] } }),
        ...(where === 'list' && { headers: [{ [header]: secret }] }),
        ...(where === 'response' && { response_headers_to_add: { [header]: secret } }),
        ...(where === 'query' && { query_parameters_to_set: { any: secret } }),
      };
      const input = { ...base, attributes: { ...base.attributes, request: { ...request, http } } };
      const line = createRecorder({ labels: {}, inputBytes }).record({ ...one, input, evaluation: defined(result) });
      assert.ok(line !== undefined && !line.includes(secret));
      const { erased = [], masked = [] } = JSON.parse(line) as DecisionRecord;
      assert.ok(erased.length + masked.length > 0);
    }),
    { numRuns: 500 },
  );
});
