import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test, type TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';

import { readCsr } from '../../src/core/issuance/csr.ts';
import { DATABASE_FILE } from '../../src/io/authority/authority-store.ts';
import { startAuthorityProcess } from '../support/authority-process.ts';
import { valueOf } from '../support/authority-world.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import {
  certificatesOf,
  identitiesOf,
  livingFolder,
  putToken,
  startLiving,
  startWaiting,
  type LivingFolder,
} from '../support/living-sidecar.ts';
import { says, startLyingAuthority, type LyingAuthority } from '../support/lying-authority.ts';
import { createAuthority, type Authority, type LeafOptions } from '../support/pki.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import type { SidecarProcess } from '../support/sidecar-process.ts';
import { closeOf, connectHttp1, get, openGrpcStream, type Reachable } from '../support/system-clients.ts';
import { clientTls } from '../support/system.ts';
import { tempFolder, writeFiles } from '../support/temp-folder.ts';

const ID = 'spiffe://example.org/researcher';

/** The shortest life that an authority issues for: renewals and ends can be waited for. */
const SHORT = '10s';

const TOKEN_FILE = 'join.token';

/** What `/readyz` says of the identity. */
async function identityOf(sidecar: SidecarProcess): Promise<{ readonly ready: boolean; readonly said: string }> {
  const { status, text } = await sidecar.admin('/readyz');
  return { ready: status === 200, said: text };
}

async function upstreamOf(context: TestContext): Promise<string> {
  const agent = await startEchoUpstream();
  context.after(agent.close);
  return `auto://127.0.0.1:${agent.port}`;
}

/** Not ready, and `/readyz` says why. */
async function assertShut(sidecar: SidecarProcess, why: RegExp): Promise<void> {
  const { ready, said } = await identityOf(sidecar);
  assert.equal(ready, false);
  assert.match(said, /no identity is in force/);
  assert.match(said, why);
  assert.ok(sidecar.isRunning, 'it goes on trying');
}

/** The same before the first identity: nobody can call it yet. */
async function assertWaits(sidecar: SidecarProcess, why: RegExp): Promise<void> {
  await assertShut(sidecar, why);
  assert.equal(sidecar.log.filter(({ msg }) => msg === 'listening').length, 0);
}

/** Waits until it listens; it has an identity from then on. */
async function untilReady(sidecar: SidecarProcess): Promise<void> {
  await sidecar.logged('listening');
  await sidecar.until('readiness', async () => (await identityOf(sidecar)).ready);
}

