import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { followIdentity } from '../../../src/app/identity.ts';
import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { IdentitySettings } from '../../../src/core/config/identity-settings.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { formatSpiffeBundle } from '../../../src/core/identity/spiffe-bundle.ts';
import type { IdentitySnapshot } from '../../../src/io/sources/identity-source.ts';
import type { Source } from '../../../src/io/sources/follower.ts';
import { head, inOrder, messages, startFakeWorkloadApi } from '../../support/fake-workload-api/fake.ts';
import { encodeSvids, svidFields } from '../../support/fake-workload-api/messages.ts';
import { createAuthority, type Authority } from '../../support/pki.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';
import { TrustServer } from '../../support/trust-server.ts';

/** Roots without a SPIFFE ID of their own, as X509-SVID 4.1 lets them be: nothing in them says whose they are. */
const unnamed = (trustDomain: string): Authority => createAuthority({ trustDomain, uris: [] });

const own = unnamed('example.org');
const partner = unnamed('partner.example');
const hub = unnamed('hub.example');

const ENDPOINT = 'spiffe://hub.example/bundles' as SpiffeId;

/** A started identity from files that federates `partner.example`. Nothing listens at the default URL. */
async function federating(
  context: TestContext,
  over: Partial<IdentitySettings['federation'][string]>,
  lists: Readonly<Record<string, string>> = {},
  keys: Partial<IdentitySettings> = {},
): Promise<Source<IdentitySnapshot>> {
  const folder = await tempFolder(context);
  const { chainPem, keyPem } = own.issue();
  await writeFiles(folder, {
    'own.pem': chainPem,
    'own.key': keyPem,
    'example.org.pem': own.bundlePem,
    'partner.pem': partner.bundlePem,
    'hub.pem': hub.bundlePem,
    ...lists,
  });
  await chmod(join(folder, 'own.key'), 0o600);
  const { trustBundle = 'hub.pem', url = 'https://127.0.0.1:1/bundle', ...rest } = over;
  const source = followIdentity({
    source: 'files',
    certificate: join(folder, 'own.pem'),
    privateKey: join(folder, 'own.key'),
    passphrase: undefined,
    trustBundles: { 'example.org': join(folder, 'example.org.pem') },
    federation: {
      'partner.example': {
        url,
        profile: 'https_spiffe',
        id: ENDPOINT,
        ...rest,
        trustBundle: join(folder, trustBundle),
      },
    },
    revocationLists: Object.keys(lists).map((name) => join(folder, name)),
    revocationListUrls: [],
    requireRevocationLists: false,
    ...(keys.persist !== undefined && { persist: keys.persist }),
  });
  context.after(() => source.stop());
  await source.start();
  return source;
}

/** What our rules say of a leaf of `partner.example` that `signer` made. */
function verdictOn(source: Source<IdentitySnapshot>, signer: Authority): string {
  const { trust } = source.current ?? assert.fail(source.problem?.join('\n') ?? 'no identity');
  const { chain } = signer.issue({ id: 'spiffe://partner.example/agent' });
  const verdict = verifyPeer(chain, trust, Date.now(), { purpose: 'client', requireCrl: false });
  return verdict.kind === 'rejected' ? verdict.fault.code : verdict.kind;
}

test('SPIFFE Federation 5.2.2: roots that prove an endpoint of another trust domain vouch for nobody of the federated one', async (context) => {
  const source = await federating(context, {});
  assert.equal(verdictOn(source, hub), 'peer_trust_domain_unknown');
});

test('SPIFFE Federation 5.2.2: the bundle of the federated trust domain itself is in force until one was fetched', async (context) => {
  const source = await federating(context, {
    id: 'spiffe://partner.example/bundles' as SpiffeId,
    trustBundle: 'partner.pem',
  });
  assert.equal(verdictOn(source, partner), 'identified');
});

test('an endpoint of another trust domain gives the bundle of the federated one', async (context) => {
  const server = await new TrustServer(hub.issue({ id: ENDPOINT })).start(context);
  server.offer('/bundle', formatSpiffeBundle(partner.bundle, { sequence: 1, refreshHintSeconds: 60 }), {});
  const source = await federating(context, { url: server.url('/bundle') });
  assert.equal(verdictOn(source, partner), 'identified');
  assert.equal(verdictOn(source, hub), 'peer_chain_untrusted');
});

