import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { TrustProblem } from '../../../src/core/identity/trust-store.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { createAuthority } from '../../support/pki.ts';
import type { AuthorityOptions } from '../../support/pki.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { codeOf, domain, HOUR, judge, NOW, trustIn } from './judging.ts';

const keys = createKeyPair();
const root = createAuthority({ keys });

const bundles = (
  ...entries: readonly (readonly [string, readonly Uint8Array[]])[]
): Map<TrustDomain, readonly Uint8Array[]> => new Map(entries.map(([name, bundle]) => [domain(name), bundle]));

function problemsOf(...args: Parameters<typeof createTrustStore>): readonly TrustProblem[] {
  const store = createTrustStore(...args);
  assert.ok(!store.ok, 'was made');
  return store.error;
}

/** The problem with an anchor of example.org that is right but for `options`. */
function problemWith(options: AuthorityOptions): string {
  const [problem, ...others] = problemsOf(
    bundles(['example.org', [createAuthority({ keys, ...options }).certificate.der]]),
  );
  assert.equal(others.length, 0);
  assert.equal(problem?.subject, 'trust bundle of example.org, certificate 1');
  return problem.detail;
}

test('X509-SVID 5.1: each ID is judged by the bundle of its own trust domain only', () => {
  const elsewhere = createAuthority({ trustDomain: 'elsewhere.org' });
  const trust = trustIn([root, elsewhere]);
  assert.equal(codeOf(judge(root.issue({ keys }).chain, trust)), 'identified');
  assert.equal(codeOf(judge(elsewhere.issue({ keys }).chain, trust)), 'identified');
  const foreign = elsewhere.issue({ keys, id: 'spiffe://example.org/admin' });
  assert.equal(codeOf(judge(foreign.chain, trust)), 'peer_chain_untrusted');
  const sameName = createAuthority({ trustDomain: 'elsewhere.org', subject: 'Root of example.org' });
  const disguised = sameName.issue({ keys, id: 'spiffe://example.org/admin' });
  assert.equal(codeOf(judge(disguised.chain, trustIn([root, sameName]))), 'peer_chain_untrusted');
});

test('X509-SVID 5.1: a trust domain without a bundle is unknown', () => {
  const foreign = createAuthority({ trustDomain: 'elsewhere.org' }).issue({ keys });
  assert.equal(codeOf(judge(foreign.chain, trustIn([root]))), 'peer_trust_domain_unknown');
  assert.equal(
    codeOf(judge(root.issue({ keys, id: 'spiffe://sub.example.org/a' }).chain, trustIn([root]))),
    'peer_trust_domain_unknown',
  );
});

test('an empty bundle lets nobody of its domain in', () => {
  const store = createTrustStore(bundles(['example.org', []]));
  assert.ok(store.ok);
  assert.equal(codeOf(judge(root.issue({ keys }).chain, store.value)), 'peer_chain_untrusted');
});

test('no bundles at all are a store that lets nobody in', () => {
  const store = createTrustStore(bundles());
  assert.ok(store.ok);
  assert.equal(codeOf(judge(root.issue({ keys }).chain, store.value)), 'peer_trust_domain_unknown');
});

test('an anchor must be a CA that may sign certificates', () => {
  assert.match(problemWith({ cA: false }), /cA is not set/);
  assert.match(problemWith({ cA: null }), /cA is not set/);
  assert.match(problemWith({ keyUsage: ['cRLSign'] }), /keyCertSign/);
});

test('an anchor without key usage is trusted by configuration', () => {
  const bare = createAuthority({ keys, keyUsage: null });
  assert.equal(codeOf(judge(bare.issue({ keys }).chain, trustIn([bare]))), 'identified');
});

test('an anchor with the ID of another trust domain, or of a workload, is a mistake', () => {
  assert.match(problemWith({ trustDomain: 'elsewhere.org' }), /SPIFFE ID of elsewhere.org/);
  assert.match(problemWith({ uris: ['spiffe://example.org/agent'] }), /with a path/);
});

test('an anchor with a weak key or an unknown critical extension is a mistake', () => {
  assert.match(problemWith({ keys: createKeyPair('rsa1024') }), /kind and size/);
  assert.match(
    problemWith({ extensions: [{ oid: '1.2.3', critical: true, value: Buffer.from([5, 0]) }] }),
    /critical extension 1\.2\.3/,
  );
});

test('an anchor that is expired is no mistake: it is judged when it is used', () => {
  const old = createAuthority({ keys, notBefore: new Date(NOW - 2 * HOUR), notAfter: new Date(NOW - HOUR) });
  const fresh = createAuthority({ keys: createKeyPair() });
  const trust = trustIn([old, fresh]);
  assert.equal(codeOf(judge(fresh.issue({ keys }).chain, trust)), 'identified');
  assert.equal(codeOf(judge(old.issue({ keys }).chain, trust)), 'peer_certificate_expired');
});

test('all mistakes are reported together, each with its place', () => {
  const leaf = root.issue({ keys }).der;
  const found = problemsOf(
    bundles(['example.org', [root.certificate.der, leaf, Buffer.from('x')]], ['elsewhere.org', [root.certificate.der]]),
    [root.crl().der, Buffer.from('x')],
  );
  assert.deepEqual(
    found.map(({ subject }) => subject),
    [
      'trust bundle of example.org, certificate 2',
      'trust bundle of example.org, certificate 3',
      'trust bundle of elsewhere.org, certificate 1',
      'revocation list 2',
    ],
  );
  assert.match(found[1]?.detail ?? '', /certificate/);
  assert.match(found[3]?.detail ?? '', /revocation list/);
});

