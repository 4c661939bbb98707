import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';

import { createAuthorityClient, type AuthorityClient } from '../../../src/io/enrolment/authority-client.ts';
import type { ServiceAccountJudge } from '../../../src/io/authority/service-account-judge.ts';
import type { EnrolmentDeps, EnrolmentSettings } from '../../../src/io/enrolment/settings.ts';
import { err, ok } from '../../../src/core/kernel/result.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { createAuthority, type CertificateOptions } from '../../support/pki.ts';
import { OID } from '../../support/pki-certificate.ts';
import {
  freshCsr,
  realTimer,
  serveAuthority,
  type ServedAuthority,
  type ServingOptions,
} from '../../support/served-authority.ts';
import { systemClock } from '../../support/system-clock.ts';
import { until } from '../../support/until.ts';

const ID = 'spiffe://example.org/ns/agents/sa/planner';
const SECRET = 'join-token-that-is-secret';

type World = ServedAuthority & {
  readonly client: AuthorityClient;
  /** The token file. */
  readonly file: { text: string; mode: number; readonly reads: string[] };
};

type Options = ServingOptions & {
  readonly settings?: Partial<EnrolmentSettings>;
  readonly deps?: Partial<EnrolmentDeps>;
};

async function world(
  context: TestContext,
  options: Options = {},
  authority = new FakeIssuingAuthority(),
): Promise<World> {
  const served = await serveAuthority(context, authority, options);
  const file = { text: `${SECRET}\n`, mode: 0o600, reads: [] as string[] };
  const client = createAuthorityClient(
    { url: served.url, id: authority.id, method: 'join-token', token: 'token-file', ...options.settings },
    {
      readFile: (path) => {
        file.reads.push(path);
        return Promise.resolve(ok({ bytes: Buffer.from(file.text), mode: file.mode }));
      },
      clock: systemClock,
      timer: realTimer,
      ...options.deps,
    },
  );
  context.after(() => client.stop());
  client.trustRoots(authority.roots);
  authority.tokens.set(SECRET, ID);
  return { ...served, client, file };
}

/** Takes any text for the token of the service account of that name. */
const ANYBODY: ServiceAccountJudge = {
  review: (serviceAccount) =>
    Promise.resolve(ok({ kind: 'kubernetes', namespace: 'agents', serviceAccount, pod: undefined })),
};

describe('enrolment', () => {
  test('by the token of the file: our certificate, and whom to believe', async (context) => {
    const { client, authority, file } = await world(context);
    const { csr, privateKey } = await freshCsr();
    const enrolled = await client.enrol(csr);
    assert.ok(enrolled.ok, JSON.stringify(enrolled));
    assert.equal(enrolled.value.spiffeId, ID);
    assert.equal(new X509Certificate(enrolled.value.chain[0] ?? '').checkPrivateKey(privateKey), true);
    const { revision, bundles, crls, refreshHintMs } = authority.trust();
    const { trust } = enrolled.value;
    assert.deepEqual([trust.revision, trust.refreshHintMs], [revision, refreshHintMs]);
    assert.deepEqual(
      [...trust.bundles].map(([domain, list]) => [domain, list.map(hex)]),
      [...bundles].map(([domain, list]) => [domain, list.map(hex)]),
    );
    assert.deepEqual(trust.crls.map(hex), crls.map(hex));
    assert.deepEqual(file.reads, ['token-file']);
  });

  test('a token that was used is refused, and the file is read anew each time', async (context) => {
    const { client, authority, file } = await world(context);
    const { csr } = await freshCsr();
    assert.equal((await client.enrol(csr)).ok, true);
    const refused = { kind: 'refused', detail: 'the authority refused; its log says why' };
    assert.deepEqual(await client.enrol(csr), err(refused));
    file.text = 'another-token';
    authority.tokens.set('another-token', ID);
    assert.equal((await client.enrol(csr)).ok, true);
  });

  test('two redemptions of one token at once: exactly one succeeds', async (context) => {
    const { client } = await world(context);
    const requests = await Promise.all([freshCsr(), freshCsr(), freshCsr()]);
    const answers = await Promise.all(requests.map(({ csr }) => client.enrol(csr)));
    assert.equal(answers.filter((one) => one.ok).length, 1);
    assert.equal(answers.filter((one) => !one.ok && one.error.kind === 'refused').length, 2);
  });

  // 0600 with runAsUser, 0640 with fsGroup besides, 0644 with neither: what the kubelet gives a projected token.
  for (const mode of [0o400, 0o440, 0o444, 0o600, 0o640, 0o644])
    test(`a service account token of mode ${mode.toString(8).padStart(4, '0')} is the kubelet's business`, async (context) => {
      const { client, file } = await world(context, { reviewer: ANYBODY, settings: { method: 'kubernetes' } });
      Object.assign(file, { text: 'planner', mode });
      const enrolled = await client.enrol((await freshCsr()).csr);
      assert.equal(enrolled.ok && enrolled.value.spiffeId, ID);
    });

  for (const mode of [0o400, 0o440, 0o600, 0o640])
    test(`a join token of mode ${mode.toString(8).padStart(4, '0')} is sent, as of a Secret with fsGroup`, async (context) => {
      const { client, file } = await world(context);
      Object.assign(file, { text: SECRET, mode });
      assert.equal((await client.enrol((await freshCsr()).csr)).ok, true);
    });

  const FILES: readonly (readonly [string, string, number, string])[] = [
    [
      'a join token that all can read',
      SECRET,
      0o644,
      'token-file: others can read or change the join token (mode 0644); chmod 600 it',
    ],
    [
      'a join token that its group can write',
      SECRET,
      0o660,
      'token-file: others can read or change the join token (mode 0660); chmod 600 it',
    ],
    ['an empty file', ' \n', 0o600, 'token-file: holds no token'],
    ['two words', 'a b', 0o600, 'token-file: holds no token'],
    ['two lines', 'a\nb', 0o600, 'token-file: holds no token'],
    ['bytes', '\u0000', 0o600, 'token-file: holds no token'],
  ];
  for (const [title, text, mode, detail] of FILES) {
    test(`${title} is not sent`, async (context) => {
      const { client, file, authority, service } = await world(context);
      Object.assign(file, { text, mode });
      const { csr } = await freshCsr();
      assert.deepEqual(await client.enrol(csr), err({ kind: 'unavailable', detail }));
      assert.deepEqual(authority.calls, []);
      assert.equal(service.figures().connections, 0);
    });
  }

  test('a file that cannot be read', async (context) => {
    const deps = { readFile: () => Promise.resolve(err('token-file: not found')) };
    const { client } = await world(context, { deps });
    const { csr } = await freshCsr();
    assert.deepEqual(await client.enrol(csr), err({ kind: 'unavailable', detail: 'token-file: not found' }));
  });
});

