import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { NO_OBLIGATIONS } from '../../../src/core/model/decision.ts';
import { FAULTS, fault, type FaultCode } from '../../../src/core/model/faults.ts';
import type { RecordFacts } from '../../../src/core/model/record-facts.ts';
import type { Figures } from '../../../src/io/telemetry/figures.ts';
import { NULL_TELEMETRY } from '../../../src/io/telemetry/null-telemetry.ts';
import { createTelemetry, type Telemetry } from '../../../src/io/telemetry/telemetry.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { defined, sampleConnection, sampleFacts, sampleInput, samplePolicy } from '../../support/record-facts.ts';

const figures: Figures = {
  connections: 3,
  requests: 2,
  certificateNotAfterMs: 1_700_003_600_000,
  outbound: { connections: 8, openCircuits: 1 },
  journal: {
    records: 7,
    bytes: 900,
    promised: 2,
    waiting: 1,
    refused: 4,
    lost: 5,
    withheld: 6,
    sinks: [
      { name: 'stdout', ok: true },
      { name: 'file:/log', ok: false },
    ],
  },
};

function telemetry(read: () => Figures | undefined = () => undefined): Telemetry {
  return createTelemetry({ version: '0.1.0', process: false }, { clock: createDrivenClock(), figures: read });
}

/** The samples of one metric, without their name. */
async function samples(of: Telemetry, name: string): Promise<readonly string[]> {
  const lines = (await of.metrics()).split('\n');
  return lines
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => line.slice(name.length));
}

test('requests are counted by direction, style, verdict and fault', async () => {
  const of = telemetry();
  of.decided(sampleFacts(), 'allow', undefined);
  of.decided(sampleFacts(), 'allow', undefined);
  const denied = fault('policy_denied', 'detail of a peer');
  const outcome = { kind: 'refused', status: 403 } as const;
  of.decided(sampleFacts({ fault: denied, outcome }), 'deny', 'policy_denied');
  of.decided(
    sampleFacts({ fault: denied, connection: { ...sampleConnection, direction: 'outbound' } }),
    'would-deny',
    'policy_denied',
  );
  assert.deepEqual((await samples(of, 'sallyport_requests_total')).toSorted(), [
    '{direction="inbound",style="http",verdict="allow",fault="none"} 2',
    '{direction="inbound",style="http",verdict="deny",fault="policy_denied"} 1',
    '{direction="outbound",style="http",verdict="would-deny",fault="policy_denied"} 1',
  ]);
});

test('styles: gRPC, WebSocket, TCP and what could not be read', async () => {
  const of = telemetry();
  const forwarded = { kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 0 } as const;
  of.decided(sampleFacts({ input: sampleInput({ 'content-type': 'application/grpc+proto' }) }), 'allow', undefined);
  of.decided(sampleFacts({ outcome: { ...forwarded, status: 101 } }), 'allow', undefined);
  const base = sampleInput();
  const tcp = { ...base, sallyport: { ...base.sallyport, subject: 'connection' as const } };
  of.decided(sampleFacts({ input: tcp, outcome: { ...forwarded, status: 0 } }), 'allow', undefined);
  const unread = { input: undefined, decision: undefined, evaluation: undefined };
  of.decided(sampleFacts({ ...unread, outcome: { kind: 'refused', status: 400 } }), 'deny', 'request_malformed');
  of.decided(
    sampleFacts({ ...unread, outcome: { kind: 'refused', status: 200, grpcStatus: 13 } }),
    'deny',
    'grpc_malformed',
  );
  const styles = (await samples(of, 'sallyport_requests_total')).map((line) => /style="(\w+)"/.exec(line)?.[1] ?? '');
  assert.deepEqual(styles.toSorted(), ['grpc', 'grpc', 'none', 'tcp', 'websocket']);
});

