import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test, type TestContext } from 'node:test';

import { sallyport } from '../support/cli.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import type { RawPeer } from '../support/raw-http1-peer.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { ALLOW_ALL, startSystem, type System } from '../support/system.ts';
import { tempFolder, writeFiles } from '../support/temp-folder.ts';

/** In each thread of the sidecar: one whose name stands in the file `end` throws, and nothing in it hears of that. */
const HOOK = `
import { readFileSync, rmSync } from 'node:fs';
import { threadName } from 'node:worker_threads';

const path = new URL('./end', import.meta.url);
if (threadName?.startsWith('sallyport-worker-')) setInterval(() => {
  let named;
  try { named = readFileSync(path, 'utf8'); } catch { return; }
  if (named !== threadName) return;
  rmSync(path);
  throw new Error('ended by the test');
}, 5).unref();
`;

/** A peer of each of two workers. */
async function peersOfBoth(context: TestContext, system: System): Promise<readonly [RawPeer, RawPeer]> {
  const found: (RawPeer | undefined)[] = [undefined, undefined];
  const open = (worker: number): Promise<number | undefined> =>
    system.sidecar.metric(`sallyport_worker_connections{worker="${worker}"}`);
  for (let tries = 0; tries < 100; tries += 1) {
    const before = await open(0);
    const peer = await connectHttp1(context, system);
    assert.equal((await get(peer, '/first')).status, 200);
    found[(await open(0)) === before ? 1 : 0] = peer;
    const [zero, one] = found;
    if (zero !== undefined && one !== undefined) return [zero, one];
  }
  return assert.fail('all connections went to one worker');
}

test(
  'a worker that throws is replaced; whoever is with another one notices nothing, and what it owed is declared',
  { timeout: 90_000 },
  async (context) => {
    const hooks = await tempFolder(context);
    await writeFiles(hooks, { 'hook.mjs': HOOK });
    process.env['NODE_OPTIONS'] = `--import=${pathToFileURL(join(hooks, 'hook.mjs')).href}`;
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `http://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      config: { workers: 2 },
    });
    delete process.env['NODE_OPTIONS'];
    const { sidecar } = system;
    const [zero, one] = await peersOfBoth(context, system);

    // Open with the worker that is about to end: its head is decided, its body never comes.
    zero.send('POST /echo/open HTTP/1.1\r\nHost: agent.test\r\nContent-Length: 9\r\n\r\n');
    await sidecar.until('the open request', async () => (await sidecar.metric('sallyport_open_requests')) === 1);
    let served = 0;
    const serving = new AbortController();
    const traffic = (async () => {
      while (!serving.signal.aborted) {
        assert.equal((await get(one, `/meanwhile/${served}`)).status, 200);
        served += 1;
      }
    })();
    await writeFiles(hooks, { end: 'sallyport-worker-0' });
    const { worker, reason, records_lost } = await sidecar.logged('a worker ended; another takes its place');
    assert.match(String(reason), /^Error: ended by the test/);
    assert.deepEqual([worker, records_lost], [0, 1]);
    const before = served;
    await sidecar.until('some traffic', () => served > before + 20);
    await sidecar.until('both workers', async () => (await sidecar.metric('sallyport_workers_serving')) === 2);
    serving.abort();
    await traffic;
    assert.equal(await sidecar.metric('sallyport_workers_ended_total'), 1);
    assert.equal(await sidecar.metric('sallyport_journal_lost_total'), 1);
    assert.equal((await sidecar.admin('/readyz')).status, 200);

    await peersOfBoth(context, system);
    assert.equal(await sidecar.stop(), 0);
    const records = sidecar.records();
    assert.equal(records.length, upstream.received.length, 'one record each; the one that was open never came whole');
    const verified = await sallyport(['log', 'verify', '--json', join(system.folder, 'records.ndjson')]);
    assert.equal(verified.code, 0, verified.out.join('\n'));
    const { lost } = JSON.parse(verified.out.join('')) as { lost?: number };
    assert.equal(lost, 1, verified.out.join('\n'));
  },
);

test('where no worker can serve, it is not ready, and goes on trying', { timeout: 90_000 }, async (context) => {
  const hooks = await tempFolder(context);
  await writeFiles(hooks, { 'hook.mjs': HOOK.replace('named !== threadName', 'false').replace('rmSync(path);', '') });
  process.env['NODE_OPTIONS'] = `--import=${pathToFileURL(join(hooks, 'hook.mjs')).href}`;
  const upstream = await startEchoUpstream();
  context.after(upstream.close);
  const system = await startSystem(context, {
    upstream: `http://127.0.0.1:${upstream.port}`,
    policy: ALLOW_ALL,
    config: { workers: 2 },
  });
  delete process.env['NODE_OPTIONS'];
  const { sidecar } = system;
  await writeFiles(hooks, { end: '' });
  const ready = await sidecar.until('that it is not ready', async () => {
    const answer = await sidecar.admin('/readyz');
    return answer.status === 503 && answer;
  });
  const { parts } = JSON.parse(ready.text) as { parts: Record<string, { ok: boolean; detail: string }> };
  assert.deepEqual([parts['workers']?.ok, parts['identity']?.ok], [false, true]);
  await rm(join(hooks, 'end'));
  await sidecar.until('that it is ready again', async () => (await sidecar.admin('/readyz')).status === 200);
  assert.equal((await get(await connectHttp1(context, system), '/again')).status, 200);
  assert.equal(await sidecar.stop(), 0);
});
