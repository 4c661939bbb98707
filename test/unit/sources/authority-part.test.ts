import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { createAuthorityPart } from '../../../src/io/sources/authority-part.ts';
import { sameBytes } from '../../../src/io/sources/identity-join.ts';
import { createIdentityAssembly } from '../../../src/io/sources/identity-assembly.ts';
import { err, ok } from '../../../src/core/kernel/result.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { createAuthority } from '../../support/pki.ts';
import { certified, createScriptedAuthority, refused, trustOf, unavailable } from '../../support/scripted-authority.ts';
import { replaceFile, tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

import type { TestContext } from 'node:test';
import type { FirstRoots } from '../../../src/core/config/identity-settings.ts';
import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { Source } from '../../../src/io/sources/follower.ts';
import type { AuthorityPartSettings } from '../../../src/io/sources/authority-part.ts';
import type { IdentityKeep } from '../../../src/io/sources/authority-keep.ts';
import type { IdentityPart } from '../../../src/io/sources/identity-part.ts';
import type { IdentitySnapshot } from '../../../src/io/sources/identity-snapshot.ts';
import type { Problems } from '../../../src/io/sources/problem.ts';
import type { Answer, CertificateAsk } from '../../support/scripted-authority.ts';
import type { Authority } from '../../support/pki.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Whole seconds, as certificates have them. */
const NOW = Math.floor(Date.now() / 1_000) * 1_000;
const home = createAuthority();

/** An honest certificate of an hour from now, by the clock of the test. */
function hour(ask: CertificateAsk, nowMs: number, authority: Authority = home, revision = '1'): Answer {
  const leaf = { notBefore: new Date(nowMs - MINUTE), notAfter: new Date(nowMs + HOUR) };
  return certified(ask, authority, { leaf, trust: trustOf(revision, [authority]) });
}

type Options = {
  readonly settings?: Partial<Omit<AuthorityPartSettings, keyof FirstRoots>>;
  readonly keep?: IdentityKeep;
};

/** A part that is not started; certificates are due at half of their life, to the millisecond. */
async function partOf(context: TestContext, { settings = {}, keep }: Options = {}) {
  const folder = await tempFolder(context);
  const trustBundle = join(folder, 'roots.pem');
  await writeFile(trustBundle, home.bundlePem);
  const clock = createDrivenClock(NOW);
  let skewMs = 0;
  const skewed = { wallMs: () => clock.wallMs() + skewMs, monotonicMs: () => clock.monotonicMs() };
  const authority = createScriptedAuthority();
  const told: (Problems | undefined)[] = [];
  const changes: IdentityPart[] = [];
  let lost = 0;
  authority.respond = (ask) => hour(ask, clock.wallMs());
  const all: AuthorityPartSettings = {
    trustDomain: 'example.org' as TrustDomain,
    trustBundle,
    method: 'join-token',
    token: '/run/token',
    keyType: 'p256',
    ...settings,
  };
  const source = createIdentityAssembly(
    [
      {
        name: 'authority',
        required: true,
        create: ({ onChange, onProblem }) =>
          createAuthorityPart(all, {
            client: authority,
            clock: skewed,
            random: (length) => new Uint8Array(length).fill(128, 0, 1),
            timer: clock.timer,
            keep,
            onChange: (part) => {
              changes.push(part);
              onChange(part);
            },
            onProblem: (problem) => {
              told.push(problem);
              onProblem(problem);
            },
          }),
      },
    ],
    { clock: skewed, timer: clock.timer, onLost: () => (lost += 1) },
  );
  context.after(() => source.stop());
  return {
    source,
    authority,
    clock,
    told,
    changes,
    trustBundle,
    skew: (ms: number) => {
      skewMs = ms;
    },
    get lost() {
      return lost;
    },
    get leaf() {
      return source.current?.certificateChain;
    },
  };
}

/** The same, enrolled with a certificate of an hour. */
async function enrolled(context: TestContext, options: Options = {}) {
  const world = await partOf(context, options);
  await world.source.start();
  assert.equal(world.source.problem, undefined);
  return world;
}

const DUE = HOUR / 2;

/** What is in force now: a look of its own, which the compiler does not take for the one before. */
function inForce({ current }: Source<IdentitySnapshot>): IdentitySnapshot | undefined {
  return current;
}

test('enrols at the start with a key of its own, and brings certificate and trust as one', async (context) => {
  const { source, authority, changes } = await enrolled(context);
  assert.equal(source.current?.own.spiffeId, 'spiffe://example.org/agent');
  assert.deepEqual(source.current.trustAnchors, [home.bundlePem]);
  assert.equal(authority.asks[0]?.kind, 'enrol');
  assert.equal(changes.length, 1);
  assert.deepEqual(authority.roots, home.bundle);
});

for (const [keyType, expected] of [
  ['p256', 'ec'],
  ['ed25519', 'ed25519'],
] as const) {
  test(`the key is ${keyType} where that is configured`, async (context) => {
    const { source } = await enrolled(context, { settings: { keyType } });
    assert.equal(new X509Certificate(source.current?.certificateChain ?? '').publicKey.asymmetricKeyType, expected);
  });
}

test('renews at half of the life by the certificate in force, with another key', async (context) => {
  const world = await enrolled(context);
  const before = world.leaf;
  world.clock.advance(DUE - 1);
  assert.equal(world.authority.asks.length, 1);
  assert.equal(world.changes.length, 1);
  world.clock.advance(1);
  await world.authority.answered(2);
  const [first, second] = world.authority.asks;
  assert.equal(second?.kind, 'renew');
  assert.equal(new X509Certificate(second.current?.chain[0] ?? '').toString(), before);
  assert.notDeepEqual(second.spki, first?.spki);
  assert.notEqual(world.leaf, before);
  assert.equal(world.source.problem, undefined);
  assert.equal(world.changes.length, 2);
});

type Lie = {
  readonly lie: string;
  readonly tells: RegExp;
  readonly answer: (ask: CertificateAsk, nowMs: number) => Answer;
};
const stranger = createAuthority();
const elsewhere = createAuthority({ trustDomain: 'evil.example' });

const LIES: readonly Lie[] = [
  {
    lie: 'a certificate for another ID',
    tells: /the certificate is for spiffe:\/\/example\.org\/other, and we are spiffe:\/\/example\.org\/agent$/,
    answer: (ask) => certified(ask, home, { leaf: { id: 'spiffe://example.org/other' } }),
  },
  {
    lie: 'an answer that names another ID than its certificate',
    tells: /and the answer says another ID$/,
    answer: (ask) => certified(ask, home, { spiffeId: 'spiffe://example.org/other' }),
  },
  {
    lie: 'a certificate for another key',
    tells: /the private key is not that of the certificate$/,
    answer: (ask) => certified(ask, home, { chain: home.issue().chain }),
  },
  {
    lie: 'a certificate that is not yet valid',
    tells: /certificate 1: not valid before /,
    answer: (ask, now) => certified(ask, home, { leaf: { notBefore: new Date(now + 3 * HOUR) } }),
  },
  {
    lie: 'a certificate that has already expired',
    tells: /certificate 1: expired at /,
    answer: (ask, now) => certified(ask, home, { leaf: { notAfter: new Date(now - 2_000) } }),
  },
  {
    lie: 'a certificate of a root that nobody told of',
    tells: /the trust bundle of example\.org does not verify the certificate: /,
    answer: (ask) => certified(ask, stranger, { trust: trustOf('1', [home]) }),
  },
  {
    lie: 'a certificate of a root that nobody told of, in a document with another revision',
    tells: /the trust bundle of example\.org does not verify the certificate: /,
    answer: (ask) => certified(ask, stranger, { trust: trustOf('2', [home]) }),
  },
  {
    lie: 'a certificate of another trust domain, with its root',
    tells: /which is not of the trust domain example\.org$/,
    answer: (ask) => certified(ask, elsewhere, { trust: trustOf('2', [home, elsewhere]) }),
  },
  {
    lie: 'a chain whose links do not fit',
    tells: /certificate 2: is not the issuer of the one before it/,
    answer: (ask) => {
      const { chain } = home.issue({ rawSpki: ask.spki });
      return certified(ask, home, { chain: [...chain, ...createAuthority({ subject: 'Nobody' }).bundle] });
    },
  },
  {
    lie: 'a CA certificate in the place of a leaf',
    tells: /leaf: cA is set/,
    answer: (ask) => certified(ask, home, { leaf: { cA: true, keyUsage: ['keyCertSign'] } }),
  },
  { lie: 'no certificate', tells: /there is no certificate$/, answer: (ask) => certified(ask, home, { chain: [] }) },
  {
    lie: 'bytes that are no certificate',
    tells: /certificate 1: /,
    answer: (ask) => certified(ask, home, { chain: [Buffer.from('nonsense')] }),
  },
  {
    lie: 'a trust document without a root of our trust domain',
    tells: /the trust document has no root of example\.org/,
    answer: (ask) => certified(ask, home, { trust: trustOf('2', [elsewhere]) }),
  },
  {
    lie: 'a trust document with a leaf as root',
    tells: /trust bundle of example\.org, certificate 1: /,
    answer: (ask) => certified(ask, home, { trust: trustOf('2', [{ ...home, bundle: [home.issue().der] }]) }),
  },
  {
    lie: 'a revocation list that its issuer did not sign',
    tells: /revocation list 1: is not signed by/,
    answer: (ask) => certified(ask, home, { trust: trustOf('2', [home], [home.crl({ breakSignature: true }).der]) }),
  },
];

for (const { lie, tells, answer } of LIES) {
  test(`a lying authority: ${lie} is refused by name; the last good identity is used until its end, never beyond`, async (context) => {
    const world = await enrolled(context);
    const { source, authority, clock } = world;
    const before = source.current;
    authority.respond = (ask) => answer(ask, clock.wallMs());
    clock.advance(DUE);
    await authority.answered(2);
    assert.match(source.problem?.join('; ') ?? '', tells);
    assert.match(source.problem?.[0] ?? '', /^authority: renewal: refused what the authority sent: /);
    assert.equal(source.current, before);
    assert.equal(world.changes.length, 1);
    assert.deepEqual(authority.roots, home.bundle);
    clock.advance(NOW + HOUR - clock.wallMs());
    assert.equal(source.current, before);
    clock.advance(1);
    assert.equal(source.current, undefined);
    clock.advance(1_000);
    assert.equal(world.lost, 1);
  });
}

test('a lie at the first contact gives no identity at all', async (context) => {
  const { source, authority } = await partOf(context, { settings: { id: 'spiffe://example.org/agent' as never } });
  authority.respond = (ask) => certified(ask, home, { leaf: { id: 'spiffe://example.org/other' } });
  await source.start();
  assert.equal(source.current, undefined);
  assert.match(
    source.problem?.[0] ?? '',
    /^authority: enrolment: refused .* and we are spiffe:\/\/example\.org\/agent$/,
  );
});

test('after lies, an honest answer is taken, and the problem is over', async (context) => {
  const { source, authority, clock, told } = await enrolled(context);
  authority.respond = (ask) => certified(ask, stranger, { trust: trustOf('1', [home]) });
  clock.advance(DUE);
  await authority.answered(2);
  authority.respond = (ask) => hour(ask, clock.wallMs());
  clock.advance(1_000);
  await authority.answered(3);
  assert.equal(source.problem, undefined);
  assert.equal(told.length, 2);
  assert.equal(source.current?.own.validUntilMs, NOW + DUE + 1_000 + HOUR);
});

test('an authority that is down: attempts go on, and an identity that expired is enrolled anew, by the token', async (context) => {
  const world = await enrolled(context);
  const { source, authority, clock } = world;
  authority.respond = () => unavailable('connection refused');
  clock.advance(DUE);
  await authority.answered(2);
  assert.deepEqual(source.problem, ['authority: renewal: connection refused']);
  clock.advance(1_000);
  await authority.answered(3);
  assert.equal(authority.asks[2]?.kind, 'renew');
  authority.respond = (ask) => (ask.kind === 'enrol' ? hour(ask, clock.wallMs()) : unavailable('too late'));
  clock.advance(HOUR);
  assert.equal(source.current, undefined);
  await authority.answered(4);
  clock.advance(MINUTE);
  await authority.answered(5);
  assert.deepEqual(
    authority.asks.slice(2).map(({ kind }) => kind),
    ['renew', 'renew', 'enrol'],
  );
  assert.equal(inForce(source)?.own.path, '/agent');
  assert.equal(source.problem, undefined);
});

test('Retry-After is kept', async (context) => {
  const { authority, clock } = await enrolled(context);
  authority.respond = () => unavailable('rate limited', 90_000);
  clock.advance(DUE);
  await authority.answered(2);
  const timers = clock.timers;
  clock.advance(89_999);
  assert.equal(clock.timers, timers);
  assert.equal(authority.asks.length, 2);
  clock.advance(1);
  await authority.answered(3);
});

test('a renewal that is refused is followed by the token; a token that is refused too is told plainly and not hammered', async (context) => {
  const { source, authority, clock } = await enrolled(context);
  authority.respond = (ask) => refused(ask.kind === 'renew' ? 'certificate unknown' : 'token used');
  clock.advance(DUE);
  await authority.answered(2);
  assert.deepEqual(source.problem, [
    'authority: renewal: the authority refused it: certificate unknown; we prove again who we are',
  ]);
  clock.advance(1_000);
  await authority.answered(3);
  assert.equal(authority.asks[2]?.kind, 'enrol');
  assert.deepEqual(source.problem, [
    'authority: enrolment: the authority refused the join token of /run/token: token used; a token is good once and for a while: put a new one there, and reload to have it used at once',
  ]);
  const timers = clock.timers;
  clock.advance(15_000);
  assert.equal(clock.timers, timers);
  assert.equal(authority.asks.length, 3);
  assert.equal(source.current?.own.path, '/agent');
});

test('reload makes an attempt at once where the last one failed, and none where all is well', async (context) => {
  const { source, authority, clock } = await enrolled(context);
  await source.reload();
  assert.equal(authority.asks.length, 1);
  authority.respond = () => refused('token used');
  clock.advance(DUE);
  await authority.answered(2);
  authority.respond = (ask) => hour(ask, clock.wallMs());
  await source.reload();
  assert.equal(authority.asks.length, 3);
  assert.equal(source.problem, undefined);
});

test('a service account token that is refused is told as one', async (context) => {
  const { source, authority } = await partOf(context, { settings: { method: 'kubernetes' } });
  authority.respond = () => refused('no');
  await source.start();
  assert.match(source.problem?.[0] ?? '', /the authority refused the service account token of \/run\/token: no; /);
});

test('an answer that cannot be understood is told as one', async (context) => {
  const { source, authority } = await partOf(context);
  authority.respond = () => err({ kind: 'malformed', detail: 'not JSON' });
  await source.start();
  assert.match(source.problem?.[0] ?? '', /enrolment: what the authority sent cannot be understood: not JSON$/);
});

test('a client that throws is a failed attempt and not the end', async (context) => {
  const { source, authority, clock } = await partOf(context);
  authority.respond = () => Promise.reject(new Error('a fault of ours'));
  await source.start();
  assert.match(source.problem?.[0] ?? '', /enrolment: a fault of ours$/);
  authority.respond = (ask) => hour(ask, clock.wallMs());
  clock.advance(1_000);
  await authority.answered(1);
  assert.equal(source.problem, undefined);
});

test('wall clock set back by hours: renewal comes when its time has passed', async (context) => {
  const world = await enrolled(context);
  world.skew(-5 * HOUR);
  world.clock.advance(DUE);
  await world.authority.answered(2);
  assert.equal(world.authority.asks[1]?.kind, 'renew');
});

test('a sleep of the machine: what is due is renewed within ten seconds after it', async (context) => {
  const world = await enrolled(context);
  world.skew(40 * MINUTE);
  world.clock.advance(10_000);
  await world.authority.answered(2);
  assert.equal(world.authority.asks[1]?.kind, 'renew');
});

test('wall clock set forward beyond the end: no identity, what is issued is refused as expired, and the old one counts when the clock is right again', async (context) => {
  const world = await enrolled(context);
  const { source, authority, clock } = world;
  const before = source.current;
  world.skew(5 * HOUR);
  clock.advance(10_000);
  await authority.answered(2);
  assert.equal(source.current, undefined);
  assert.match(source.problem?.join() ?? '', /refused what the authority sent: certificate 1: expired at /);
  world.skew(0);
  clock.advance(1_000);
  assert.equal(inForce(source)?.chain, before?.chain);
});

test('trust is followed by long poll with the revision in force: what is new comes at once', async (context) => {
  const { source, authority, clock } = await enrolled(context);
  assert.equal(authority.trustAsk?.revision, '1');
  assert.equal(authority.trustAsk.waitMs, 30_000);
  authority.trustAsk.answer(ok(trustOf('2', [home], [home.crl({ revoked: [5n] }).der])));
  await until('the list', () => source.current?.trust.crls.length === 1);
  clock.advance(250);
  await until('the next question', () => authority.trustAsk?.revision === '2');
});

test('a second root is added, used, and the first one removed: each step in force, and what the authority is checked with follows', async (context) => {
  const { source, authority, clock, changes } = await enrolled(context);
  const second = createAuthority();
  authority.trustAsk?.answer(ok(trustOf('2', [home, second])));
  await until('two roots', () => source.current?.trustAnchors.length === 2);
  assert.deepEqual(authority.roots, [...home.bundle, ...second.bundle]);
  const both = trustOf('2', [home, second]);
  authority.respond = (ask) => certified(ask, second, { trust: both });
  clock.advance(DUE);
  await authority.answered(2);
  assert.equal(changes.length, 3);
  authority.trustAsk?.answer(ok(trustOf('3', [second])));
  await until('one root', () => source.current?.trustAnchors.length === 1);
  assert.deepEqual(source.current?.trustAnchors, [second.bundlePem]);
  assert.deepEqual(authority.roots, second.bundle);
  assert.equal(source.problem, undefined);
});

test('a root that is removed while our certificate is under it: renewal at once', async (context) => {
  const { authority, source, clock } = await enrolled(context);
  const second = createAuthority();
  authority.respond = (ask) => hour(ask, clock.wallMs(), second, '2');
  clock.advance(1_000);
  authority.trustAsk?.answer(ok(trustOf('2', [second])));
  await authority.answered(2);
  assert.equal(authority.asks[1]?.kind, 'renew');
  assert.deepEqual(source.current?.trustAnchors, [second.bundlePem]);
  assert.equal(source.problem, undefined);
});

const BAD_TRUST = [
  { lie: 'no root of ours', document: trustOf('2', [elsewhere]), tells: /no root of example\.org/ },
  { lie: 'an empty document', document: trustOf('2', []), tells: /no root of example\.org/ },
  {
    lie: 'a list that cannot be read',
    document: trustOf('2', [home], [Buffer.from('x')]),
    tells: /trust: revocation list 1: /,
  },
] as const;

for (const { lie, document, tells } of BAD_TRUST) {
  test(`a trust document with ${lie} is refused by name, the one before stays, and it is asked again`, async (context) => {
    const { source, authority, clock, changes } = await enrolled(context);
    authority.trustAsk?.answer(ok(document));
    await until('the problem', () => source.problem !== undefined);
    assert.match(source.problem?.[0] ?? '', tells);
    assert.equal(changes.length, 1);
    assert.deepEqual(authority.roots, home.bundle);
    clock.advance(500);
    await until('the next question', () => authority.trustAsk?.revision === '1');
    authority.trustAsk?.answer(ok('unchanged'));
    await until('the end of the problem', () => source.problem === undefined);
  });
}

test('an authority that cannot be asked about trust: what is in force stays, pauses grow to ten seconds and no further', async (context) => {
  const { source, authority, clock } = await enrolled(context);
  const pauses: number[] = [];
  for (let count = 0; count < 10; count += 1) {
    authority.trustAsk?.answer(err({ kind: 'unavailable', detail: 'no answer' }));
    await until('a pause', () => clock.timers === 3);
    let pause = 0;
    for (; clock.timers === 3 && authority.trustAsk === undefined; pause += 50) {
      clock.advance(50);
      await new Promise(setImmediate);
    }
    pauses.push(pause);
  }
  assert.deepEqual(source.problem, ['authority: trust: no answer']);
  assert.ok(pauses[0] !== undefined && pauses[0] <= 500, pauses.join(' '));
  assert.ok(Math.max(...pauses) <= 10_000 && (pauses.at(-1) ?? 0) >= 5_000, pauses.join(' '));
  assert.equal(source.current?.own.path, '/agent');
});

test('an authority that can be asked about trust again is asked at once for the certificate that it could not give', async (context) => {
  const { authority, clock } = await enrolled(context);
  authority.respond = () => unavailable('down');
  clock.advance(DUE);
  await authority.answered(2);
  authority.trustAsk?.answer(err({ kind: 'unavailable', detail: 'no answer' }));
  await until('a pause', () => authority.trustAsk === undefined);
  // Far enough that the pause between attempts has grown.
  await until('attempts', () => {
    clock.advance(1_000);
    return authority.asks.length > 6;
  });
  const { length } = authority.asks;
  authority.trustAsk?.answer(ok('unchanged'));
  await authority.answered(length + 1);
  assert.equal(authority.asks.at(-1)?.kind, 'renew');
  // Once: that it still cannot give one has its pause, however often trust is answered.
  await until('the next question', () => {
    clock.advance(250);
    return authority.trustAsk;
  });
  const asked = authority.asks.length;
  authority.trustAsk?.answer(ok('unchanged'));
  await new Promise(setImmediate);
  assert.equal(authority.asks.length, asked);
});

test('an authority that answers "unchanged" at once, though we would wait, is asked once a second', async (context) => {
  const { authority, clock } = await enrolled(context);
  authority.trustAsk?.answer(ok('unchanged'));
  await until('a pause', () => clock.timers === 3);
  clock.advance(999);
  assert.equal(authority.trustAsk, undefined);
  clock.advance(1);
  await until('the next question', () => authority.trustAsk);
});

test('news of trust that a certificate overtook is not taken: it may be older', async (context) => {
  const { source, authority, clock } = await enrolled(context);
  const pending = authority.trustAsk;
  authority.respond = (ask) => hour(ask, clock.wallMs(), home, '3');
  clock.advance(DUE);
  await authority.answered(2);
  pending?.answer(ok(trustOf('2', [home], [home.crl().der])));
  await until('a pause', () => clock.timers === 3);
  assert.equal(source.current?.trust.crls.length, 0);
  clock.advance(250);
  await until('the next question', () => authority.trustAsk?.revision === '3');
});

test('trust of the same revision, or of another one with the same content, changes nothing', async (context) => {
  const { authority, changes, clock } = await enrolled(context);
  authority.trustAsk?.answer(ok(trustOf('1', [stranger])));
  await until('a pause', () => clock.timers === 3);
  clock.advance(1_000);
  await until('the next question', () => authority.trustAsk);
  authority.trustAsk?.answer(ok(trustOf('2', [home])));
  await until('a pause', () => clock.timers === 3);
  clock.advance(250);
  await until('the next question', () => authority.trustAsk?.revision === '2');
  assert.equal(changes.length, 1);
});

test('first roots that cannot be read are told; new ones count at the next reload, beside those that the authority told', async (context) => {
  const { source, authority, trustBundle } = await enrolled(context);
  await replaceFile(trustBundle, 'nonsense');
  await source.reload();
  assert.deepEqual(source.problem, [`authority: ${trustBundle}: holds no PEM block "CERTIFICATE"`]);
  await replaceFile(trustBundle, stranger.bundlePem);
  await source.reload();
  assert.ok(sameBytes(authority.roots, [...home.bundle, ...stranger.bundle]));
  assert.equal(source.problem, undefined);
});

test('stop ends timers, questions and the client', async (context) => {
  const { source, authority, clock, changes } = await enrolled(context);
  source.stop();
  assert.equal(authority.isStopped, true);
  assert.equal(clock.timers, 0);
  authority.trustAsk?.answer(ok(trustOf('2', [home], [home.crl().der])));
  await new Promise(setImmediate);
  assert.equal(changes.length, 1);
  assert.equal(clock.timers, 0);
});

test('promise 10: no problem holds anything of a key or a token', async (context) => {
  const { source, authority, clock, told } = await enrolled(context);
  const key = source.current?.privateKey.split('\n')[1] ?? 'none';
  for (const { answer } of LIES) {
    authority.respond = (ask) => answer(ask, clock.wallMs());
    const count = authority.asks.length;
    clock.advance(count === 1 ? DUE : MINUTE);
    await authority.answered(count + 1);
  }
  assert.ok(told.length > 3);
  for (const problem of told) assert.equal(problem?.join().includes(key) ?? false, false);
});