describe('renewal', () => {
  test('by the certificate in force', async (context) => {
    const { client, authority } = await world(context);
    const { issued, serial } = authority.give(ID);
    const { csr } = await freshCsr();
    const renewed = await client.renew(csr, issued);
    assert.equal(renewed.ok && renewed.value.spiffeId, ID);
    assert.deepEqual(authority.calls[0]?.attestation, { kind: 'certificate', spiffeId: ID, serial });
  });

  test('with an Ed25519 key', async (context) => {
    const { client, authority } = await world(context);
    const { issued } = authority.give(ID, { keyKind: 'ed25519' });
    const { csr } = await freshCsr();
    assert.equal((await client.renew(csr, issued)).ok, true);
  });

  test('revoked, expired, foreign, unknown: refused', async (context) => {
    const { client, authority } = await world(context);
    const revoked = authority.give(ID);
    authority.revoke(revoked.serial);
    const times = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
    const { csr } = await freshCsr();
    const all = [
      revoked.issued,
      authority.give(ID, times).issued,
      createAuthority().issue({ id: ID }),
      authority.give(ID, {}, false).issued,
    ];
    for (const current of all) {
      const answer = await client.renew(csr, current);
      assert.equal(!answer.ok && answer.error.kind, 'refused');
    }
    assert.deepEqual(authority.calls, []);
  });

  test("a key that is not the certificate's is a fault before a connection is made", async (context) => {
    const { client, authority, service } = await world(context);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { csr } = await freshCsr();
    const answer = await client.renew(csr, { chain: authority.give(ID).chain, privateKey });
    assert.ok(!answer.ok && answer.error.kind === 'unavailable');
    assert.match(answer.error.detail, /^our certificate cannot be shown/);
    assert.equal(service.figures().connections, 0);
  });
});

