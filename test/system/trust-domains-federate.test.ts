import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { formatSpiffeBundle } from '../../src/core/identity/spiffe-bundle.ts';
import { activateRoot, prepareRoot, retireRoot } from '../../src/io/authority/root-rotation.ts';
import { ISSUING, startAuthorityProcess, type AuthorityProcess } from '../support/authority-process.ts';
import { DAY, valueOf } from '../support/authority-world.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { enrolPeer } from '../support/enrolled-peer.ts';
import { identitiesOf } from '../support/living-sidecar.ts';
import { createAuthority, type Authority, type Issued } from '../support/pki.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import { startSidecar, type RawConfig, type SidecarProcess } from '../support/sidecar-process.ts';
import { connectHttp1, get, type Reachable } from '../support/system-clients.ts';
import { ALLOW_ALL, clientTls, policyBundle } from '../support/system.ts';
import { replaceFile, tempFolder, writeFiles } from '../support/temp-folder.ts';
import { TrustServer, webIdentity } from '../support/trust-server.ts';

const CALLER_ID = 'spiffe://example.org/caller';

/** Life of a list: a new CA issues when half of it has gone by, so that its first list is everywhere. */
const LIST = '10s';

type Federated = { readonly sidecar: SidecarProcess; readonly home: Authority; readonly system: Reachable };

/** A sidecar of `partner.test`, with an identity from files, that asks for the bundles of other trust domains. */
async function startPartner(
  context: TestContext,
  federation: RawConfig,
  put: (folder: string) => Promise<unknown>,
): Promise<Federated> {
  const folder = await tempFolder(context);
  const home = createAuthority({ trustDomain: 'partner.test' });
  const own = home.issue({ id: 'spiffe://partner.test/agent' });
  const agent = await startEchoUpstream();
  context.after(agent.close);
  await writeFiles(folder, {
    'own.pem': own.chainPem,
    'home.pem': home.bundlePem,
    'policy.tar.gz': await policyBundle(ALLOW_ALL),
  });
  await replaceFile(join(folder, 'own.key'), own.keyPem);
  await put(folder);
  const sidecar = await startSidecar(context, folder, {
    identity: {
      certificate: 'own.pem',
      privateKey: 'own.key',
      trustBundles: { 'partner.test': 'home.pem' },
      federation,
    },
    inbound: [{ listen: '127.0.0.1:0', upstream: `http://127.0.0.1:${agent.port}` }],
    policy: { bundle: 'policy.tar.gz', decision: 'test/authz/decision' },
    journal: ['file:records.ndjson'],
  });
  const tls: Reachable['tls'] = (issued, alpn = 'http/1.1') => clientTls(home, issued, alpn);
  return { sidecar, home, system: { sidecar, tls } };
}

/** A certificate of a trust domain, as somebody who is no peer of ours would make it. */
function forged(by: Authority, id = CALLER_ID): Issued {
  return by.issue({ id });
}

/** Fault of the one record that a connection of `peer` leaves, when it is closed before a byte of a request is read. */
async function refusalOf({ sidecar, system }: Federated, peer: Issued): Promise<string | undefined> {
  const refused = (): readonly (string | undefined)[] =>
    sidecar.records().flatMap(({ sallyport: { verdict, fault } }) => (verdict === 'deny' ? [fault] : []));
  const before = refused().length;
  const raw = await connectRaw({ port: sidecar.port, tls: system.tls(peer) });
  assert.equal(await raw.rest(), '');
  await sidecar.until('its record', () => refused().length > before);
  assert.equal(refused().length, before + 1);
  return refused().at(-1);
}

/** Asks again for all that may change, and waits until another trust is in force. */
async function newTrust(sidecar: SidecarProcess): Promise<void> {
  const before = identitiesOf(sidecar).length;
  sidecar.signal('SIGHUP');
  await sidecar.until('the new trust', () => identitiesOf(sidecar).length > before);
}

