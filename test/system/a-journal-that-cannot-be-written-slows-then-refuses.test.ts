import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import type { DecisionRecord } from '../../src/core/model/record.ts';
import { sallyport } from '../support/cli.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { ALLOW_ALL, startSystem, type System } from '../support/system.ts';
import { writeFiles } from '../support/temp-folder.ts';

const FULL = '/dev/full';
const SMALL_QUEUE = { records: 16, bytes: '64KiB' };
/** More than any pipe holds: a record is over 1 KiB. */
const MOST = 4_000;

const waiting = (system: System): Promise<number | undefined> =>
  system.sidecar.metric('sallyport_journal_waiting_requests');

test(
  'nobody reads the records: requests wait, nothing is lost, and all goes on when somebody does',
  { timeout: 90_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `http://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      stdout: 'pipe',
      config: { journal: ['stdout'], journalQueue: { ...SMALL_QUEUE, wait: '60s' } },
    });
    const { sidecar } = system;
    const peer = await connectHttp1(context, system);
    const noisy = `X-Noise: ${'x'.repeat(4_000)}\r\n`;
    let answered = 0;
    let slowed: ReturnType<typeof get> | undefined;
    while (slowed === undefined && answered < MOST) {
      const response = get(peer, `/${answered}`, noisy);
      const first = await Promise.race([response, pause(200)]);
      if (first !== undefined) answered += 1;
      else if ((await waiting(system)) === 1) slowed = response;
      else {
        await response;
        answered += 1;
      }
    }
    assert.ok(slowed !== undefined, `after ${answered} answers it still does not wait`);
    assert.equal(upstream.received.length, answered, 'what waits has not reached the agent');

    const { stdout } = sidecar;
    assert.ok(stdout !== null);
    let text = '';
    stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
    assert.equal((await slowed).status, 200, 'the one that waited is served');
    assert.equal((await get(peer, '/last')).status, 200);
    assert.equal(await sidecar.stop(), 0);
    const lines = text.split('\n').filter((line) => line !== '');
    assert.equal(lines.length, answered + 2, 'one record each');
    await writeFiles(system.folder, { 'read.ndjson': text });
    const verified = await sallyport(['log', 'verify', join(system.folder, 'read.ndjson')]);
    assert.equal(verified.code, 0, verified.out.join('\n'));
  },
);

const needsFull = { timeout: 60_000, skip: existsSync(FULL) ? false : `this system has no ${FULL}` };

test(
  'a full disk: the queue fills, then every request is refused with journal_unavailable',
  needsFull,
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `http://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      stdout: 'pipe',
      config: {
        journal: [`file:${FULL}`],
        journalQueue: { ...SMALL_QUEUE, wait: '50ms' },
        shutdown: { grace: '500ms' },
      },
    });
    const { sidecar } = system;
    const statuses: number[] = [];
    for (let i = 0; i < SMALL_QUEUE.records + 10; i += 1) {
      const peer = await connectHttp1(context, system);
      const response = await get(peer, '/');
      statuses.push(response.status);
      if (response.status === 503)
        assert.deepEqual(Object.keys(JSON.parse(response.body) as object), ['type', 'title', 'status', 'decision_id']);
      peer.close();
    }
    const served = statuses.filter((status) => status === 200).length;
    assert.ok(served > 0 && served <= SMALL_QUEUE.records, `${served} were served`);
    assert.deepEqual(
      statuses.slice(served),
      statuses.slice(served).map(() => 503),
      'and none after the first refusal',
    );
    assert.equal(upstream.received.length, served, 'what could not be written down did not reach the agent');

    const ready = await sidecar.admin('/readyz');
    assert.equal(ready.status, 503);
    const { parts } = JSON.parse(ready.text) as { parts: Record<string, { ok: boolean }> };
    assert.deepEqual([parts['journal']?.ok, parts['policy']?.ok], [false, true]);
    const refused =
      'sallyport_requests_total{direction="inbound",style="none",verdict="deny",fault="journal_unavailable"}';
    assert.equal(await sidecar.metric(refused), statuses.length - served);
    assert.equal(await sidecar.metric('sallyport_journal_refused_total'), statuses.length - served);
    assert.ok(
      sidecar.log.some(({ msg }) => /^decision records cannot be written$/.test(msg)),
      'the log says so',
    );
    assert.equal(await sidecar.stop(), 3, 'records that could not be written are told by the exit code');
  },
);

test('`whenFull: drop`: requests go on, and what is lost is counted', needsFull, async (context) => {
  const upstream = await startEchoUpstream();
  context.after(upstream.close);
  const system = await startSystem(context, {
    upstream: `http://127.0.0.1:${upstream.port}`,
    policy: ALLOW_ALL,
    config: { journal: [`file:${FULL}`], journalQueue: { ...SMALL_QUEUE, wait: '50ms', whenFull: 'drop' } },
  });
  const peer = await connectHttp1(context, system);
  const requests = SMALL_QUEUE.records * 5;
  for (let i = 0; i < requests; i += 1) assert.equal((await get(peer, '/')).status, 200);
  const lost = (await system.sidecar.metric('sallyport_journal_lost_total')) ?? 0;
  const queued = (await system.sidecar.metric('sallyport_journal_queued_records')) ?? 0;
  assert.ok(lost > 0);
  assert.equal(lost + queued, requests, 'every record is queued or counted as lost');
});

test('renaming the journal and SIGHUP loses nothing', { timeout: 60_000 }, async (context) => {
  const upstream = await startEchoUpstream();
  context.after(upstream.close);
  const system = await startSystem(context, { upstream: `auto://127.0.0.1:${upstream.port}`, policy: ALLOW_ALL });
  const path = join(system.folder, 'records.ndjson');
  const rotating = new AbortController();
  let answered = 0;
  const traffic = Array.from({ length: 4 }, async () => {
    const peer = await connectHttp1(context, system);
    while (!rotating.signal.aborted) {
      assert.equal((await get(peer, `/${(answered += 1)}`)).status, 200);
    }
  });
  const files: string[] = [];
  for (let rotation = 0; rotation < 5; rotation += 1) {
    const before = answered;
    await system.sidecar.until('some traffic', () => answered > before + 50);
    files.push(`${path}.${rotation}`);
    await rename(path, `${path}.${rotation}`);
    await system.sidecar.reload();
  }
  rotating.abort();
  await Promise.all(traffic);
  assert.equal(await system.sidecar.stop(), 0);
  files.push(path);
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const records = texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.startsWith('{"decision_id"'))
    .map((line) => JSON.parse(line) as DecisionRecord);
  assert.equal(records.length, answered);
  assert.equal(new Set(records.map((record) => record.decision_id)).size, answered);
  const verified = await sallyport(['log', 'verify', ...files]);
  assert.equal(verified.code, 0, verified.out.join('\n'));
  assert.ok(
    texts.every((text) => text.endsWith('\n')),
    'no file ends within a line',
  );
});
