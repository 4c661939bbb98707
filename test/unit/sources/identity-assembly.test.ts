import assert from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { test } from 'node:test';

import fc from 'fast-check';

import { createIdentityAssembly } from '../../../src/io/sources/identity-assembly.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { createDrivenPart } from '../../support/driven-part.ts';
import { OID } from '../../support/pki-certificate.ts';
import { createAuthority } from '../../support/pki.ts';

import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { Source } from '../../../src/io/sources/follower.ts';
import type { AssemblyDeps } from '../../../src/io/sources/identity-assembly.ts';
import type { IdentityPart, OwnPart } from '../../../src/io/sources/identity-part.ts';
import type { IdentitySnapshot } from '../../../src/io/sources/identity-snapshot.ts';
import type { Problems } from '../../../src/io/sources/problem.ts';
import type { DrivenPart } from '../../support/driven-part.ts';
import type { Authority, Issued } from '../../support/pki.ts';

const NOW = Date.now();
const HOUR = 3_600_000;
const home = createAuthority();
const partner = createAuthority({ trustDomain: 'partner.example' });
const agent = home.issue({ id: 'spiffe://example.org/agent', notAfter: new Date(NOW + HOUR / 6) });

function ownOf(leaf: Issued): OwnPart {
  return { chain: leaf.chain, privateKey: leaf.privateKey };
}

function bundlesOf(...authorities: readonly Authority[]): ReadonlyMap<TrustDomain, readonly Uint8Array[]> {
  const bundles = new Map<TrustDomain, readonly Uint8Array[]>();
  for (const { trustDomain, bundle } of authorities) {
    const domain = trustDomain as TrustDomain;
    bundles.set(domain, [...(bundles.get(domain) ?? []), ...bundle]);
  }
  return bundles;
}

/** What a sound authority brings. */
const SOUND: Partial<IdentityPart> = { own: ownOf(agent), bundles: bundlesOf(home) };

/** The ID in force, without its trust domain. */
function pathOf({ current }: Source<IdentitySnapshot>): string | undefined {
  return current?.own.path;
}

function assemblyOf(parts: readonly DrivenPart[], deps: Partial<AssemblyDeps> = {}) {
  const clock = createDrivenClock(NOW);
  const told: (Problems | undefined)[] = [];
  const changes: string[] = [];
  const lost: string[] = [];
  const source = createIdentityAssembly(
    parts.map(({ named }) => named),
    {
      clock,
      timer: clock.timer,
      onChange: ({ revision }) => changes.push(revision),
      onProblem: (problem) => told.push(problem),
      onLost: (reason) => lost.push(reason),
      ...deps,
    },
  );
  return { source, clock, told, changes, lost };
}

/** One part that brings certificate and trust, and one more; both started. */
async function world(deps: Partial<AssemblyDeps> = {}) {
  const main = createDrivenPart('authority', { required: true });
  const other = createDrivenPart('federation');
  main.bring(SOUND);
  const assembly = assemblyOf([main, other], deps);
  await assembly.source.start();
  return { main, other, ...assembly };
}

test('parts are one snapshot: own identity, trust of all parts, PEM for the TLS library, told once', async () => {
  const main = createDrivenPart('authority');
  const other = createDrivenPart('federation');
  main.bring({ ...SOUND, warnings: ['mend this'] });
  other.bring({ bundles: bundlesOf(partner), crls: [home.crl().der] });
  const { source, changes, told } = assemblyOf([main, other]);
  await source.start();
  const snapshot = source.current;
  assert.equal(snapshot?.own.spiffeId, 'spiffe://example.org/agent');
  assert.deepEqual([...snapshot.trust.anchors.keys()], ['example.org', 'partner.example']);
  assert.equal(snapshot.trust.crls.length, 1);
  assert.deepEqual(snapshot.trustAnchors, [home.bundlePem, partner.bundlePem]);
  assert.equal(snapshot.certificateChain, agent.chainPem);
  assert.ok(new X509Certificate(snapshot.certificateChain).checkPrivateKey(createPrivateKey(snapshot.privateKey)));
  assert.deepEqual(snapshot.warnings, ['mend this']);
  assert.deepEqual(changes, [snapshot.revision]);
  assert.deepEqual(told, []);
  assert.ok(Object.isFrozen(snapshot));
});

