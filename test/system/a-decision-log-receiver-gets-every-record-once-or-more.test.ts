import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { ready, startControlledSystem, TOKEN, type ControlledSystem } from '../support/controlled-system.ts';
import { verifyTexts } from '../support/journal-lines.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { until } from '../support/until.ts';

import type { ControlFault } from '../support/control-server.ts';
import type { RawConfig } from '../support/sidecar-process.ts';

/** A sidecar that writes to a file and a receiver. */
function world(context: TestContext, receiver: RawConfig = {}, top: RawConfig = {}): Promise<ControlledSystem> {
  return startControlledSystem(context, {
    top: (server) => ({
      journal: [
        'file:records.ndjson',
        {
          url: server.url('/logs'),
          trustBundle: 'control.pem',
          token: TOKEN,
          minDelay: '100ms',
          maxDelay: '200ms',
          ...receiver,
        },
      ],
      ...top,
    }),
  });
}

async function requests(context: TestContext, at: ControlledSystem, count: number): Promise<void> {
  const peer = await connectHttp1(context, at.system);
  for (let number = 0; number < count; number += 1) {
    assert.equal((await get(peer, `/a/${number}`)).status, 200);
  }
}

/** Events by number of the decision, in the order in which each first came. */
function numbers(at: ControlledSystem): readonly unknown[] {
  return [...new Set(at.server.events.map((event) => event['req_id']))];
}

test('each record arrives, in order, as it stands in the file; the chain verifies at the receiver', async (context) => {
  const at = await world(context);
  await requests(context, at, 200);
  await until('all events', () => at.server.events.length === 200);
  const records = await at.system.sidecar.recordsFrom(0, 200);
  assert.deepEqual(at.server.events, records);
  const text = at.server.events.map((event) => `${JSON.stringify(event)}\n`).join('');
  assert.equal(verifyTexts([text]).kind, 'sound');
});

const FAULTS: readonly ControlFault[] = [
  { kind: 'status', status: 500 },
  { kind: 'status', status: 429, headers: { 'retry-after': '1' } },
  { kind: 'redirect', to: 'https://localhost/elsewhere' },
  { kind: 'reset' },
  { kind: 'lost-answer' },
  { kind: 'silent' },
];
test('a receiver that fails in any way: not ready, requests go on while there is room, and every record arrives later', async (context) => {
  const at = await world(context, { timeout: '1s' });
  let sent = 0;
  for (const fault of FAULTS) {
    at.server.faults.set('/logs', fault);
    await requests(context, at, 5);
    sent += 5;
    await at.system.sidecar.until('not ready', async () => (await ready(at.system.sidecar)).status === 503);
    assert.match((await ready(at.system.sidecar)).journal, /cannot write to https:\/\/localhost:\d+\/logs/);
    at.server.faults.delete('/logs');
    await until(`events after ${fault.kind}`, () => numbers(at).length === sent);
    await at.system.sidecar.until('ready', async () => (await ready(at.system.sidecar)).status === 200);
  }
  const expected = Array.from({ length: sent }, (_, index) => index + 1);
  assert.deepEqual(numbers(at), expected);
  assert.ok(at.server.events.length > sent, 'a lost answer brings repeats');
  assert.ok(!JSON.stringify([at.system.sidecar.log, at.server.events]).includes(TOKEN));
});

test('a receiver that is down fills the queue: then requests are refused, none goes unrecorded', async (context) => {
  const at = await world(context, {}, { journalQueue: { records: 16, wait: '0s' } });
  await at.server.stop();
  const statuses: number[] = [];
  for (let number = 0; number < 24; number += 1) statuses.push(await at.get(`/a/${number}`).catch(() => 0));
  assert.deepEqual(
    statuses.slice(0, 16),
    Array.from({ length: 16 }, () => 200),
  );
  assert.ok(!statuses.slice(16).includes(200), String(statuses));
  await at.server.start();
  await until('all events', () => numbers(at).filter(Boolean).length >= 16);
  await at.system.sidecar.until('room', async () => (await at.get('/a').catch(() => 0)) === 200);
});

test('SIGTERM: what is queued goes out before the process ends', async (context) => {
  const at = await world(context, { minDelay: '1h', maxDelay: '2h' });
  await requests(context, at, 20);
  assert.equal(at.server.uploads.length, 0);
  assert.equal(await at.system.sidecar.stop(), 0);
  assert.equal(at.server.events.length, 20);
});

test('a receiver that takes small requests only gets small ones', async (context) => {
  const at = await world(context, { minDelay: '500ms', maxDelay: '500ms' });
  at.server.maxUpload = 2_000;
  await requests(context, at, 100);
  await until('all events', () => numbers(at).length === 100);
  assert.ok(Math.max(...at.server.uploadBytes) <= 2_000);
});

test('status is reported at start and on change, without secrets', async (context) => {
  const at = await startControlledSystem(context, {
    top: (server) => ({
      status: { url: server.url('/status'), trustBundle: 'control.pem', token: TOKEN, minDelay: '1h', maxDelay: '2h' },
      labels: { cluster: 'test' },
    }),
  });
  const { server, system } = at;
  type Status = {
    labels: Record<string, string>;
    bundles: Record<string, Record<string, unknown>>;
    plugins: Record<string, unknown>;
  };
  const newest = (): Status | undefined => server.statuses.at(-1) as Status | undefined;
  await until('the first report of a revision', () => newest()?.bundles['policy']?.['active_revision'] === 'file');
  assert.deepEqual([newest()?.labels['cluster'], newest()?.plugins['bundle']], ['test', { state: 'OK' }]);
  await system.setPolicy({ rego: 'package test.authz\n\ndecision := false\n', revision: 'next' });
  await until('a report of the next', () => newest()?.bundles['policy']?.['active_revision'] === 'next');
  await system.replace('policy.tar.gz', 'no bundle');
  await until('a report of the problem', () => newest()?.bundles['policy']?.['code'] === 'bundle_error');
  assert.match(String(newest()?.bundles['policy']?.['message']), /gzip_malformed/);
  assert.equal(newest()?.bundles['policy']?.['active_revision'], 'next');
  assert.ok(!JSON.stringify(server.statuses).includes(TOKEN));
});
