import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { test, type TestContext } from 'node:test';

import { createBundleServer } from '../../../src/io/control/bundle-server.ts';
import { readBounded } from '../../../src/io/sources/read-file.ts';
import { systemTimer } from '../../../src/io/sources/timer.ts';
import { createManualTimer } from '../../support/manual-timer.ts';
import { policyWorld, startServiceWorld, type ServiceWorld } from '../../support/policy-world.ts';
import { until } from '../../support/until.ts';

async function serving(context: TestContext, policy = 'true', timer = systemTimer): Promise<ServiceWorld> {
  const world = await startServiceWorld(context, timer);
  world.service.update(policyWorld({ agents: { policy } }));
  await world.service.settled();
  return world;
}

/** Our own client of the protocol. */
function client(context: TestContext, world: ServiceWorld, path: string) {
  const settings = { url: world.url(path), timeout: 30_000 };
  const bundles = createBundleServer(settings, 1_048_576, {
    readFile: readBounded,
    timer: systemTimer,
    wallMs: () => 0,
  });
  context.after(() => bundles.stop());
  return bundles;
}

const FIRST = { etag: undefined, delta: false, waitMs: undefined };

test('OPA bundle service: our client gets a bundle, then 304, is held, and has the next one at once', async (context) => {
  const world = await serving(context);
  const bundles = client(context, world, '/v1/policy/agents');
  const first = await bundles.fetch(FIRST);
  assert.ok(first.kind === 'archive' && first.longPolling && first.etag !== undefined);
  const { etag } = first;
  assert.deepEqual(await bundles.fetch({ ...FIRST, etag }), { kind: 'unchanged', etag, longPolling: true });
  const held = bundles.fetch({ etag, delta: true, waitMs: 300_000 });
  await until('a request that is held', () => world.service.held === 1);
  world.service.update(policyWorld({ agents: { policy: 'false' } }));
  const second = await held;
  assert.ok(second.kind === 'archive' && second.etag !== etag);
  assert.equal(world.service.held, 0);
});

test('a request is held for as long as it asks, and five minutes at most; then 304', async (context) => {
  const timer = createManualTimer();
  const world = await serving(context, 'true', timer.timer);
  const bundles = client(context, world, '/v1/policy/agents');
  const first = await bundles.fetch(FIRST);
  assert.ok(first.kind === 'archive');
  for (const [waitMs, heldMs] of [
    [20_001, 21_000],
    [3_600_000, 300_000],
  ] as const) {
    const held = bundles.fetch({ etag: first.etag, delta: true, waitMs });
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await timer.fire(heldMs);
    // oxlint-disable-next-line no-await-in-loop -- as above
    assert.equal((await held).kind, 'unchanged');
  }
});

test('what changes nothing for a namespace wakes nobody; a namespace that leaves wakes with 404', async (context) => {
  const world = await serving(context);
  const etag = (await fetch(world.url('/v1/policy/agents'))).headers.get('etag') ?? '';
  const held = fetch(world.url('/v1/policy/agents'), { headers: { 'if-none-match': etag, prefer: 'wait=300' } });
  await until('a request that is held', () => world.service.held === 1);
  world.service.update(policyWorld({ agents: { policy: 'true' }, other: { policy: 'false' } }));
  await world.service.settled();
  assert.equal(world.service.held, 1);
  world.service.update(policyWorld({ other: { policy: 'false' } }));
  assert.equal((await held).status, 404);
});

test('whoever goes while held is forgotten, and stopping answers the others', async (context) => {
  const world = await serving(context);
  const etag = (await fetch(world.url('/v1/policy/agents'))).headers.get('etag') ?? '';
  const headers = { 'if-none-match': etag, prefer: 'modes=snapshot,delta;wait=300' };
  const gone = new AbortController();
  const leaving = fetch(world.url('/v1/policy/agents'), { headers, signal: gone.signal });
  await until('a request that is held', () => world.service.held === 1);
  gone.abort();
  await assert.rejects(leaving);
  await until('nobody', () => world.service.held === 0);
  const staying = fetch(world.url('/v1/policy/agents'), { headers });
  await until('a request that is held', () => world.service.held === 1);
  await world.service.stop();
  assert.equal((await staying).status, 304);
});