test('https_spiffe: peers of a running authority call a sidecar of another trust domain, through a change of root', async (context) => {
  const authority = await startAuthorityProcess(context, { list: LIST });
  const endpoint = { url: `${authority.url}/v1/bundle`, profile: 'https_spiffe', id: authority.id };
  const partner = await startPartner(context, { 'example.org': { ...endpoint, trustBundle: 'theirs.pem' } }, (folder) =>
    copyFile(authority.rootsFile, join(folder, 'theirs.pem')),
  );
  const { sidecar, home, system } = partner;
  const { store, deps } = authority;
  const first = await enrolPeer(authority, CALLER_ID);
  const kept = await connectHttp1(context, system, first);
  assert.equal((await get(kept, '/')).status, 200);
  const [record] = await sidecar.recordsFrom(0, 1);
  assert.deepEqual([record?.sallyport.peer, record?.sallyport.verdict], [CALLER_ID, 'allow']);

  // Bundles are never pooled: neither side's roots vouch for the other's names.
  assert.equal(await refusalOf(partner, forged(home)), 'peer_chain_untrusted');
  const third = createAuthority({ trustDomain: 'third.test' });
  assert.equal(await refusalOf(partner, forged(third, 'spiffe://third.test/x')), 'peer_trust_domain_unknown');

  valueOf(await prepareRoot(store, { keyKind: 'p256', ttlMs: 30 * DAY }, deps));
  await untilPublished(authority, 2);
  await newTrust(sidecar);
  valueOf(await activateRoot(store, { issuing: ISSUING, overlapMs: 0 }, deps));
  const second = await sidecar.until('a certificate under the new root', async () => {
    const peer = await enrolPeer(authority, CALLER_ID);
    return peer.chain[1] !== undefined && !Buffer.from(peer.chain[1]).equals(first.chain[1] ?? Buffer.of()) && peer;
  });
  const other = await connectHttp1(context, system, second);
  assert.equal((await get(other, '/')).status, 200, 'one of the second root');
  assert.equal((await get(kept, '/')).status, 200, 'one of the first root goes on');

  valueOf(await retireRoot(store, { state: 'retiring', force: true }, deps));
  await untilPublished(authority, 1);
  await newTrust(sidecar);
  await kept.ended;
  assert.equal((await get(other, '/')).status, 200);
  assert.equal(await refusalOf(partner, first), 'peer_chain_untrusted');
});

/** Waits until the authority publishes that many roots. */
async function untilPublished(authority: AuthorityProcess, roots: number): Promise<void> {
  let published = await authority.trust();
  while (published.roots !== roots) {
    // oxlint-disable-next-line no-await-in-loop -- a long poll
    published = await authority.trust(published);
  }
}

test('https_web: the bundle of a web server lets its trust domain in; one that lies changes nothing', async (context) => {
  const { issued, authorityPem } = webIdentity();
  const server = await new TrustServer(issued).start(context);
  const theirs = createAuthority({ trustDomain: 'web-partner.test' });
  const id = 'spiffe://web-partner.test/caller';
  server.offer('/bundle', formatSpiffeBundle(theirs.bundle, { sequence: 5, refreshHintSeconds: 300 }));
  const endpoint = { url: server.url('/bundle'), profile: 'https_web', trustBundle: 'web.pem' };
  const partner = await startPartner(context, { 'web-partner.test': endpoint }, (folder) =>
    writeFiles(folder, { 'web.pem': authorityPem }),
  );
  const { sidecar, system } = partner;
  const kept = await connectHttp1(context, system, forged(theirs, id));
  assert.equal((await get(kept, '/')).status, 200);

  const impostor = createAuthority({ trustDomain: 'web-partner.test' });
  const lies: readonly (readonly [what: string, content: string, said: RegExp])[] = [
    ['an older bundle', formatSpiffeBundle(impostor.bundle, { sequence: 4, refreshHintSeconds: 300 }), /sequence/],
    ['no bundle', '{"keys": "none"}', /federation of web-partner\.test/],
  ];
  for (const [what, content, said] of lies) {
    const from = sidecar.log.length;
    server.offer('/bundle', content);
    sidecar.signal('SIGHUP');
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { msg } = await sidecar.logged(said, from);
    context.diagnostic(`${what}: ${msg}`);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    assert.equal((await get(kept, '/')).status, 200, what);
  }
  assert.equal(await refusalOf(partner, forged(impostor, id)), 'peer_chain_untrusted');
  assert.equal(
    server.connections.some(({ certified }) => certified),
    false,
    'our identity is shown to no web server',
  );
});