test('SPIFFE Federation 5.2.2: an endpoint whose certificate is revoked gives no bundle', async (context) => {
  const leaf = hub.issue({ id: ENDPOINT });
  const server = await new TrustServer(leaf).start(context);
  server.offer('/bundle', formatSpiffeBundle(partner.bundle, { sequence: 1, refreshHintSeconds: 60 }), {});
  const { pem } = hub.crl({ revoked: [leaf.serial] });
  const source = await federating(context, { url: server.url('/bundle') }, { 'hub.crl': pem });
  assert.equal(verdictOn(source, partner), 'peer_trust_domain_unknown');
  assert.match(source.problem?.join() ?? '', /federation of partner\.example: .*peer_certificate_revoked/);
});

test('a trust domain that the configuration names a place for has its bundle from there alone, also while that gave none', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'hub.pem': hub.bundlePem });
  const impostor = unnamed('partner.example');
  const leaf = own.issue();
  const message = encodeSvids({
    svids: [svidFields(own, leaf, 'spiffe://example.org/agent')],
    federated_bundles: {
      'spiffe://partner.example': Buffer.concat(impostor.bundle),
      'spiffe://hub.example': Buffer.concat(impostor.bundle),
      'spiffe://third.example': Buffer.concat(impostor.bundle),
    },
  });
  const fake = await startFakeWorkloadApi(context, inOrder(head(), messages(message)));
  const source = followIdentity({
    source: 'workload-api',
    workloadApi: { socket: fake.socket },
    trustBundles: { 'hub.example': join(folder, 'hub.pem') },
    federation: { 'partner.example': { url: 'https://127.0.0.1:1/bundle', profile: 'https_web' } },
    revocationLists: [],
    revocationListUrls: [],
    requireRevocationLists: false,
  });
  context.after(() => source.stop());
  await source.start();
  const { trust } = source.current ?? assert.fail(source.problem?.join('\n') ?? 'no identity');
  assert.deepEqual([...trust.anchors.keys()].toSorted(), ['example.org', 'hub.example', 'third.example']);
  const [anchor] = trust.anchors.get('hub.example' as TrustDomain) ?? [];
  assert.equal(Buffer.from(anchor?.certificate.der ?? []).equals(Buffer.from(hub.certificate.der)), true);
});

test('a Workload API cannot say who proves the endpoint of a trust domain that the configuration federates', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'partner.pem': partner.bundlePem });
  const impostor = unnamed('partner.example');
  const id = 'spiffe://partner.example/bundles' as SpiffeId;
  const message = encodeSvids({
    svids: [svidFields(own, own.issue(), 'spiffe://example.org/agent')],
    federated_bundles: { 'spiffe://partner.example': Buffer.concat(impostor.bundle) },
  });
  for (const [issuer, served, expected] of [
    [impostor, impostor, partner],
    [partner, hub, hub],
  ] as const) {
    const fake = await startFakeWorkloadApi(context, inOrder(head(), messages(message)));
    const server = await new TrustServer(issuer.issue({ id })).start(context);
    server.offer('/bundle', formatSpiffeBundle(served.bundle, { sequence: 1, refreshHintSeconds: 60 }), {});
    const source = followIdentity({
      source: 'workload-api',
      workloadApi: { socket: fake.socket },
      trustBundles: {},
      federation: {
        'partner.example': {
          url: server.url('/bundle'),
          profile: 'https_spiffe',
          id,
          trustBundle: join(folder, 'partner.pem'),
        },
      },
      revocationLists: [],
      revocationListUrls: [],
      requireRevocationLists: false,
    });
    context.after(() => source.stop());
    await source.start();
    // The first question may have gone out before the Workload API said anything.
    await source.reload();
    assert.equal(verdictOn(source, expected), 'identified');
  }
});

test('what was fetched is kept where `persist` says, for a restart while the endpoint is away', async (context) => {
  const persist = await tempFolder(context);
  const server = await new TrustServer(hub.issue({ id: ENDPOINT })).start(context);
  server.offer('/bundle', formatSpiffeBundle(partner.bundle, { sequence: 1, refreshHintSeconds: 60 }), {});
  const url = server.url('/bundle');
  const first = await federating(context, { url }, {}, { persist });
  assert.equal(verdictOn(first, partner), 'identified');
  first.stop();
  server.offer('/bundle', 'nothing any more', {});
  assert.equal(verdictOn(await federating(context, { url }, {}, { persist }), partner), 'identified');
  assert.equal(verdictOn(await federating(context, { url }), partner), 'peer_trust_domain_unknown', 'without it, not');
});
