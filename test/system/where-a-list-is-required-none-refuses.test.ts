import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { createAuthority } from '../support/pki.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import { closeOf, connectHttp1, get, openGrpcStream } from '../support/system-clients.ts';
import { ALLOW_ALL, startSystem, type System } from '../support/system.ts';

const MAX_LIST_BYTES = 8 * 1_048_576;

/** Faults of the connections that were refused so far. */
function refusals({ sidecar }: System): readonly (string | undefined)[] {
  return sidecar.records().flatMap(({ sallyport: { verdict, fault } }) => (verdict === 'deny' ? [fault] : []));
}

/** Connects as the ordinary peer, who is refused; the fault of the record. */
async function refusal(system: System): Promise<string | undefined> {
  const before = refusals(system).length;
  const peer = await connectRaw({ port: system.sidecar.port, tls: system.tls() });
  assert.equal(await peer.rest(), '', 'closed before a byte of a request');
  await system.sidecar.until('the record', () => refusals(system).length > before);
  assert.equal(refusals(system).length, before + 1);
  return refusals(system).at(-1);
}

async function start(context: TestContext, list: string, authority = createAuthority()): Promise<System> {
  const agent = await startEchoUpstream();
  context.after(agent.close);
  return startSystem(context, {
    authority,
    upstream: `auto://127.0.0.1:${agent.port}`,
    policy: ALLOW_ALL,
    identity: { revocationLists: ['lists.pem'], requireRevocationLists: true },
    files: { 'lists.pem': list },
  });
}

test('RFC 5280 6.3.3: a list that ends cuts what is open and refuses what comes, until a newer one is there', async (context) => {
  const authority = createAuthority();
  const endMs = Date.now() + 8_000;
  const system = await start(context, authority.crl({ number: 1n, nextUpdate: new Date(endMs) }).pem, authority);
  const kept = await connectHttp1(context, system);
  assert.equal((await get(kept, '/')).status, 200);
  const stream = await openGrpcStream(context, system);
  await Promise.all([kept.ended, closeOf(stream)]);
  assert.ok(Date.now() >= Math.floor(endMs / 1_000) * 1_000, 'not before its end');
  assert.equal(await refusal(system), 'peer_revocation_unknown');
  const cut = system.sidecar.records().filter(({ sallyport: { outcome } }) => outcome.kind === 'aborted');
  assert.deepEqual(
    cut.map(({ sallyport: { outcome } }) => outcome.fault),
    ['peer_revocation_unknown'],
  );

  await system.replace('lists.pem', authority.crl({ number: 2n }).pem);
  await system.sidecar.until('the newer list', async () => {
    const peer = await connectHttp1(context, system);
    return get(peer, '/').then(
      ({ status }) => status === 200,
      () => false,
    );
  });
});

test('a list of another issuer is no list of ours: all are refused', async (context) => {
  const authority = createAuthority();
  const stranger = createAuthority({ subject: 'Somebody else' });
  const foreign = stranger.crl({ number: 9n }).pem;
  const without = await start(context, foreign, authority);
  assert.equal(await refusal(without), 'peer_revocation_unknown');
});

test('a list that is huge, forged or cut off is refused by name, and the last good one stays in force', async (context) => {
  const authority = createAuthority();
  const revoked = authority.issue({ id: 'spiffe://example.org/gone' });
  const system = await start(context, authority.crl({ number: 5n, revoked: [revoked.serial] }).pem, authority);
  const kept = await connectHttp1(context, system);
  const good = authority.crl({ number: 6n }).pem;
  const bad: readonly (readonly [what: string, content: string])[] = [
    ['with a signature of another key', authority.crl({ number: 7n, breakSignature: true }).pem],
    ['cut off', good.slice(0, good.length - 60)],
    ['huge', `${good}${' '.repeat(MAX_LIST_BYTES * 2)}`],
  ];
  for (const [what, content] of bad) {
    const from = system.sidecar.log.length;
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await system.replace('lists.pem', content);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { msg } = await system.sidecar.logged(/lists\.pem|revocation list 1/, from);
    context.diagnostic(`${what}: ${msg}`);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    assert.equal((await get(kept, '/')).status, 200, what);
    const before = refusals(system).length;
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const gone = await connectRaw({ port: system.sidecar.port, tls: system.tls(revoked) });
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    assert.equal(await gone.rest(), '', what);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await system.sidecar.until('the record', () => refusals(system).length > before);
    assert.equal(refusals(system).at(-1), 'peer_certificate_revoked', what);
  }
});