test('promise 7: each change of any part is one change of the whole, and content that is the same is none', async () => {
  const { main, other, changes, source } = await world();
  const first = source.current;
  main.bring({ own: ownOf(agent), bundles: bundlesOf(home) });
  other.bring({});
  assert.equal(changes.length, 1);
  assert.equal(source.current, first);
  other.bring({ bundles: bundlesOf(partner) });
  assert.equal(changes.length, 2);
  other.bring({ bundles: bundlesOf(partner), crls: [home.crl().der] });
  assert.equal(changes.length, 3);
  main.bring({ ...SOUND, own: ownOf(home.issue()) });
  assert.equal(changes.length, 4);
  assert.equal(new Set(changes).size, 4);
});

test('a certificate and the roots that verify it change together, in one step', async () => {
  const { main, changes, source } = await world();
  const next = createAuthority();
  main.bring({ own: ownOf(next.issue({ id: 'spiffe://example.org/agent' })), bundles: bundlesOf(next) });
  assert.equal(source.problem, undefined);
  assert.equal(changes.length, 2);
  assert.deepEqual(source.current?.trustAnchors, [next.bundlePem]);
});

test('a bundle of a trust domain comes from the first part that has one; another one is warned of, the same one is not', async () => {
  const files = createDrivenPart('files');
  const api = createDrivenPart('workload-api');
  const stranger = createAuthority({ trustDomain: 'partner.example' });
  files.bring({ bundles: bundlesOf(partner) });
  api.bring({ own: ownOf(agent), bundles: bundlesOf(home, partner) });
  const { source } = assemblyOf([files, api]);
  await source.start();
  assert.deepEqual(source.current?.warnings, []);
  api.bring({ own: ownOf(agent), bundles: bundlesOf(home, stranger) });
  assert.deepEqual(source.current?.warnings, [
    'the trust bundle of partner.example is that of files; another one, of workload-api, is not used',
  ]);
  assert.deepEqual(source.current?.trustAnchors, [home.bundlePem, partner.bundlePem]);
});

test('property: the revision does not depend on the order in which parts come', async () => {
  const contents: readonly Partial<IdentityPart>[] = [
    SOUND,
    { bundles: bundlesOf(partner) },
    { bundles: bundlesOf(createAuthority({ trustDomain: 'a.example' })), crls: [home.crl().der] },
    { crls: [partner.crl().der] },
  ];
  const seen = new Set<string | undefined>();
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), async (order) => {
      const parts = contents.map((_, index) => createDrivenPart(String(index)));
      const { source } = assemblyOf(parts);
      await source.start();
      for (const index of order) parts[index]?.bring(contents[index] ?? {});
      seen.add(source.current?.revision);
      assert.equal(seen.size, 1);
      assert.equal(seen.has(undefined), false);
    }),
  );
});

const unfit: readonly { readonly lie: string; readonly part: Partial<IdentityPart>; readonly problem: RegExp }[] = [
  {
    lie: 'a key that is not that of the certificate',
    part: { ...SOUND, own: { chain: home.issue().chain, privateKey: agent.privateKey } },
    problem: /^authority: the private key is not that of the certificate$/,
  },
  {
    lie: 'an ID of another trust domain than expected',
    part: { own: ownOf(partner.issue()), bundles: bundlesOf(partner) },
    problem:
      /^authority: the certificate is for spiffe:\/\/partner\.example\/agent, which is not of the trust domain example\.org$/,
  },
  {
    lie: 'a chain that our own bundle does not verify',
    part: { ...SOUND, own: ownOf(createAuthority().issue()) },
    problem: /^authority: the trust bundle of example\.org does not verify the certificate: /,
  },
  {
    lie: 'a chain that is good for a client and not for a server',
    part: { ...SOUND, own: ownOf(home.intermediate({ extendedKeyUsage: [OID.clientAuth] }).issue()) },
    problem:
      /^authority: the trust bundle of example\.org does not verify the certificate: issuer: its extended key usage/,
  },
  {
    lie: 'a certificate that has expired',
    part: { ...SOUND, own: ownOf(home.issue({ notAfter: new Date(NOW - 1_000) })) },
    problem: /^authority: certificate 1: expired at /,
  },
  {
    lie: 'a certificate that is not yet valid',
    part: { ...SOUND, own: ownOf(home.issue({ notBefore: new Date(NOW + 2 * HOUR) })) },
    problem: /^authority: certificate 1: not valid before /,
  },
  {
    lie: 'a leaf in the place of a root',
    part: { ...SOUND, bundles: new Map([['example.org' as TrustDomain, [agent.der]]]) },
    problem: /^authority: trust bundle of example\.org, certificate 1: /,
  },
  {
    lie: 'bytes in the place of a list',
    part: { ...SOUND, crls: [Buffer.from('nonsense')] },
    problem: /^authority: revocation list 1: /,
  },
  {
    lie: 'a list that is not signed by its issuer',
    part: { ...SOUND, crls: [home.crl({ breakSignature: true }).der] },
    problem: /^authority: revocation list 1: is not signed by /,
  },
  {
    lie: 'no certificate at all',
    part: { own: { chain: [], privateKey: agent.privateKey } },
    problem: /no certificate/,
  },
];

