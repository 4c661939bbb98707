import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';

import { createSigningKey } from '../../src/core/bundle/signature-key.ts';
import { allowing, ready, startControlledSystem, TOKEN, type ControlledSystem } from '../support/controlled-system.ts';
import { sequenced } from '../support/policy-archives.ts';
import { policyBundle } from '../support/system.ts';
import { until } from '../support/until.ts';

import type { ControlFault } from '../support/control-server.ts';
import type { RawConfig } from '../support/sidecar-process.ts';

const PATH = '/bundles/agents';
const SECRET = 'a shared secret of thirty-two bytes and more';

/** A sidecar that follows `/bundles/agents`, with short pauses; the server offers `first` when it starts. */
function world(
  context: TestContext,
  bundleServer: RawConfig = {},
  policyKeys: RawConfig = {},
  first?: Uint8Array,
): Promise<ControlledSystem> {
  return startControlledSystem(context, {
    first,
    config: (server) => ({
      bundle: server.url(PATH),
      bundleServer: { trustBundle: 'control.pem', token: TOKEN, minDelay: '100ms', maxDelay: '200ms', ...bundleServer },
      ...policyKeys,
    }),
  });
}

test('a server that is down at start: it listens, is not ready and refuses; the first bundle changes that', async (context) => {
  const { server, system, get } = await world(context);
  const before = await ready(system.sidecar);
  assert.equal(before.status, 503);
  assert.match(before.policy, /^no revision is active: https:\/\/localhost:\d+\/bundles\/agents: answered 404/);
  assert.equal(await get('/a'), 503);
  const [record] = await system.sidecar.recordsFrom(0, 1);
  assert.equal(record?.sallyport.fault, 'policy_unavailable');
  server.offer(await policyBundle(allowing('a', 'r1')));
  await system.sidecar.until('ready', async () => (await ready(system.sidecar)).status === 200);
  assert.deepEqual([await get('/a'), await get('/b')], [200, 403]);
  const records = await system.sidecar.recordsFrom(1, 2);
  assert.deepEqual(records[0]?.bundles, { agents: { revision: 'r1' } });
});

test('a new bundle comes by polling, an unchanged one costs a 304', async (context) => {
  const { server, system, get } = await world(context, {}, {}, await policyBundle(allowing('a', 'r1')));
  assert.equal(await get('/a'), 200);
  await server.asked(PATH, 2);
  const { headers } = server.received.at(-1) ?? {};
  assert.match(String(headers?.['if-none-match']), /^"[0-9a-f]{64}"$/);
  assert.equal(headers?.['prefer'], 'modes=snapshot,delta');
  server.offer(await policyBundle(allowing('b', 'r2')));
  await system.sidecar.until(
    'r2',
    async () => (await system.sidecar.metric('sallyport_policy_info{bundle="agents",revision="r2"}')) === 1,
  );
  assert.deepEqual([await get('/a'), await get('/b')], [403, 200]);
});

test('long polling: the request is held, and a new bundle is there at once', async (context) => {
  const pace = { longPolling: '300s', minDelay: '1h', maxDelay: '2h' };
  const { server, system, get } = await world(context, pace, {}, await policyBundle(allowing('a', 'r1')));
  // The first answer came before the server could say that it holds requests: SIGHUP asks anew.
  server.longPolling = true;
  assert.equal(await get('/a'), 200);
  system.sidecar.signal('SIGHUP');
  await until('a request that is held', () => server.held === 1);
  assert.equal(server.received.at(-1)?.headers['prefer'], 'modes=snapshot,delta;wait=300');
  server.offer(await policyBundle(allowing('b', 'r2')));
  await system.sidecar.until('r2', async () => (await get('/b')) === 200);
  await until('the next request that is held', () => server.held === 1);
});