// These wait most of the time, for renewals and ends: side by side they take as long as the longest.
describe('an agent gets its identity by itself', { concurrency: true, timeout: 90_000 }, () => {
  test('a token is needed once: renewal and a restart with `keep` need none', async (context) => {
    const authority = await startAuthorityProcess(context, { leaf: SHORT });
    const upstream = await upstreamOf(context);
    const living = await livingFolder(context, authority, { id: ID, upstream, authority: { keep: 'kept' } });
    const first = await startLiving(context, living);
    await rm(join(living.folder, TOKEN_FILE));
    await first.until('a renewal', () => certificatesOf(first) === 2);
    assert.equal(await first.stop(), 0);

    const second = await startLiving(context, living);
    assert.equal(identitiesOf(second)[0]?.['spiffe_id'], ID);
    assert.equal(second.log.filter(({ level }) => level >= 50).length, 0, 'nothing went wrong');
    await second.until('one more renewal', () => certificatesOf(second) === 2);
    const log = (await authority.issuanceLog()).split('\n').filter((line) => line.startsWith('{"event":"issued"'));
    const byToken = log.filter((line) => line.includes('"join-token"'));
    assert.equal(byToken.length, 1, 'one enrolment for both lives');
  });

  test('a restart without `keep` and with a used token: said plainly, waits, takes a fresh token', async (context) => {
    const authority = await startAuthorityProcess(context);
    const upstream = await upstreamOf(context);
    const living = await livingFolder(context, authority, { id: ID, upstream });
    const first = await startLiving(context, living);
    assert.equal(await first.stop(), 0);

    const second = await startWaiting(context, living);
    await second.logged(/the authority refused the join token of .*join\.token.*put a new one there/);
    await assertWaits(second, /put a new one there/);
    await putToken(living.folder, authority.token(ID));
    second.signal('SIGHUP');
    await untilReady(second);
  });

  test('an authority that is down at the start is waited for', async (context) => {
    const authority = await startAuthorityProcess(context, { started: false });
    const upstream = await upstreamOf(context);
    const sidecar = await startWaiting(context, await livingFolder(context, authority, { id: ID, upstream }));
    await sidecar.logged(/enrolment: nothing listens there/);
    await assertWaits(sidecar, /nothing listens there/);
    await authority.start();
    await untilReady(sidecar);
    await sidecar.logged('the source is good again');
  });

  test('an authority whose state cannot be written gives nothing away and is asked again', async (context) => {
    const authority = await startAuthorityProcess(context);
    const upstream = await upstreamOf(context);
    const living = await livingFolder(context, authority, { id: ID, upstream });
    // A full disk has its test where one can be had; what a sidecar hears is the same for all that keeps a store from writing.
    const other = new DatabaseSync(join(authority.folder, DATABASE_FILE));
    context.after(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    const sidecar = await startWaiting(context, living);
    await sidecar.logged(/enrolment: the authority cannot answer now \(503\)/);
    await assertWaits(sidecar, /cannot answer now/);
    assert.ok(
      authority.log.some((entry) => JSON.stringify(entry).includes('store_unavailable')),
      authority.story(),
    );
    other.exec('ROLLBACK');
    await untilReady(sidecar);
  });

  test('an authority that is down: the last good identity until its own end, never beyond, and back by itself', async (context) => {
    const authority = await startAuthorityProcess(context, { leaf: SHORT });
    // A peer whose certificate does not end meanwhile.
    const partner = createAuthority({ trustDomain: 'partner.test' });
    const caller = partner.issue({ id: 'spiffe://partner.test/caller' });
    const identity = { trustBundles: { 'partner.test': 'partner.pem' } };
    const living = await livingFolder(context, authority, { id: ID, upstream: await upstreamOf(context), identity });
    await writeFiles(living.folder, { 'partner.pem': partner.bundlePem });
    const sidecar = await startLiving(context, living);
    const roots = { bundlePem: await readFile(authority.rootsFile, 'utf8') };
    const system: Reachable = { sidecar, tls: (issued = caller, alpn = 'http/1.1') => clientTls(roots, issued, alpn) };

    await authority.kill();
    // What proves it again when the certificate has ended: a token that was not used.
    await putToken(living.folder, authority.token(ID));
    await sidecar.logged(/renewal: nothing listens there/);
    assert.ok((await identityOf(sidecar)).ready, 'what it has is good still');
    const kept = await connectHttp1(context, system);
    assert.equal((await get(kept, '/')).status, 200);
    const stream = await openGrpcStream(context, system);

    const lost = await sidecar.logged('no identity is in force');
    assert.match(String(lost['reason']), /expired/);
    await Promise.all([kept.ended, closeOf(stream)]);
    const end = Date.parse(String(identitiesOf(sidecar).at(-1)?.['not_after']));
    assert.ok(Date.parse(String(lost['time'])) >= end, 'not given up before its end');
    await assertShut(sidecar, /our certificate expired|nothing listens there/);
    // Its certificate has ended, and says so to whoever asks.
    const late = await connectRaw({ port: sidecar.port, tls: { ...system.tls(), rejectUnauthorized: false } });
    late.send('GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n');
    assert.equal(await late.rest(), '', 'nobody is let in without an identity');
    const [, cut, refused, ...more] = await sidecar.recordsFrom(0, 3);
    assert.deepEqual([cut?.sallyport.outcome.kind, cut?.sallyport.outcome.fault], ['aborted', 'identity_unavailable']);
    assert.deepEqual([refused?.sallyport.fault, more], ['identity_unavailable', []]);

    await authority.start();
    await sidecar.until('readiness', async () => (await identityOf(sidecar)).ready);
    assert.equal((await get(await connectHttp1(context, system), '/')).status, 200);
  });

  test('an authority that lies is refused by name, and what was good before stays', liesAreRefused);
});

/** A whole POST of a certificate request; the public key that it is for. */
async function keyIn(socket: TLSSocket, begun: string): Promise<Uint8Array> {
  let text = begun;
  for (;;) {
    const [head = '', body = ''] = text.split('\r\n\r\n');
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
    if (body.length >= length) {
      const { csr } = JSON.parse(body) as { csr: string };
      return valueOf(readCsr(Uint8Array.fromBase64(csr))).spki;
    }
    const [more] = (await once(socket, 'data')) as [string];
    text += more;
  }
}

/** `forThatKey`: false for a key of somebody else. `by`: another root than the one that is believed. */
type Leaf = LeafOptions & { readonly forThatKey?: boolean; readonly by?: Authority };

/** Answers every request for a certificate with one of these options for the key that was asked for, and lets every long poll wait. */
function answerWith(lying: LyingAuthority, options: Leaf, changed: object = {}): void {
  const { root } = lying;
  const { forThatKey = true, by = root, ...leaf } = options;
  lying.lie = (socket, begun) => {
    if (!begun.startsWith('POST /v1/svid')) return;
    void keyIn(socket, begun).then((rawSpki) => {
      const { chain, notAfter } = by.issue({ id: ID, ...(forThatKey && { rawSpki }), ...leaf });
      const trust = { revision: 'r1', bundles: { 'example.org': [root.certificate.der.toBase64()] }, crls: [] };
      const answer = { spiffe_id: options.id ?? ID, chain: chain.map((der) => der.toBase64()), trust };
      says(200, JSON.stringify({ ...answer, not_after: notAfter.toISOString(), ...changed }))(socket, begun);
    });
  };
}

const HOUR = 3_600_000;

/** What an authority may say that is not so, and how the sidecar calls it. */
const LIES: readonly (readonly [title: string, options: Leaf, changed: object, said: RegExp])[] = [
  ['another key', { forThatKey: false }, {}, /private key is not that of the certificate/],
  ['not yet valid', { notBefore: new Date(Date.now() + HOUR) }, {}, /not valid before/],
  [
    'ended already',
    { notAfter: new Date(Date.now() - HOUR), notBefore: new Date(Date.now() - 2 * HOUR) },
    {},
    /expired/i,
  ],
  [
    'a chain of another root',
    { by: createAuthority({ subject: 'Another root' }) },
    {},
    /no authority|issuer|trust bundle/,
  ],
  ['an ID of another trust domain', { id: 'spiffe://elsewhere.test/researcher' }, {}, /elsewhere\.test/],
  [
    'a certificate for another ID than it says',
    { id: 'spiffe://example.org/somebody-else' },
    { spiffe_id: ID },
    /certificate is for spiffe:\/\/example\.org\/somebody-else, and the answer says another ID/,
  ],
  ['a CA', { cA: true, keyUsage: ['keyCertSign'] }, {}, /leaf: cA is set/],
];

async function liesAreRefused(context: TestContext): Promise<void> {
  const lying = await startLyingAuthority(context);
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'roots.pem': lying.root.bundlePem });
  const authority = { url: lying.url, id: lying.id, rootsFile: join(folder, 'roots.pem'), token: () => 'any' };
  const living: LivingFolder = await livingFolder(context, authority, { id: ID, upstream: await upstreamOf(context) });
  const [first, ...others] = LIES;
  assert.ok(first !== undefined);
  answerWith(lying, first[1], first[2]);
  const sidecar = await startWaiting(context, living);
  await sidecar.logged(heard(first[3]));
  for (const [title, options, changed, said] of others) {
    const from = sidecar.log.length;
    answerWith(lying, options, changed);
    sidecar.signal('SIGHUP');
    const { msg } = await sidecar.logged(heard(said), from);
    context.diagnostic(`${title}: ${msg}`);
  }
  await assertWaits(sidecar, /refused what the authority sent/);

  const from = sidecar.log.length;
  answerWith(lying, { notAfter: new Date(Date.now() + 8_000) });
  sidecar.signal('SIGHUP');
  await untilReady(sidecar);
  const other = 'spiffe://example.org/somebody-else';
  answerWith(lying, { id: other });
  await sidecar.logged(
    new RegExp(`renewal: refused what the authority sent: .*certificate is for ${other}, and we are ${ID}`),
    from,
  );
  assert.ok((await identityOf(sidecar)).ready, 'the last good one stays');
  answerWith(lying, {});
  await sidecar.until('an honest renewal', () => certificatesOf(sidecar) === 2);
  assert.deepEqual([...new Set(identitiesOf(sidecar).map((entry) => entry['spiffe_id']))], [ID]);
}

function heard(said: RegExp): RegExp {
  return new RegExp(`enrolment: refused what the authority sent: .*(?:${said.source})`, said.flags);
}