for (const { lie, part, problem } of unfit) {
  test(`promise 7: ${lie} is refused by name, the last good identity stays until its end and not beyond`, async () => {
    const { main, source, changes, told, clock, lost } = await world({ trustDomain: 'example.org' as TrustDomain });
    const before = source.current;
    main.bring(part);
    assert.equal(source.problem?.length, 1);
    assert.match(source.problem[0] ?? '', problem);
    assert.deepEqual(told, [source.problem]);
    assert.equal(source.current, before);
    assert.equal(changes.length, 1);
    clock.advance(agent.notAfter.getTime() - NOW - 2_000);
    assert.equal(source.current, before);
    clock.advance(4_000);
    assert.equal(source.current, undefined);
    assert.equal(lost.length, 1);
  });
}

test('what was refused does not hold up the other parts, and is judged again when one of them changes', async () => {
  const files = createDrivenPart('files', { required: true });
  const authority = createDrivenPart('authority', { required: true });
  const next = createAuthority();
  const renewed = next.issue({ id: 'spiffe://example.org/renewed' });
  files.bring({ bundles: bundlesOf(home) });
  authority.bring({ own: ownOf(agent) });
  const { source, changes } = assemblyOf([files, authority]);
  await source.start();
  authority.bring({ own: ownOf(renewed) });
  assert.match(source.problem?.[0] ?? '', /^authority: .* does not verify the certificate/);
  files.bring({ bundles: bundlesOf(home), crls: [home.crl().der] });
  assert.equal(source.current?.trust.crls.length, 1);
  assert.equal(pathOf(source), '/agent');
  files.bring({ bundles: bundlesOf(home, next) });
  assert.equal(source.problem, undefined);
  assert.equal(pathOf(source), '/renewed');
  assert.equal(changes.length, 3);
});

test('two parts that fit together only are taken together at the start', async () => {
  const files = createDrivenPart('files');
  const authority = createDrivenPart('authority');
  files.bring({ crls: [home.crl().der] });
  authority.bring(SOUND);
  const { source, changes } = assemblyOf([authority, files]);
  await source.start();
  assert.equal(source.current?.trust.crls[0]?.anchored, true);
  assert.equal(changes.length, 1);
});

test('two changes that fit together only are taken when both are there, in one step', async () => {
  const { main, other, source, changes } = await world();
  const rekeyed = createAuthority();
  const lists = { authorityKeyId: null } as const;
  other.bring({ crls: [home.crl(lists).der] });
  main.bring({ ...SOUND, bundles: bundlesOf(rekeyed) });
  assert.match(source.problem?.[0] ?? '', /^authority: revocation list 1: is not signed by /);
  other.bring({ crls: [rekeyed.crl({ ...lists, number: 2n }).der] });
  assert.deepEqual(source.current?.trustAnchors, [rekeyed.bundlePem]);
  assert.equal(source.current.trust.crls[0]?.anchored, true);
  assert.equal(changes.length, 3);
});

test('two parts that bring a certificate are one too many: the second is refused', async () => {
  const { other, source } = await world();
  other.bring({ own: ownOf(home.issue()) });
  assert.deepEqual(source.problem, [
    'federation: authority and federation bring a certificate for us; one of them may',
  ]);
  assert.equal(pathOf(source), '/agent');
});