describe('what is no good changes nothing: the bundle in force stays, health and log say why', () => {
  const FAULTS: readonly (readonly [title: string, fault: ControlFault, said: RegExp])[] = [
    ['500', { kind: 'status', status: 500 }, /answered 500/],
    ['a page for people', { kind: 'page' }, /answered with a text/],
    ['a redirect', { kind: 'redirect', to: 'https://localhost/' }, /redirects are not followed/],
    ['a body cut short', { kind: 'truncated' }, /the connection was cut/],
    ['a connection cut', { kind: 'reset' }, /the connection was cut/],
    ['a stalled body', { kind: 'stalled' }, /no whole answer within 2000 ms/],
    ['no answer', { kind: 'silent' }, /no whole answer within 2000 ms/],
    ['a body without end', { kind: 'endless' }, /larger than 67108864 bytes/],
    ['a gzip bomb', { kind: 'bomb' }, /too_large: .*after decompression/],
  ];
  test('each of them, one after the other, in one process', async (context) => {
    const { server, system, get } = await world(
      context,
      { timeout: '2s' },
      {},
      await policyBundle(allowing('a', 'r1')),
    );
    for (const [title, fault, said] of FAULTS) {
      const from = system.sidecar.log.length;
      server.faults.set(PATH, fault);
      await system.sidecar.logged(said, from);
      assert.equal(await get('/a'), 200, title);
      assert.equal((await ready(system.sidecar)).status, 200, title);
      assert.equal(await system.sidecar.metric('sallyport_source_problem{kind="policy"}'), 1, title);
      server.faults.delete(PATH);
      await system.sidecar.logged('the source is good again', from);
    }
    const rss = system.sidecar.peakRssMiB();
    assert.ok(rss === undefined || rss < 900, `peak ${rss} MiB`);
    assert.ok(!JSON.stringify(system.sidecar.log).includes(TOKEN));
  });

  test('a bundle that is unsigned, changed, by another key or older, where signatures are wanted', async (context) => {
    const sign = async (word: string, sequence: number, secret = SECRET): Promise<Uint8Array> =>
      sequenced(await policyBundle(allowing(word, `r${sequence}`)), sequence, signing(secret));
    const verification = { keys: { k: { algorithm: 'HS256', secret: SECRET } }, keyId: 'k' };
    const { server, system, get } = await world(context, {}, { verification }, await sign('a', 5));
    assert.equal(await get('/a'), 200);
    for (const [bytes, said] of [
      [await policyBundle(allowing('b', 'r9')), /signature_missing/],
      [await sign('b', 9, randomBytes(32).toString('hex')), /signature_invalid/],
      [await sign('b', 4), /sequence_older/],
    ] as const) {
      const from = system.sidecar.log.length;
      server.offer(bytes);
      await system.sidecar.logged(said, from);
      assert.deepEqual([await get('/a'), await get('/b')], [200, 403]);
    }
    server.offer(await sign('b', 6));
    await system.sidecar.logged('the source is good again');
    assert.deepEqual([await get('/a'), await get('/b')], [403, 200]);
    assert.ok(!JSON.stringify(system.sidecar.log).includes(SECRET));
  });

  test('a server with a certificate of another authority: not spoken to, and nothing is allowed', async (context) => {
    const { server, system, get } = await world(
      context,
      { trustBundle: 'trust.pem' },
      {},
      await policyBundle(allowing('a', 'r1')),
    );
    assert.match((await ready(system.sidecar)).policy, /no authority that we believe/);
    assert.equal(await get('/a'), 503);
    assert.equal(server.received.length, 0);
  });

  test('a token that is not let in', async (context) => {
    const { server, system, get } = await world(context, {}, {}, await policyBundle(allowing('a', 'r1')));
    server.token = 'another';
    await system.sidecar.logged(/does not let us in; see token/);
    assert.equal(await get('/a'), 200);
  });
});

function signing(secret: string) {
  const key = createSigningKey('HS256', secret, { keyId: 'k' });
  assert.ok(key.ok);
  return key.value;
}
