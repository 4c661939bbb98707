import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { createAuthority } from '../support/pki.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import { connectHttp1, get, openEverything } from '../support/system-clients.ts';
import { ALLOW_ALL, CALLER_ID, startSystem, type System } from '../support/system.ts';

import type { TestContext } from 'node:test';
import type { FaultCode } from '../../src/core/model/faults.ts';

type Change = readonly [
  title: string,
  code: FaultCode,
  change: (system: System, serial: bigint) => Promise<void>,
  back: (system: System) => Promise<void>,
];

const SUCCESSOR = createAuthority();
const emptyList =
  (number: bigint) =>
  (system: System): Promise<void> =>
    system.replace('lists.pem', system.authority.crl({ number }).pem);

const CHANGES: readonly Change[] = [
  [
    'a revocation list that names it, noticed by itself',
    'peer_certificate_revoked',
    (system, serial) => system.replace('lists.pem', system.authority.crl({ revoked: [serial], number: 2n }).pem),
    emptyList(3n),
  ],
  [
    'a revocation list that names it, on SIGHUP',
    'peer_certificate_revoked',
    async (system, serial) => {
      await system.replace('lists.pem', system.authority.crl({ revoked: [serial], number: 4n }).pem);
      system.sidecar.signal('SIGHUP');
    },
    emptyList(5n),
  ],
];

async function cut(context: TestContext, system: System, [title, code, change, back]: Change): Promise<void> {
  await context.test(`${title}: ${code}`, { timeout: 30_000 }, async (context) => {
    const { sidecar, authority } = system;
    const peer = authority.issue({ id: CALLER_ID });
    const bystander = await connectHttp1(context, system);
    const before = sidecar.records().length;
    const open = await openEverything(context, system, peer);

    const changedAt = performance.now();
    await change(system, peer.serial);
    await Promise.all(open.map((thing) => thing.ended));
    context.diagnostic(`cut ${Math.round(performance.now() - changedAt)} ms after the change`);

    const records = await sidecar.recordsFrom(before, open.length);
    assert.deepEqual(
      records.map(({ sallyport }) => [sallyport.outcome.kind, sallyport.outcome.fault]),
      open.map(() => ['aborted', code]),
    );
    assert.equal((await get(bystander, '/')).status, 200, 'another connection goes on');
    const again = await connectRaw({ port: sidecar.port, tls: system.tls(peer) });
    again.send('GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n');
    assert.equal(await again.rest(), '', 'and it is not let in again');
    const [, refused, ...more] = await sidecar.recordsFrom(before + open.length, 2);
    assert.equal(refused?.sallyport.fault, code);
    assert.deepEqual(more, []);
    const changes = await sidecar.metric('sallyport_reloads_total{kind="identity",result="ok"}');
    await back(system);
    await sidecar.until('the list to be back', async () => {
      return ((await sidecar.metric('sallyport_reloads_total{kind="identity",result="ok"}')) ?? 0) > (changes ?? 0);
    });
  });
}

test('a peer is cut on every open connection when it becomes unacceptable', { timeout: 90_000 }, async (context) => {
  const upstream = await startEchoUpstream();
  context.after(upstream.close);
  const authority = createAuthority();
  const system = await startSystem(context, {
    authority,
    upstream: `auto://127.0.0.1:${upstream.port}`,
    policy: ALLOW_ALL,
    identity: { revocationLists: ['lists.pem'] },
    files: { 'lists.pem': authority.crl({ number: 1n }).pem },
  });
  for (const change of CHANGES) await cut(context, system, change);

  await context.test('a trust bundle without its authority: everybody of that authority goes', async (context) => {
    const before = system.sidecar.records().length;
    const open = await openEverything(context, system);
    await system.replace('trust.pem', SUCCESSOR.bundlePem);
    // Our own certificate is of the old authority: nothing comes into force before it is replaced too.
    const own = SUCCESSOR.issue({ id: 'spiffe://example.org/agent' });
    await system.replace('lists.pem', SUCCESSOR.crl({ number: 1n }).pem);
    await system.replace('own.key', own.keyPem);
    await system.replace('own.pem', own.chainPem);
    await Promise.all(open.map((thing) => thing.ended));
    const records = await system.sidecar.recordsFrom(before, open.length);
    assert.deepEqual(
      records.map(({ sallyport }) => [sallyport.outcome.kind, sallyport.outcome.fault]),
      open.map(() => ['aborted', 'peer_chain_untrusted']),
    );
    const successor = SUCCESSOR.issue({ id: CALLER_ID });
    const tls = { ...system.tls(successor), ca: SUCCESSOR.bundlePem };
    const peer = await connectRaw({ port: system.sidecar.port, tls });
    assert.equal((await get(peer, '/')).status, 200, 'and those of the new one come');
    peer.close();
  });
});