describe('trust', () => {
  test('the document, and that it has not changed', async (context) => {
    const { client, authority } = await world(context);
    const trust = await client.trust(undefined, 0);
    const { revision } = authority.trust();
    assert.equal(trust.ok && trust.value !== 'unchanged' && trust.value.revision, revision);
    assert.deepEqual(await client.trust(revision, 0), ok('unchanged'));
    assert.equal((await client.trust('earlier', 60_000)).ok, true);
  });

  test('a long poll ends with the change', async (context) => {
    const { client, authority, service } = await world(context);
    const { revision } = authority.trust();
    const change = client.trust(revision, 60_000);
    await until('the long poll', () => service.figures().waiting === 1);
    authority.addRoot();
    const trust = await change;
    assert.equal(trust.ok && trust.value !== 'unchanged' && trust.value.bundles.get(authority.trustDomain)?.length, 2);
  });

  test('the deadline of a long poll is the wait and the timeout', async (context) => {
    const clock = createDrivenClock();
    const { client, authority, service } = await world(context, {
      deps: { timer: clock.timer },
      settings: { timeoutMs: 4_000 },
    });
    const change = client.trust(authority.trust().revision, 600_000);
    await until('the long poll', () => service.figures().waiting === 1);
    clock.advance(63_999);
    assert.equal(service.figures().waiting, 1);
    clock.advance(1);
    assert.deepEqual(await change, err({ kind: 'unavailable', detail: 'no whole answer within 64000 ms' }));
    assert.equal(clock.timers, 0);
  });

  test('an authority that cannot let us wait does not make us a flood: unchanged takes a second', async (context) => {
    const clock = createDrivenClock();
    const options = { limits: { waiters: 0 }, deps: { timer: clock.timer, clock: { ...clock, wallMs: Date.now } } };
    const { client, authority, service } = await world(context, options);
    let answer: unknown;
    const asked = client.trust(authority.trust().revision, 60_000).then((value) => (answer = value));
    await until('the early answer', () => service.figures().answers.get(304) === 1 && clock.timers === 1);
    clock.advance(999);
    await until('nothing to be left open', () => service.figures().connections === 0);
    assert.equal(answer, undefined);
    clock.advance(1);
    await asked;
    assert.deepEqual(answer, ok('unchanged'));
  });

  test('stopping ends a long poll, and nothing is asked afterwards', async (context) => {
    const { client, authority, service } = await world(context);
    const change = client.trust(authority.trust().revision, 60_000);
    await until('the long poll', () => service.figures().waiting === 1);
    await client.stop();
    const stopped = err({ kind: 'unavailable', detail: 'stopped' });
    assert.deepEqual(await change, stopped);
    await until('nobody to wait', () => service.figures().waiting === 0);
    assert.deepEqual(await client.trust(undefined, 0), stopped);
  });

  test('roots rotate: the new ones are believed at once, what is dropped is not', async (context) => {
    const { client, authority, service } = await world(context);
    const [first] = authority.roots;
    authority.addRoot();
    const unknown = await client.trust(undefined, 0);
    assert.ok(!unknown.ok && /no root that we believe|CERT/.test(unknown.error.detail), JSON.stringify(unknown));
    client.trustRoots(authority.roots);
    assert.equal((await client.trust(undefined, 0)).ok, true);
    authority.dropOldRoot();
    client.trustRoots(authority.roots);
    assert.equal((await client.trust(undefined, 0)).ok, true);
    client.trustRoots(first === undefined ? [] : [first]);
    assert.equal((await client.trust(undefined, 0)).ok, false);
    client.trustRoots([]);
    const none = { kind: 'unavailable', detail: 'there are no roots to check the authority with' };
    assert.deepEqual(await client.trust(undefined, 0), err(none));
    assert.equal(service.figures().answers.get(200), 2);
  });
});

describe('what the authority says besides', () => {
  test('429 and 503 with the time to wait', async (context) => {
    const { client, authority } = await world(context, { limits: { reads: { perSecond: 0.1, burst: 1 } } });
    assert.equal((await client.trust(undefined, 0)).ok, true);
    const detail = 'the authority has too many requests of us';
    assert.deepEqual(await client.trust(undefined, 0), err({ kind: 'unavailable', detail, retryAfterMs: 10_000 }));
    authority.answer = () => Promise.resolve(err({ kind: 'store_unavailable', detail: 'disk full' }));
    const { csr } = await freshCsr();
    const down = { kind: 'unavailable', detail: 'the authority cannot answer now (503)', retryAfterMs: 5_000 };
    assert.deepEqual(await client.enrol(csr), err(down));
  });

  test('nobody listens', async (context) => {
    const { client, service } = await world(context);
    await service.stop(0);
    const detail = 'nothing listens there (connection refused)';
    assert.deepEqual(await client.trust(undefined, 0), err({ kind: 'unavailable', detail }));
  });

  test('a host that is not known', async (context) => {
    const { client } = await world(context, { settings: { url: 'https://authority.invalid:1' } });
    const answer = await client.trust(undefined, 0);
    assert.ok(!answer.ok && /host name|failed/.test(answer.error.detail));
  });

  test('addresses instead of names, and a path before the routes', async (context) => {
    const served = await world(context);
    const at = (url: string): AuthorityClient => {
      const client = createAuthorityClient(
        { url, id: served.authority.id, method: 'join-token', token: 'x' },
        { readFile: () => Promise.resolve(err('')), clock: systemClock, timer: realTimer },
      );
      client.trustRoots(served.authority.roots);
      return client;
    };
    assert.equal((await at(`https://127.0.0.1:${served.port}`).trust(undefined, 0)).ok, true);
    const below = await at(`https://127.0.0.1:${served.port}/ca/`).trust(undefined, 0);
    assert.equal(!below.ok && below.error.kind, 'refused');
    const line = served.lines.at(-1);
    assert.equal(line?.['route'], 'GET /ca/v1/trust');
  });

  for (const id of ['', 'example.org', 'spiffe://example.org', 'spiffe://Example.org/x', 'https://example.org/x']) {
    test(`"${id}" is not the ID of an authority`, () => {
      const settings = { url: 'https://a', id, method: 'join-token', token: 'x' } as const;
      const deps = { readFile: () => Promise.resolve(err('')), clock: systemClock, timer: realTimer };
      assert.throws(() => createAuthorityClient(settings, deps), /is not the SPIFFE ID of an authority/);
    });
  }
});