const many = (bytes: Uint8Array): readonly Uint8Array[] => Array.from({ length: 257 }, () => bytes);

test('more than 256 anchors of a domain, or lists, are a mistake', () => {
  assert.match(problemsOf(bundles(['example.org', many(root.certificate.der)]))[0]?.detail ?? '', /more than 256/);
  assert.match(problemsOf(bundles(), many(root.crl().der))[0]?.detail ?? '', /more than 256/);
});

const revision = (...args: Parameters<typeof createTrustStore>): string => {
  const store = createTrustStore(...args);
  assert.ok(store.ok);
  return store.value.revision;
};

test('the revision follows from the content and nothing else', () => {
  const other = createAuthority();
  const base = revision(bundles(['example.org', [root.certificate.der]]));
  assert.match(base, /^[0-9a-f]{64}$/);
  assert.equal(revision(bundles(['example.org', [Uint8Array.from(root.certificate.der)]])), base);
  const list = root.crl().der;
  const different = [
    revision(bundles()),
    revision(bundles(['example.org', []])),
    revision(bundles(['example.org', [other.certificate.der]])),
    revision(bundles(['example.org', [root.certificate.der, other.certificate.der]])),
    revision(bundles(['example.org', [root.certificate.der]], ['elsewhere.org', []])),
    revision(bundles(['example.org', [root.certificate.der]]), [list]),
    revision(bundles(['example.org', [root.certificate.der]]), [list, list]),
  ];
  assert.equal(new Set([base, ...different]).size, different.length + 1);
});

test('what lists there are is told, for health and metrics', () => {
  const second = Math.floor(NOW / 1000) * 1000;
  const list = root.crl({ revoked: [1n, 2n], thisUpdate: new Date(second), nextUpdate: new Date(second + HOUR) });
  assert.deepEqual(trustIn([root], [list.der]).crls, [
    { issuer: 'CN=Root of example.org', thisUpdateMs: second, nextUpdateMs: second + HOUR, entries: 2, anchored: true },
  ]);
  const below = root.intermediate({ keys: createKeyPair() }).crl();
  assert.deepEqual(
    trustIn([root], [below.der]).crls.map(({ anchored }) => anchored),
    [false],
    'the list of an intermediate is checked when a path leads to it',
  );
});

test('promise 7: a list that is not signed by the anchor it names is refused, whatever would take its place', () => {
  const bundle = bundles(['example.org', [root.certificate.der]]);
  const unsigned = /^is not signed by CN=Root of example\.org, whom it names$/;
  const broken = root.crl({ breakSignature: true });
  const forged = createAuthority({ keys: createKeyPair() }).crl({ authorityKeyId: null });
  for (const { der } of [broken, forged]) {
    const [problem, ...others] = problemsOf(bundle, [root.crl().der, der]);
    assert.equal(problem?.subject, 'revocation list 2');
    assert.match(problem.detail, unsigned);
    assert.deepEqual(others, []);
  }
  const successor = createAuthority({ keys: createKeyPair() });
  const both = bundles(['example.org', [root.certificate.der, successor.certificate.der]]);
  for (const list of [root.crl({ authorityKeyId: null }), successor.crl({ authorityKeyId: null })]) {
    assert.ok(createTrustStore(both, [list.der]).ok, 'two anchors of one name: either may have signed');
  }
});

test('a store is a snapshot: changing what it was made of changes nothing', () => {
  const bytes = Uint8Array.from(root.certificate.der);
  const list = [bytes];
  const map = bundles(['example.org', list]);
  const store = createTrustStore(map);
  assert.ok(store.ok);
  bytes.fill(0);
  list.length = 0;
  map.clear();
  assert.equal(codeOf(judge(root.issue({ keys }).chain, store.value)), 'identified');
});

test('lists that a snapshot holds already are neither read nor checked again in the next one', () => {
  const below = root.intermediate({ keys: createKeyPair() });
  const [kept, gone, fresh] = [root.crl().der, below.crl({ number: 1n }).der, below.crl({ number: 2n }).der];
  const first = trustIn([root], [kept, gone]);
  const bundle = bundles(['example.org', root.bundle]);
  const second = createTrustStore(bundle, [fresh, Uint8Array.from(kept)], first);
  assert.ok(second.ok);
  assert.equal(second.value.lists[1], first.lists[0], 'taken over');
  assert.ok(!first.lists.includes(second.value.lists[0] as (typeof first.lists)[number]));
  const anew = createTrustStore(bundle, [fresh, kept]);
  assert.ok(anew.ok);
  assert.equal(second.value.revision, anew.value.revision);
  assert.deepEqual(second.value.crls, anew.value.crls);
});

test('promise 7: a list that was good is refused in the next snapshot where its issuer is another by then', () => {
  const list = root.crl({ authorityKeyId: null }).der;
  const first = trustIn([root], [list]);
  const impostor = createAuthority({ keys: createKeyPair() });
  const next = createTrustStore(bundles(['example.org', impostor.bundle]), [list], first);
  assert.match(next.ok ? '' : (next.error[0]?.detail ?? ''), /is not signed by CN=Root of example\.org/);
});
