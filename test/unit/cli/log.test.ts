import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { fault } from '../../../src/core/model/faults.ts';
import { createRecorder } from '../../../src/core/record/recorder.ts';
import { sallyport } from '../../support/cli.ts';
import { sampleFacts } from '../../support/record-facts.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { DecisionId } from '../../../src/core/kernel/brand.ts';

/** Three chained records: two allows and one denial. */
function chain(): string[] {
  const recorder = createRecorder({ labels: { id: 'i' } });
  const facts = [
    sampleFacts(),
    sampleFacts({ fault: fault('policy_denied', 'no'), outcome: { kind: 'refused', status: 403 } }),
    sampleFacts(),
  ];
  return facts.map((one) => recorder.record(one) ?? assert.fail());
}

async function logOf(context: TestContext, files: Readonly<Record<string, string>>): Promise<(name: string) => string> {
  const folder = await tempFolder(context);
  await writeFiles(folder, files);
  return (name) => join(folder, name);
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

test('log verify: a sound log is exit 0, with how many records and where it begins and ends', async (context) => {
  const lines = chain();
  const at = await logOf(context, { log: text(lines) });
  const { code, out } = await sallyport(['log', 'verify', at('log')]);
  assert.equal(code, 0);
  assert.deepEqual([out[0], out[1]], ['sound: 3 records', `first follows ${'0'.repeat(64)}`]);
  const json = JSON.parse((await sallyport(['log', 'verify', '--json', at('log')])).out[0] ?? '') as Record<
    string,
    unknown
  >;
  assert.deepEqual([json['ok'], json['records'], json['lines']], [true, 3, 3]);
});

test('log verify: a changed line is exit 1, with its file and line', async (context) => {
  const lines = chain();
  const at = await logOf(context, { log: text(lines.with(1, (lines[1] ?? '').replace('403', '200'))) });
  const { code, out } = await sallyport(['log', 'verify', at('log')]);
  assert.deepEqual([code, out], [1, [`${at('log')}:2: was changed: its hash is not of this text`]]);
});

test('log verify: a missing line is exit 1, counted within its own file', async (context) => {
  const [a = '', b = '', c = ''] = chain();
  const at = await logOf(context, { one: text([a]), two: text([c]), whole: text([b, c]) });
  assert.equal((await sallyport(['log', 'verify', at('one'), at('whole')])).code, 0);
  const { code, out } = await sallyport(['log', 'verify', '--json', at('one'), at('two')]);
  assert.deepEqual([code, JSON.parse(out[0] ?? '')], [1, { ok: false, file: at('two'), line: 1, why: 'order' }]);
});

test('log verify --from: the first line must follow what is known from elsewhere', async (context) => {
  const [a = '', b = ''] = chain();
  const at = await logOf(context, { log: text([b]) });
  const hash = a.slice(-67, -3);
  assert.equal((await sallyport(['log', 'verify', at('log'), '--from', hash])).code, 0);
  assert.equal((await sallyport(['log', 'verify', at('log'), '--from', '1'.repeat(64)])).code, 1);
});

test('log verify: an empty log is sound, a missing one is exit 3', async (context) => {
  const at = await logOf(context, { empty: '' });
  assert.deepEqual((await sallyport(['log', 'verify', at('empty')])).out, ['sound: 0 records']);
  const missing = await sallyport(['log', 'verify', at('none')]);
  assert.deepEqual([missing.code, missing.out], [3, []]);
});

test('log verify: lines longer than a read are lines all the same', async (context) => {
  const recorder = createRecorder({ labels: { id: 'x'.repeat(200_000) } });
  const lines = [recorder.record(sampleFacts()) ?? '', recorder.record(sampleFacts()) ?? ''];
  const at = await logOf(context, { log: text(lines) });
  assert.equal((await sallyport(['log', 'verify', at('log')])).out[0], 'sound: 2 records');
});

test('log show: one line a decision, with verdict, peer and why', async (context) => {
  const at = await logOf(context, { log: text(chain()) });
  const { code, out } = await sallyport(['log', 'show', at('log')]);
  assert.deepEqual([code, out.length], [0, 3]);
  assert.match(out[1] ?? '', /^\S+Z deny +403 +spiffe:\/\/example\.org\/ns\/agents\/sa\/writer .*policy_denied/);
});

test('log show: by verdict, by peer, the last ones, and as they are', async (context) => {
  const lines = chain();
  const at = await logOf(context, { log: text(lines) });
  assert.deepEqual((await sallyport(['log', 'show', at('log'), '--verdict', 'deny', '--json'])).out, [lines[1]]);
  assert.deepEqual((await sallyport(['log', 'show', at('log'), '--last', '2', '--json'])).out, lines.slice(1));
  assert.deepEqual((await sallyport(['log', 'show', at('log'), '--peer', 'spiffe://example.org/x'])).out, []);
});

test('log show: one decision by the id that a caller was told', async (context) => {
  const recorder = createRecorder({ labels: { id: 'i' } });
  const [id, other] = ['1'.repeat(36), '2'.repeat(36)];
  const lines = [other, id, other].map(
    (decisionId) => recorder.record(sampleFacts({ decisionId: decisionId as DecisionId })) ?? '',
  );
  const at = await logOf(context, { log: text(['no json', ...lines]) });
  assert.deepEqual((await sallyport(['log', 'show', at('log'), '--id', id, '--json'])).out, [lines[1]]);
  assert.equal((await sallyport(['log', 'show', at('log'), '--id', id])).out.length, 1);
  assert.deepEqual((await sallyport(['log', 'show', at('log'), '--id', 'another'])).out, []);
});

test("log show: of the agent's own call, whom it called, and why nothing came of it", async (context) => {
  const recorder = createRecorder({ labels: { id: 'i' } });
  const connection = { ...sampleFacts().connection, direction: 'outbound' as const };
  const address = { host: '10.0.0.7', port: 8443 };
  const destination = { name: 'researcher.internal', address, ids: [], protocol: 'auto' } as const;
  const mismatch = fault('destination_identity_mismatch', 'the server is another one');
  const failed = { kind: 'upstream-failed', fault: mismatch, status: 502, bytesIn: 0, bytesOut: 0 } as const;
  const unknown = fault('destination_unknown', 'no destination is configured for tabloid.internal');
  const lines = [
    recorder.record(sampleFacts({ connection, destination, outcome: failed })) ?? '',
    recorder.record(sampleFacts({ connection, fault: unknown, outcome: { kind: 'refused', status: 403 } })) ?? '',
  ];
  const at = await logOf(context, { log: text(lines) });
  const { out } = await sallyport(['log', 'show', at('log')]);
  assert.match(
    out[0] ?? '',
    /Z allow +502 +to researcher\.internal GET .* destination_identity_mismatch; the server is another one/,
  );
  assert.match(
    out[1] ?? '',
    / to nobody that is configured GET .* destination_unknown; no destination is configured for tabloid/,
  );
});

test('log show: what a peer sent cannot speak to the terminal', async (context) => {
  const hostile = {
    decision_id: 'd',
    timestamp: '\u001b[2J',
    input: { attributes: { request: { http: { method: 'GET', path: '/\u001b]0;owned\u0007\u202e' } } } },
    sallyport: {
      verdict: '\u001b[31mallow',
      peer: 'spiffe://\u009b1m',
      reasons: ['\r\n2026 allow'],
      outcome: { status: '\u0008' },
    },
  };
  const at = await logOf(context, { log: text([JSON.stringify(hostile)]) });
  const { out } = await sallyport(['log', 'show', at('log')]);
  assert.doesNotMatch(out.join('|'), /[\x00-\x1f\x7f-\x9f\u202e]/);
  assert.match(out[0] ?? '', /\/\\u\{1b\}\]0;owned/);
});

test('log show: lines that are none, and records of any shape, are shown and never end the command', async (context) => {
  const odd = [
    'no json',
    '{}',
    'null',
    '{"decision_id":"a","sallyport":{"verdict":"allow"}}',
    '{"decision_id":"a","input":7,"sallyport":{"verdict":"toString","reasons":7,"outcome":[],"peer":{}}}',
  ];
  const at = await logOf(context, { log: text(odd) });
  const { code, out } = await sallyport(['log', 'show', at('log')]);
  assert.deepEqual([code, out.length], [0, 5]);
  assert.match(out[0] ?? '', /no decision record|JSON/);
});