test('what is not yet valid comes in force when it is, without another word of its part', async () => {
  const { main, source, clock } = await world();
  const early = home.issue({ id: 'spiffe://example.org/early', notBefore: new Date(NOW + 40_000) });
  main.bring({ ...SOUND, own: ownOf(early) });
  clock.advance(30_000);
  assert.equal(pathOf(source), '/agent');
  clock.advance(40_000);
  assert.equal(pathOf(source), '/early');
  assert.equal(source.problem, undefined);
});

test('RFC 5280 4.1.2.5: the identity is current at the last moment of the earliest end of its chain, and not after it', async () => {
  const end = Math.floor(NOW / 1_000) * 1_000 + 60_000;
  const short = home.intermediate({ notAfter: new Date(end) });
  const { main, source, clock, lost, changes } = await world();
  main.bring({ ...SOUND, own: ownOf(short.issue()) });
  assert.equal(source.current?.own.validUntilMs, end);
  clock.advance(end - clock.wallMs());
  assert.notEqual(source.current, undefined);
  clock.advance(1);
  assert.equal(source.current, undefined);
  clock.advance(1_000);
  const reason = `our certificate expired at ${new Date(end).toISOString()}`;
  assert.deepEqual(lost, [reason]);
  assert.deepEqual(source.problem, [reason]);
  clock.advance(HOUR);
  assert.equal(lost.length, 1);
  main.bring({ ...SOUND, own: ownOf(home.issue()) });
  assert.notEqual(source.current, undefined);
  assert.equal(changes.length, 3);
  assert.equal(source.problem, undefined);
});

test('a clock that was set forward by mistake and back again: the identity is in force again, and told', async () => {
  const clock = createDrivenClock(NOW);
  let skewMs = 0;
  const skewed = { wallMs: () => clock.wallMs() + skewMs, monotonicMs: () => clock.monotonicMs() };
  const { source, changes, lost } = await world({ clock: skewed, timer: clock.timer });
  skewMs = 2 * HOUR;
  clock.advance(1_000);
  assert.equal(source.current, undefined);
  assert.equal(lost.length, 1);
  skewMs = 0;
  clock.advance(1_000);
  assert.equal(pathOf(source), '/agent');
  assert.equal(changes.length, 2);
});

test('trust that changes while our certificate has expired is taken all the same', async () => {
  const { main, source, clock } = await world();
  clock.advance(2 * HOUR);
  main.bring({ ...SOUND, crls: [home.crl().der] });
  assert.match(source.problem?.join() ?? '', /^our certificate expired at [^,]+$/);
  main.bring({ ...SOUND, crls: [home.crl().der], own: ownOf(home.issue({ notAfter: new Date(NOW + 5 * HOUR) })) });
  assert.equal(source.current?.trust.crls.length, 1);
});

test('a certificate that was withdrawn is in force no more: nothing stands in its place', async () => {
  const { main, source, lost, changes } = await world();
  main.bring({ bundles: bundlesOf(home) });
  assert.equal(source.current, undefined);
  assert.deepEqual(lost, ['our certificate was withdrawn']);
  assert.deepEqual(source.problem, ['our certificate was withdrawn']);
  main.bring(SOUND);
  assert.equal(pathOf(source), '/agent');
  assert.equal(changes.length, 2);
  assert.equal(source.problem, undefined);
});

test('a list that revokes our own certificate is believed: the identity ends at once', async () => {
  const { other, main, source, lost } = await world();
  other.bring({ crls: [home.crl({ revoked: [agent.serial] }).der] });
  assert.equal(source.current, undefined);
  assert.match(lost.join(), /^our certificate was revoked: serial /);
  main.bring({ ...SOUND, own: ownOf(home.issue({ id: 'spiffe://example.org/again' })) });
  assert.equal(pathOf(source), '/again');
});

test('a root that is taken out goes, even where our own certificate is under it: that is told, and stays until its end', async () => {
  const { main, source, lost } = await world();
  const next = createAuthority();
  main.bring({ own: ownOf(agent), bundles: bundlesOf(next) });
  assert.deepEqual(source.current?.trustAnchors, [next.bundlePem]);
  assert.match(
    source.problem?.join() ?? '',
    /^peers may refuse our certificate, which our own trust does not verify: /,
  );
  assert.deepEqual(lost, []);
  main.bring({ own: ownOf(next.issue()), bundles: bundlesOf(next) });
  assert.equal(source.problem, undefined);
});