test('another ETag, or a wait that is none, is answered at once', async (context) => {
  const world = await serving(context);
  const etag = (await fetch(world.url('/v1/policy/agents'))).headers.get('etag') ?? '';
  for (const headers of [
    { 'if-none-match': '"other"', prefer: 'wait=300' },
    { 'if-none-match': `W/${etag}`, prefer: 'wait=300' },
    { prefer: 'wait=300' },
  ] as Record<string, string>[])
    // oxlint-disable-next-line no-await-in-loop -- a handful
    assert.equal((await fetch(world.url('/v1/policy/agents'), { headers })).status, 200);
  for (const prefer of ['wait=-1', 'wait=x', 'await=300', 'wait=0', 'respond-async'])
    assert.equal(
      // oxlint-disable-next-line no-await-in-loop -- as above
      (await fetch(world.url('/v1/policy/agents'), { headers: { 'if-none-match': etag, prefer } })).status,
      304,
      prefer,
    );
});

test('nothing but the two paths, as they stand, and GET', async (context) => {
  const world = await serving(context);
  const paths = [
    '/',
    '/v1/policy',
    '/v1/policy/',
    '/v1/policy/agents/',
    '/v1/policy/agents/candidate/',
    '/v1/policy/agents?x=1',
    '/v1/policy/Agents',
    '/v1/policy/%61gents',
    '/v1/policy/../policy/agents',
    '//v1/policy/agents',
    '/v1/policy/agents/../other',
    '/v1/policy/__proto__',
    `/v1/policy/${'a'.repeat(64)}`,
    'http://127.0.0.1/v1/policy/agents',
  ];
  for (const path of paths)
    // oxlint-disable-next-line no-await-in-loop -- a handful
    assert.equal(await statusOf(world, 'GET', path), 404, path);
  for (const method of ['POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])
    // oxlint-disable-next-line no-await-in-loop -- as above
    assert.equal(await statusOf(world, method, '/v1/policy/agents'), 405, method);
});

/** The path goes out as it stands. */
function statusOf(world: ServiceWorld, method: string, path: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const { hostname: host, port } = new URL(world.url('/'));
  request({ host, port, method, path, agent: false }, (response) => {
    response.resume().once('end', () => resolve(response.statusCode ?? 0));
  })
    .on('error', reject)
    .end();
  return promise;
}

test('one namespace holds a quarter of the room at most: whoever asks too often for one bundle polls, and the others are held', async (context) => {
  const world = await startServiceWorld(context);
  world.service.update(policyWorld({ agents: { policy: 'true' }, other: { policy: 'true' } }));
  await world.service.settled();
  const etagOf = async (name: string) => (await fetch(world.url(`/v1/policy/${name}`))).headers.get('etag') ?? '';
  const etag = await etagOf('agents');
  const agent = new Agent({ keepAlive: false });
  const { port } = new URL(world.url('/'));
  let answered = 0;
  const requests = Array.from({ length: 2_060 }, () => {
    const headers = { 'if-none-match': etag, prefer: 'wait=300' };
    const asked = request({ agent, host: '127.0.0.1', port, path: '/v1/policy/agents', headers }, (response) => {
      assert.equal(response.statusCode, 304);
      response.resume();
      answered += 1;
    });
    asked.on('error', () => undefined);
    return asked.end();
  });
  context.after(() => requests.forEach((asked) => asked.destroy()));
  await until('all of them', () => answered === 12 && world.service.held === 2_048);
  const headers = { 'if-none-match': await etagOf('other'), prefer: 'wait=300' };
  const other = fetch(world.url('/v1/policy/other'), { headers });
  await until('the other', () => world.service.held === 2_049);
  world.service.update(policyWorld({ agents: { policy: 'true' }, other: { policy: 'false' } }));
  assert.equal((await other).status, 200);
});