test('connections refused before a request are counted apart, by fault', async () => {
  const of = telemetry();
  const refused: Partial<RecordFacts> = {
    input: undefined,
    decision: undefined,
    evaluation: undefined,
    outcome: { kind: 'refused', status: 0 },
    peer: { kind: 'rejected', fault: fault('tls_handshake_failed', ''), claimedId: 'spiffe://evil.test/x' },
  };
  of.decided(sampleFacts(refused), 'deny', 'tls_handshake_failed');
  of.decided(sampleFacts(refused), 'deny', 'tls_handshake_failed');
  assert.deepEqual(await samples(of, 'sallyport_connections_refused_total'), [
    '{direction="inbound",fault="tls_handshake_failed"} 2',
  ]);
  assert.deepEqual(await samples(of, 'sallyport_requests_total'), []);
});

test('durations: decision without cached ones, whole request, forwarding where there was any', async () => {
  const of = telemetry();
  of.decided(sampleFacts({ evaluationNs: 3_000, totalMs: 4, forwardMs: 3 }), 'allow', undefined);
  const cached = { kind: 'defined', value: true, steps: 0, cached: true } as const;
  of.decided(sampleFacts({ evaluation: cached, totalMs: 4 }), 'allow', undefined);
  assert.deepEqual(await samples(of, 'sallyport_decision_duration_seconds_sum'), [' 0.000003']);
  assert.deepEqual(await samples(of, 'sallyport_decisions_cached_total'), [' 1']);
  assert.deepEqual(await samples(of, 'sallyport_decision_steps_count'), [' 1']);
  assert.deepEqual(await samples(of, 'sallyport_request_duration_seconds_count'), ['{style="http"} 2']);
  assert.deepEqual(await samples(of, 'sallyport_forward_duration_seconds_sum'), ['{style="http"} 0.003']);
});

test('facts that are no numbers do not throw', () => {
  const of = telemetry();
  const facts = { evaluationNs: Number.NaN, totalMs: -1, forwardMs: Infinity };
  of.decided(sampleFacts(facts), 'allow', undefined);
  of.decided(sampleFacts({ evaluation: { ...defined(true), steps: Number.NaN } as never }), 'allow', undefined);
});

test('figures are read at the scrape, and left out while they are not known', async () => {
  let known: Figures | undefined;
  const of = telemetry(() => known);
  assert.deepEqual(await samples(of, 'sallyport_open_connections'), []);
  known = figures;
  const expected: readonly (readonly [string, readonly string[]])[] = [
    ['sallyport_open_connections', [' 3']],
    ['sallyport_open_requests', [' 2']],
    ['sallyport_certificate_not_after_timestamp_seconds', [' 1700003600']],
    ['sallyport_outbound_connections', [' 8']],
    ['sallyport_outbound_open_circuits', [' 1']],
    ['sallyport_journal_queued_records', [' 7']],
    ['sallyport_journal_queued_bytes', [' 900']],
    ['sallyport_journal_promised_records', [' 2']],
    ['sallyport_journal_waiting_requests', [' 1']],
    ['sallyport_journal_refused_total', [' 4']],
    ['sallyport_journal_lost_total', [' 5']],
    ['sallyport_journal_withheld_total', [' 6']],
    ['sallyport_journal_sink_up', ['{sink="stdout"} 1', '{sink="file:/log"} 0']],
  ];
  for (const [name, values] of expected) assert.deepEqual(await samples(of, name), values, name);
  assert.deepEqual(await samples(of, 'sallyport_journal_lost_total'), [' 5'], 'not added up scrape by scrape');
  known = { ...figures, certificateNotAfterMs: undefined, outbound: undefined };
  assert.deepEqual(await samples(of, 'sallyport_outbound_connections'), []);
  assert.deepEqual(await samples(of, 'sallyport_certificate_not_after_timestamp_seconds'), []);
});