test('RFC 5280 5.2.3: a part that goes back to an older list keeps the newer one, and is told', async () => {
  const { other, source, changes } = await world();
  const newer = home.crl({ number: 8n, revoked: [1n, 2n] }).der;
  other.bring({ crls: [newer] });
  other.bring({ crls: [home.crl({ number: 7n }).der], bundles: bundlesOf(partner) });
  assert.equal(source.current?.trust.crls[0]?.entries, 2);
  assert.equal(source.current?.trust.anchors.has('partner.example' as TrustDomain), true);
  assert.match(source.problem?.join() ?? '', /^federation: the revocation list of .* is older than the one in force/);
  other.bring({ crls: [home.crl({ number: 9n }).der] });
  assert.equal(source.current?.trust.crls[0]?.entries, 0);
  assert.equal(source.problem, undefined);
  assert.equal(changes.length, 4);
});

test('the same list by two ways counts once', async () => {
  const { main, other, source } = await world();
  const list = home.crl().der;
  main.bring({ ...SOUND, crls: [list] });
  other.bring({ crls: [Uint8Array.from(list)] });
  assert.equal(source.current?.trust.crls.length, 1);
});

test('no identity is in force before each required part brought something', async () => {
  const files = createDrivenPart('files', { required: true });
  const authority = createDrivenPart('authority', { required: true });
  authority.bring(SOUND);
  files.complain(['/etc/list.pem: there is no such file']);
  const { source, changes } = assemblyOf([files, authority]);
  await source.start();
  assert.equal(source.current, undefined);
  assert.deepEqual(source.problem, ['files: /etc/list.pem: there is no such file', 'files has brought nothing yet']);
  files.complain(undefined);
  files.bring({});
  assert.equal(changes.length, 1);
  assert.equal(source.problem, undefined);
});

test('a start waits for parts that are not required, for five seconds at most', async () => {
  const slow = Promise.withResolvers<void>();
  const main = createDrivenPart('authority', { required: true });
  const late = createDrivenPart('federation', { starts: slow.promise });
  main.bring(SOUND);
  late.bring({ bundles: bundlesOf(partner) });
  const { source, clock, changes } = assemblyOf([main, late]);
  const started = source.start();
  await new Promise(setImmediate);
  assert.equal(changes.length, 0);
  clock.advance(5_000);
  await started;
  assert.equal(changes.length, 1);
  slow.resolve();
  await new Promise(setImmediate);
  assert.equal(source.current?.trust.anchors.size, 2);
});

test('a key that cannot be exported is known to TLS by the PEM that names it; without one it is refused', async () => {
  const token = home.issue({ id: 'spiffe://example.org/token' });
  Object.defineProperty(token.privateKey, 'export', {
    value: () => {
      throw new Error('not exportable');
    },
  });
  const tlsKey = '-----BEGIN PKCS#11 PROVIDER URI-----\nAA==\n-----END PKCS#11 PROVIDER URI-----\n';
  const { main, source } = await world();
  main.bring({ ...SOUND, own: { ...ownOf(token), tlsKey } });
  assert.equal(source.current?.privateKey, tlsKey);
  main.bring({ ...SOUND, own: ownOf(token) });
  assert.equal(source.current?.privateKey, tlsKey);
  assert.deepEqual(source.problem, [
    'authority: the private key cannot be exported, and nothing names it to the TLS library',
  ]);
});

test('reload asks every part; stop stops them, and nothing is told any more', async () => {
  const { main, other, source, changes, clock } = await world();
  await source.reload();
  assert.deepEqual([main.reloads, other.reloads], [1, 1]);
  source.stop();
  assert.deepEqual([main.isStopped, other.isStopped], [true, true]);
  other.bring({ bundles: bundlesOf(partner) });
  assert.equal(changes.length, 1);
  assert.equal(clock.timers, 0);
  assert.equal(pathOf(source), '/agent');
});

test('a source that is stopped while it starts does not begin', async () => {
  const slow = Promise.withResolvers<void>();
  const main = createDrivenPart('authority', { required: true, starts: slow.promise });
  main.bring(SOUND);
  const { source, changes, clock } = assemblyOf([main]);
  const started = source.start();
  source.stop();
  slow.resolve();
  await started;
  assert.deepEqual([changes.length, clock.timers], [0, 0]);
});