describe('a server that is not our authority is told nothing', () => {
  const HOUR = 3_600_000;
  const WRONG: Readonly<Record<string, readonly [CertificateOptions & { id?: string }, RegExp]>> = {
    'another member of our domain': [
      { id: 'spiffe://example.org/other' },
      /^its certificate was refused: it is spiffe:\/\/example.org\/other, and not /,
    ],
    'an ID that begins like it': [{ id: 'spiffe://example.org/sallyport/authority2' }, /it is .*authority2, and not/],
    'two IDs': [{ uris: ['spiffe://example.org/sallyport/authority', 'spiffe://example.org/x'] }, /peer_id_ambiguous/],
    'no ID': [{ uris: [], dnsNames: ['localhost'] }, /peer_id_missing/],
    'an expired certificate': [
      { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) },
      /has expired/,
    ],
    'a certificate that is not valid yet': [{ notBefore: new Date(Date.now() + HOUR) }, /is not valid yet/],
    'a CA': [{ cA: true, keyUsage: ['digitalSignature', 'keyCertSign'] }, /peer_/],
    'a key that is for no signatures': [{ keyUsage: ['keyAgreement'] }, /./],
    'a certificate for clients alone': [{ extendedKeyUsage: [OID.clientAuth] }, /./],
    'a certificate for servers alone, which is no SVID': [{ extendedKeyUsage: [OID.serverAuth] }, /peer_/],
  };
  for (const [title, [own, detail]] of Object.entries(WRONG)) {
    test(title, async (context) => {
      const { client, authority, service } = await world(context, {}, new FakeIssuingAuthority({ own }));
      const { csr } = await freshCsr();
      const answer = await client.enrol(csr);
      assert.ok(!answer.ok && answer.error.kind === 'unavailable', JSON.stringify(answer));
      assert.match(answer.error.detail, detail);
      assert.deepEqual(authority.calls, []);
      assert.equal(service.figures().answers.size, 0);
      assert.equal(authority.tokens.get(SECRET), ID);
    });
  }

  test('one of a foreign root, and one of another trust domain with the same path', async (context) => {
    const { client, authority } = await world(context);
    client.trustRoots(createAuthority({ trustDomain: 'example.org', subject: 'Root of example.org' }).bundle);
    const foreign = await client.trust(undefined, 0);
    assert.ok(!foreign.ok && foreign.error.kind === 'unavailable');
    const other = createAuthority({ trustDomain: 'other.example' });
    authority.showAsOwn(other.issue({ id: 'spiffe://other.example/sallyport/authority' }));
    authority.publish();
    client.trustRoots(other.bundle);
    const domain = await client.trust(undefined, 0);
    assert.ok(!domain.ok && /refused/.test(domain.error.detail), JSON.stringify(domain));
  });

  test('one whose certificate its own list has: known from the answer before', async (context) => {
    const authority = new FakeIssuingAuthority();
    const { client } = await world(context, {}, authority);
    authority.showAsOwn(authority.give(authority.id).issued);
    authority.publish();
    assert.equal((await client.trust(undefined, 0)).ok, true);
    authority.revoke(authority.own().svid.serial);
    assert.equal((await client.trust(undefined, 0)).ok, true);
    const answer = await client.trust(undefined, 0);
    assert.ok(!answer.ok && answer.error.detail.includes('peer_certificate_revoked'), JSON.stringify(answer));
    authority.renewOwn();
    authority.publish();
    assert.equal((await client.trust(undefined, 0)).ok, true);
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