test('reloads and problems of sources, the policy in force', async () => {
  const of = telemetry();
  of.sourceChanged('identity');
  of.source('policy', ['line 3: no']);
  assert.deepEqual(await samples(of, 'sallyport_source_problem'), [
    '{kind="identity"} 0',
    '{kind="policy"} 1',
    '{kind="candidate"} 0',
    '{kind="journal"} 0',
  ]);
  of.source('policy', undefined);
  of.policyChanged({ main: { revision: 'r1' } });
  of.policyChanged({ main: { revision: 'r2' } });
  const reloads = await samples(of, 'sallyport_reloads_total');
  assert.ok(
    reloads.includes('{kind="identity",result="ok"} 1') && reloads.includes('{kind="policy",result="failed"} 1'),
  );
  assert.equal((await samples(of, 'sallyport_source_problem'))[1], '{kind="policy"} 0');
  assert.deepEqual(await samples(of, 'sallyport_policy_info'), ['{bundle="main",revision="r2"} 1']);
  assert.deepEqual(await samples(of, 'sallyport_policy_active_since_timestamp_seconds'), [' 1700000000']);
  assert.deepEqual(await samples(of, 'sallyport_build_info'), ['{version="0.1.0"} 1']);
});

test('the candidate: its revision while there is one, and what it would have said', async () => {
  const of = telemetry();
  assert.deepEqual(await samples(of, 'sallyport_candidate_info'), []);
  of.candidateChanged({ next: { revision: 'r3' } });
  assert.deepEqual(await samples(of, 'sallyport_candidate_info'), ['{bundle="next",revision="r3"} 1']);
  const candidate = { policy: samplePolicy(), decision: undefined, differs: false };
  const allow = { kind: 'allow', obligations: NO_OBLIGATIONS, reasons: [] } as const;
  of.decided(sampleFacts(), 'allow', undefined);
  of.decided(sampleFacts({ candidate }), 'allow', undefined);
  for (const differs of [true, false, true])
    of.decided(sampleFacts({ candidate: { ...candidate, decision: allow, differs } }), 'deny', 'policy_denied');
  assert.deepEqual(await samples(of, 'sallyport_candidate_decisions_total'), [
    '{verdict="unknown",differs="false"} 1',
    '{verdict="allow",differs="true"} 2',
    '{verdict="allow",differs="false"} 1',
  ]);
  of.candidateChanged(undefined);
  assert.deepEqual(await samples(of, 'sallyport_candidate_info'), []);
});

test('promise 8: no text of a peer becomes a label, and the number of series is bounded', async () => {
  const of = telemetry();
  const codes = Object.keys(FAULTS) as FaultCode[];
  const marker = 'chosen-by-a-peer';
  fc.assert(
    fc.property(fc.constantFrom(...codes), fc.string({ maxLength: 20 }), (code, text) => {
      const evil = `${marker}${text}`;
      const base = sampleInput({ 'content-type': evil, [evil]: evil });
      const input = { ...base, sallyport: { ...base.sallyport, connection: { id: evil, sni: evil } } };
      const reason = fault(code, evil);
      of.decided(
        sampleFacts({ input, fault: reason, peer: { kind: 'rejected', fault: reason, claimedId: evil } }),
        'deny',
        code,
      );
    }),
    { numRuns: 300 },
  );
  const text = await of.metrics();
  assert.doesNotMatch(text, new RegExp(marker));
  assert.ok((await samples(of, 'sallyport_requests_total')).length <= codes.length);
});

test('process metrics begin with the first scrape', async () => {
  const of = createTelemetry({ version: '0.1.0' }, { clock: createDrivenClock(), figures: () => undefined });
  const text = await of.metrics();
  assert.match(text, /^process_resident_memory_bytes \d+/m);
  assert.match(text, /^nodejs_eventloop_lag_seconds/m);
  assert.match(await of.metrics(), /^process_cpu_seconds_total/m);
  assert.match(of.contentType, /^text\/plain; version=0\.0\.4/);
});

test('two registries do not know each other', async () => {
  const [one, other] = [telemetry(), telemetry()];
  one.decided(sampleFacts(), 'allow', undefined);
  assert.equal((await samples(other, 'sallyport_requests_total')).length, 0);
});

test('null telemetry takes everything and says nothing', async () => {
  NULL_TELEMETRY.decided(sampleFacts(), 'allow', undefined);
  NULL_TELEMETRY.source('identity', ['x']);
  NULL_TELEMETRY.sourceChanged('identity');
  NULL_TELEMETRY.policyChanged({});
  assert.equal(await NULL_TELEMETRY.metrics(), '');
});
