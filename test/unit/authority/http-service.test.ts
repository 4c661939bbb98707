import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { parseCertificate } from '../../../src/core/identity/certificate.ts';
import { err, ok } from '../../../src/core/kernel/result.ts';
import type { IssuanceFault } from '../../../src/core/model/svid.ts';
import { createAuthorityService } from '../../../src/io/authority/http-service.ts';
import type { ServiceAccountJudge } from '../../../src/io/authority/http-settings.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { createAuthority, type Issued } from '../../support/pki.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import {
  callHttps,
  freshCsr,
  postSvid,
  serveAuthority,
  shown,
  type HttpsAnswer,
} from '../../support/served-authority.ts';
import { until } from '../../support/until.ts';

const ID = 'spiffe://example.org/ns/agents/sa/planner';
const PLENTY = { perSecond: 1_000, burst: 10_000 };
const UNLIMITED = { strangers: PLENTY, members: PLENTY, reads: PLENTY };

type Answer = {
  readonly spiffe_id: string;
  readonly chain: readonly string[];
  readonly not_after: string;
  readonly trust: Trust;
};
type Trust = {
  readonly revision: string;
  readonly bundles: Readonly<Record<string, readonly string[]>>;
  readonly crls: readonly string[];
  readonly refresh_hint?: number;
};

const base64 = (list: readonly Uint8Array[]): readonly string[] => list.map((der) => der.toBase64());

/** A member of the authority's domain with a certificate that it may renew. */
function member(
  authority: FakeIssuingAuthority,
  id = ID,
): { issued: Issued; serial: string; tls: ReturnType<typeof shown> } {
  const { issued, serial, chain } = authority.give(id);
  return { issued, serial, tls: shown(chain, issued.privateKey) };
}

/** A refusal says nothing but that it is one. */
function assertRefused(answer: HttpsAnswer, title = ''): void {
  assert.equal(answer.status, 403, title);
  assert.equal(answer.headers['content-type'], 'application/problem+json', title);
  const body = '{"type":"about:blank","title":"refused","status":403,"kind":"refused"}';
  assert.equal(answer.body.toString(), body, title);
}

describe('enrolment', () => {
  test('by a join token: a certificate for the key of the request, and whom to believe', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    served.authority.tokens.set('token-1', ID);
    const { csr, base64: text, privateKey } = await freshCsr();
    const answer = await postSvid(served.port, { csr: text, method: 'join-token', token: 'token-1' });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.equal(answer.headers['cache-control'], 'no-store');
    const { spiffe_id, chain, not_after, trust } = answer.json as Answer;
    assert.equal(spiffe_id, ID);
    const leaf = new X509Certificate(Buffer.from(chain[0] ?? '', 'base64'));
    assert.equal(leaf.checkPrivateKey(privateKey), true);
    assert.equal(Date.parse(not_after), leaf.validToDate.getTime());
    assert.deepEqual(trust.bundles, { 'example.org': base64(served.authority.roots) });
    assert.deepEqual(trust.crls, base64(served.authority.trust().crls));
    assert.deepEqual([trust.revision, trust.refresh_hint], [served.authority.trust().revision, 300]);
    const [call] = served.authority.calls;
    assert.deepEqual(call?.attestation, { kind: 'join-token', token: 'token-1' });
    assert.deepEqual([call?.source, Buffer.from(call?.csr ?? [])], ['127.0.0.1', Buffer.from(csr)]);
  });

  test('a token that was used, and two who use one at once: exactly one is served', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits: UNLIMITED });
    served.authority.tokens.set('token-1', ID);
    const { base64: text } = await freshCsr();
    const ask = { csr: text, method: 'join-token', token: 'token-1' };
    const answers = await Promise.all(Array.from({ length: 8 }, () => postSvid(served.port, ask)));
    assert.equal(answers.filter((one) => one.status === 200).length, 1);
    for (const other of answers.filter((one) => one.status !== 200)) assertRefused(other);
    assertRefused(await postSvid(served.port, ask));
  });

  const REVIEWER: ServiceAccountJudge = {
    review: (token) => {
      if (token === 'down') return Promise.resolve(err({ kind: 'unavailable', detail: 'down' }));
      if (token === 'broken') return Promise.reject(new Error('broken'));
      if (token !== 'good') return Promise.resolve(err({ kind: 'refused', detail: 'not known' }));
      const pod = { name: 'planner-1', uid: 'u1' };
      return Promise.resolve(ok({ kind: 'kubernetes', namespace: 'agents', serviceAccount: 'planner', pod }));
    },
  };

  test('by a service account token that the API server knows', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { reviewer: REVIEWER });
    const { base64: text } = await freshCsr();
    const answer = await postSvid(served.port, { csr: text, method: 'kubernetes', token: 'good' });
    assert.equal((answer.json as Answer).spiffe_id, ID);
    const pod = { name: 'planner-1', uid: 'u1' };
    const attestation = { kind: 'kubernetes', namespace: 'agents', serviceAccount: 'planner', pod };
    assert.deepEqual(served.authority.calls[0]?.attestation, attestation);
  });

  for (const [token, status, reason] of [
    ['bad', 403, 'token_refused'],
    ['down', 503, 'review_unavailable'],
    ['broken', 503, 'internal'],
  ] as const) {
    test(`a service account token whose review is ${token}: ${status}, and nothing is issued`, async (context) => {
      const served = await serveAuthority(context, new FakeIssuingAuthority(), { reviewer: REVIEWER });
      const { base64: text } = await freshCsr();
      const answer = await postSvid(served.port, { csr: text, method: 'kubernetes', token });
      assert.deepEqual([answer.status, served.lastReason()], [status, reason]);
      assert.equal(answer.headers['retry-after'], status === 503 ? '5' : undefined);
      assert.deepEqual(served.authority.calls, []);
      assert.ok(!JSON.stringify(served.lines).includes(text));
    });
  }

  test('without a reviewer no service account token is taken', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    const { base64: text } = await freshCsr();
    assertRefused(await postSvid(served.port, { csr: text, method: 'kubernetes', token: 'good' }));
    assert.equal(served.lastReason(), 'method_off');
  });

  const OUTCOMES: Readonly<Record<IssuanceFault['kind'], number>> = {
    csr_malformed: 403,
    csr_signature_invalid: 403,
    csr_key_refused: 403,
    caller_refused: 403,
    id_refused: 403,
    lifetime_refused: 403,
    rate_limited: 429,
    certificate_refused: 503,
    issuer_unavailable: 503,
    store_unavailable: 503,
  };
  for (const [kind, status] of Object.entries(OUTCOMES)) {
    test(`what the authority answers ${kind} is ${status} on the wire, and its reason only in the log`, async (context) => {
      const served = await serveAuthority(context, new FakeIssuingAuthority());
      const detail = 'for the operator';
      served.authority.answer = () => Promise.resolve(err({ kind: kind as IssuanceFault['kind'], detail }));
      const { base64: text } = await freshCsr();
      const answer = await postSvid(served.port, { csr: text, method: 'join-token', token: 'x' });
      assert.equal(answer.status, status);
      assert.equal(answer.headers['retry-after'], status === 403 ? undefined : '5');
      assert.ok(!answer.body.toString().includes(kind) || kind === 'rate_limited');
      assert.ok(!answer.body.toString().includes(detail));
      if (status === 403) assertRefused(answer);
      assert.equal(served.lastReason(), kind);
      assert.equal(served.lines.at(-1)?.['detail'], detail);
    });
  }

  test('an authority that throws is not available, and says so in the log alone', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    served.authority.answer = () => Promise.reject(new Error('a bug'));
    const { base64: text } = await freshCsr();
    const answer = await postSvid(served.port, { csr: text, method: 'join-token', token: 'x' });
    assert.equal(answer.status, 503);
    assert.ok(!answer.body.toString().includes('bug'));
    assert.ok(served.lines.some((line) => line.level === 'error' && String(line['error']).includes('a bug')));
    assert.equal(served.service.figures().working, 0);
  });
});

describe('renewal by the certificate in force', () => {
  test('a good certificate is renewed for its own ID', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    const { tls, serial } = member(served.authority);
    const { base64: text } = await freshCsr();
    const answer = await postSvid(served.port, { csr: text }, tls);
    assert.equal((answer.json as Answer).spiffe_id, ID);
    assert.deepEqual(served.authority.calls[0]?.attestation, { kind: 'certificate', spiffeId: ID, serial });
  });

  test('a certificate of a root that was added later, also when the first is gone', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    served.authority.addRoot();
    const { tls } = member(served.authority);
    const { base64: text } = await freshCsr();
    await until(
      'the new root to be in use',
      async () => (await postSvid(served.port, { csr: text }, tls)).status === 200,
    );
    served.authority.dropOldRoot();
    assert.equal((await postSvid(served.port, { csr: text }, tls)).status, 200);
  });

  const HOUR = 3_600_000;
  type Bad = (authority: FakeIssuingAuthority) => ReturnType<typeof shown>;
  const foreign = createAuthority();
  const BAD: Readonly<Record<string, readonly [Bad, RegExp]>> = {
    'no certificate': [() => ({}), /neither a token nor a certificate/],
    'a certificate that is revoked in the store, before a list says so': [
      (authority) => {
        const one = member(authority);
        authority.revoke(one.serial, false);
        return one.tls;
      },
      /is revoked, ended or not ours/,
    ],
    'a certificate that the list has': [
      (authority) => {
        const one = member(authority);
        authority.revoke(one.serial);
        return one.tls;
      },
      /peer_certificate_revoked/,
    ],
    'an expired one': [
      (authority) => {
        const times = { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) };
        const { issued, chain } = authority.give(ID, times);
        return shown(chain, issued.privateKey);
      },
      /peer_certificate_expired/,
    ],
    'one that is not valid yet': [
      (authority) => {
        const { issued, chain } = authority.give(ID, { notBefore: new Date(Date.now() + HOUR) });
        return shown(chain, issued.privateKey);
      },
      /peer_certificate_not_yet_valid/,
    ],
    'one of a foreign authority for our trust domain': [
      () => {
        const issued = foreign.issue({ id: ID });
        return shown(issued.chain, issued.privateKey);
      },
      /peer_/,
    ],
    'one of another trust domain': [
      () => {
        const issued = createAuthority({ trustDomain: 'other.example' }).issue();
        return shown(issued.chain, issued.privateKey);
      },
      /peer_trust_domain_unknown/,
    ],
    'a certificate that signs itself': [
      () => {
        const issued = createAuthority().certificate;
        return shown([issued.der], issued.privateKey);
      },
      /peer_/,
    ],
    'one of ours that the store does not know': [
      (authority) => {
        const { issued, chain } = authority.give(ID, {}, false);
        return shown(chain, issued.privateKey);
      },
      /is revoked, ended or not ours/,
    ],
    'one with two IDs': [
      (authority) => {
        const { issued, chain } = authority.give(ID, { uris: [ID, 'spiffe://example.org/admin'] });
        return shown(chain, issued.privateKey);
      },
      /peer_id_ambiguous/,
    ],
    'one that is a CA': [
      (authority) => {
        const { issued, chain } = authority.give(ID, { cA: true });
        return shown(chain, issued.privateKey);
      },
      /peer_/,
    ],
  };
  for (const [title, [make, detail]] of Object.entries(BAD)) {
    test(`${title}: refused, nothing is asked of the authority`, async (context) => {
      const served = await serveAuthority(context, new FakeIssuingAuthority());
      const tls = make(served.authority);
      const { base64: text } = await freshCsr();
      assertRefused(await postSvid(served.port, { csr: text }, tls));
      assert.match(String(served.lines.at(-1)?.['detail']), detail);
      assert.deepEqual(served.authority.calls, []);
    });
  }

  test('the serial of a good certificate on one of another ID: the authority is told the ID that was proven', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    const { serial } = member(served.authority);
    const twin = served.authority.give('spiffe://example.org/admin', { serial: BigInt(`0x${serial}`) }, false);
    const { base64: text } = await freshCsr();
    assertRefused(await postSvid(served.port, { csr: text }, shown(twin.chain, twin.issued.privateKey)));
    const attestation = { kind: 'certificate', spiffeId: 'spiffe://example.org/admin', serial };
    assert.deepEqual(served.authority.calls[0]?.attestation, attestation);
    assert.equal(served.lastReason(), 'caller_refused');
  });

  test("another's certificate without its key makes no connection", async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    const { issued } = member(served.authority);
    const { base64: text } = await freshCsr();
    const stolen = shown(issued.chain, createKeyPair().privateKey);
    await assert.rejects(postSvid(served.port, { csr: text }, stolen), /key values mismatch/);
    assert.deepEqual(served.authority.calls, []);
  });

  test('a bad certificate does not stand in the way of a token', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    served.authority.tokens.set('token-1', ID);
    const one = member(served.authority);
    served.authority.revoke(one.serial);
    const { base64: text } = await freshCsr();
    const answer = await postSvid(served.port, { csr: text, method: 'join-token', token: 'token-1' }, one.tls);
    assert.equal(answer.status, 200);
  });
});

describe('a request that is none is refused, and says no more than any other refusal', () => {
  const csr = 'MAA=';
  const BODIES: readonly (readonly [string, string | Uint8Array])[] = [
    ['nothing', ''],
    ['no JSON', 'csr=MAA='],
    ['an array', '[]'],
    ['null', 'null'],
    ['a text', '"csr"'],
    ['no csr', '{}'],
    ['an empty csr', '{"csr":""}'],
    ['a csr that is a number', '{"csr":1}'],
    ['a csr that is no base64', '{"csr":"MAA"}'],
    ['a csr in base64url', '{"csr":"__8="}'],
    ['an unknown key', JSON.stringify({ csr, id: ID })],
    ['a SPIFFE ID of its own choice', JSON.stringify({ csr, method: 'join-token', token: 'x', spiffe_id: ID })],
    ['a prototype', '{"csr":"MAA=","__proto__":{"method":"join-token"}}'],
    ['a key twice', '{"csr":"MAA=","csr":"MAA="}'],
    ['a key twice in another spelling', '{"csr":"MAA=","\\u0063sr":"MAA="}'],
    ['a method without a token', JSON.stringify({ csr, method: 'join-token' })],
    ['a token without a method', JSON.stringify({ csr, token: 'x' })],
    ['an unknown method', JSON.stringify({ csr, method: 'password', token: 'x' })],
    ['a method that is null', JSON.stringify({ csr, method: null, token: null })],
    ['an empty token', JSON.stringify({ csr, method: 'join-token', token: '' })],
    ['a token with a space', JSON.stringify({ csr, method: 'join-token', token: 'a b' })],
    ['a token with a line end', JSON.stringify({ csr, method: 'join-token', token: 'a\n' })],
    ['a token that is a list', JSON.stringify({ csr, method: 'join-token', token: ['x'] })],
    ['a token of 16 KiB and one', JSON.stringify({ csr, method: 'join-token', token: 'x'.repeat(16_385) })],
    ['more than 64 KiB', JSON.stringify({ csr: 'A'.repeat(65_536) })],
    ['nesting', `{"csr":${'['.repeat(300)}${']'.repeat(300)}}`],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['a byte order mark', '\ufeff{"csr":"MAA="}'],
    ['more after it', '{"csr":"MAA="}{}'],
  ];
  test('bodies', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits: UNLIMITED });
    for (const [title, body] of BODIES) {
      const headers = { 'content-type': 'application/json' };
      assertRefused(await callHttps({ port: served.port, method: 'POST', path: '/v1/svid', headers, body }), title);
      assert.equal(served.lastReason(), 'request_malformed', title);
    }
    assert.deepEqual(served.authority.calls, []);
  });

  const JSON_TYPE = { 'content-type': 'application/json' };
  const good = JSON.stringify({ csr, method: 'join-token', token: 'x' });
  const REQUESTS: readonly (readonly [
    string,
    string,
    string,
    Readonly<Record<string, string>>,
    string | undefined,
    string,
  ])[] = [
    ['no content type', 'POST', '/v1/svid', {}, good, 'request_malformed'],
    ['a form', 'POST', '/v1/svid', { 'content-type': 'text/plain' }, good, 'request_malformed'],
    [
      'another charset',
      'POST',
      '/v1/svid',
      { 'content-type': 'application/json; charset=utf-16' },
      good,
      'request_malformed',
    ],
    ['a compressed body', 'POST', '/v1/svid', { ...JSON_TYPE, 'content-encoding': 'gzip' }, good, 'request_malformed'],
    ['a query', 'POST', '/v1/svid?x=1', JSON_TYPE, good, 'request_malformed'],
    ['a page of another site', 'POST', '/v1/svid', { ...JSON_TYPE, origin: 'https://evil.example' }, good, 'browser'],
    ['a page without origin', 'POST', '/v1/svid', { ...JSON_TYPE, origin: 'null' }, good, 'browser'],
    ['a browser', 'GET', '/v1/trust', { 'sec-fetch-site': 'none' }, undefined, 'browser'],
    ['preflight', 'OPTIONS', '/v1/svid', { origin: 'https://evil.example' }, undefined, 'browser'],
    ['another method', 'GET', '/v1/svid', {}, undefined, 'route_unknown'],
    ['PUT', 'PUT', '/v1/svid', JSON_TYPE, good, 'route_unknown'],
    ['POST of trust', 'POST', '/v1/trust', JSON_TYPE, good, 'route_unknown'],
    ['another path', 'GET', '/', {}, undefined, 'route_unknown'],
    ['a path that is nearly one', 'GET', '/v1/trust/', {}, undefined, 'route_unknown'],
    ['dots', 'GET', '/v1/../v1/trust', {}, undefined, 'route_unknown'],
    ['percent encoding', 'GET', '/v1/%74rust', {}, undefined, 'route_unknown'],
    ['absolute form', 'GET', 'https://authority/v1/trust', {}, undefined, 'route_unknown'],
    ['a GET with a body', 'GET', '/v1/trust', { 'content-length': '2' }, '{}', 'request_malformed'],
    ['a bundle with a query', 'GET', '/v1/bundle?x', {}, undefined, 'request_malformed'],
    ['an unknown parameter', 'GET', '/v1/trust?since=1', {}, undefined, 'request_malformed'],
    ['a parameter twice', 'GET', '/v1/trust?wait=1&wait=1', {}, undefined, 'request_malformed'],
    ['a wait that is no number', 'GET', '/v1/trust?wait=1e3', {}, undefined, 'request_malformed'],
    ['a wait below zero', 'GET', '/v1/trust?wait=-1', {}, undefined, 'request_malformed'],
    ['an empty revision', 'GET', '/v1/trust?revision=', {}, undefined, 'request_malformed'],
    ['a revision with a space', 'GET', '/v1/trust?revision=a+b', {}, undefined, 'request_malformed'],
    ['a long revision', 'GET', `/v1/trust?revision=${'a'.repeat(257)}`, {}, undefined, 'request_malformed'],
  ];
  test('requests', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits: UNLIMITED });
    for (const [title, method, path, headers, body, reason] of REQUESTS) {
      assertRefused(
        await callHttps({ port: served.port, method, path, headers, ...(body !== undefined && { body }) }),
        title,
      );
      assert.equal(served.lastReason(), reason, title);
    }
    assert.deepEqual(served.authority.calls, []);
    assert.equal(served.service.figures().answers.get(403), REQUESTS.length);
  });
});

function get(port: number, path: string): Promise<HttpsAnswer> {
  return callHttps({ port, path });
}

describe('what anybody may read', () => {
  test('the trust document', async (context) => {
    const { port, authority } = await serveAuthority(context, new FakeIssuingAuthority());
    authority.refreshHintMs = undefined;
    const trust = (await get(port, '/v1/trust')).json as Trust;
    const { revision } = authority.trust();
    assert.deepEqual(trust, {
      revision,
      bundles: { 'example.org': base64(authority.roots) },
      crls: base64(authority.trust().crls),
    });
    const again = await get(port, `/v1/trust?revision=${revision}`);
    assert.deepEqual([again.status, again.body.length], [304, 0]);
    assert.deepEqual((await get(port, '/v1/trust?revision=other&wait=60')).json, trust);
  });

  test('a long poll is answered when trust changes, and by nothing before', async (context) => {
    const clock = createDrivenClock();
    const { port, authority, service } = await serveAuthority(context, new FakeIssuingAuthority(), {
      timer: clock.timer,
    });
    const { revision } = authority.trust();
    const answer = get(port, `/v1/trust?revision=${revision}&wait=60`);
    await until('the long poll', () => service.figures().waiting === 1);
    clock.advance(59_999);
    assert.equal(service.figures().waiting, 1);
    authority.addRoot();
    const trust = (await answer).json as Trust;
    assert.equal(trust.bundles['example.org']?.length, 2);
    assert.notEqual(trust.revision, revision);
    assert.equal(service.figures().waiting, 0);
  });

  for (const [wait, ms] of [
    ['7', 7_000],
    ['600', 60_000],
  ] as const) {
    test(`a long poll of ${wait} s ends after ${ms} ms`, async (context) => {
      const clock = createDrivenClock();
      const { port, authority, service } = await serveAuthority(context, new FakeIssuingAuthority(), {
        timer: clock.timer,
      });
      const answer = get(port, `/v1/trust?revision=${authority.trust().revision}&wait=${wait}`);
      await until('the long poll', () => service.figures().waiting === 1);
      clock.advance(ms - 1);
      assert.equal(service.figures().waiting, 1);
      clock.advance(1);
      assert.equal((await answer).status, 304);
    });
  }

  test('where too many wait already, in all or of one source, the answer comes at once', async (context) => {
    for (const limits of [{ waiters: 2 }, { waitersPerSource: 2 }]) {
      const { port, authority, service } = await serveAuthority(context, new FakeIssuingAuthority(), { limits });
      const path = `/v1/trust?revision=${authority.trust().revision}&wait=60`;
      const waiting = [get(port, path), get(port, path)];
      await until('two long polls', () => service.figures().waiting === 2);
      assert.equal((await get(port, path)).status, 304);
      authority.publish();
      assert.deepEqual(
        (await Promise.all(waiting)).map((one) => one.status),
        [200, 200],
      );
    }
  });

  test('who goes away waits no more', async (context) => {
    const { port, authority, service } = await serveAuthority(context, new FakeIssuingAuthority());
    const leaving = new AbortController();
    const path = `/v1/trust?revision=${authority.trust().revision}&wait=60`;
    const answer = callHttps({ port, path, signal: leaving.signal });
    await until('the long poll', () => service.figures().waiting === 1);
    leaving.abort();
    await assert.rejects(answer);
    await until('nobody to wait', () => service.figures().waiting === 0 && service.figures().connections === 0);
  });

  test('stopping lets those who wait go with what there is', async (context) => {
    const { port, authority, service } = await serveAuthority(context, new FakeIssuingAuthority());
    const answer = get(port, `/v1/trust?revision=${authority.trust().revision}&wait=60`);
    await until('the long poll', () => service.figures().waiting === 1);
    await service.stop(10_000);
    assert.equal((await answer).status, 304);
    await assert.rejects(get(port, '/v1/trust'), /ECONNREFUSED/);
  });

  test('the SPIFFE bundle', async (context) => {
    const { port, authority } = await serveAuthority(context, new FakeIssuingAuthority());
    const answer = await get(port, '/v1/bundle');
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.deepEqual(answer.json, { keys: [], spiffe_sequence: 1, revision: authority.trust().revision });
  });

  test('RFC 2585 4: the list, over HTTPS and over the plain listener, which has nothing else', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { plainCrl: true });
    const list = Buffer.from(served.authority.trust().crls[0] ?? []);
    const answer = await get(served.port, '/v1/crl');
    assert.equal(answer.headers['content-type'], 'application/pkix-crl');
    assert.deepEqual(answer.body, list);
    const plain = `http://127.0.0.1:${served.crlPort}`;
    assert.deepEqual(Buffer.from(await (await fetch(`${plain}/v1/crl`)).arrayBuffer()), list);
    for (const path of ['/v1/trust', '/v1/bundle', '/']) assert.equal((await fetch(plain + path)).status, 403);
    assert.equal((await fetch(`${plain}/v1/svid`, { method: 'POST', body: '{}' })).status, 403);
  });

  test('of several lists that of the issuer of now, else the newest; and none', async (context) => {
    const { port, authority } = await serveAuthority(context, new FakeIssuingAuthority());
    const ca = createAuthority();
    const others = [3, 1, 2].map((minutes) => ca.crl({ thisUpdate: new Date(Date.now() - minutes * 60_000) }).der);
    const [own] = authority.trust().crls;
    authority.alter = (trust) => ({
      ...trust,
      crls: [...others, ...trust.crls, ca.crl({ thisUpdate: new Date() }).der],
    });
    assert.deepEqual((await get(port, '/v1/crl')).body, Buffer.from(own ?? []));
    authority.alter = (trust) => ({ ...trust, crls: [Uint8Array.of(1), ...others] });
    assert.deepEqual((await get(port, '/v1/crl')).body, Buffer.from(others[1] ?? []));
    authority.alter = (trust) => ({ ...trust, crls: [] });
    assert.equal((await get(port, '/v1/crl')).status, 503);
  });
});

describe('limits', () => {
  test('strangers by their source: the burst, then 429 with the time to wait; a failure counts for five', async (context) => {
    const clock = createDrivenClock();
    const limits = { strangers: { perSecond: 1, burst: 10 } };
    const served = await serveAuthority(context, new FakeIssuingAuthority(), {
      clock: { ...clock, wallMs: Date.now },
      limits,
    });
    const { base64: text } = await freshCsr();
    const ask = (token: string): Promise<HttpsAnswer> =>
      postSvid(served.port, { csr: text, method: 'join-token', token });
    for (let index = 0; index < 5; index++) served.authority.tokens.set(`t${index}`, ID);
    for (let index = 0; index < 5; index++) assert.equal((await ask(`t${index}`)).status, 200);
    assert.equal((await ask('wrong')).status, 403);
    const limited = await ask('wrong');
    assert.deepEqual([limited.status, limited.headers['retry-after']], [429, '1']);
    assert.deepEqual(limited.json, {
      type: 'about:blank',
      title: 'too many requests',
      status: 429,
      kind: 'rate_limited',
    });
    assert.equal(served.authority.calls.length, 6);
    clock.advance(1_000);
    assert.equal((await ask('wrong')).status, 403);
    assert.equal((await ask('wrong')).headers['retry-after'], '5');
  });

  test('a member renews although its source is over its limit, and is limited by its ID', async (context) => {
    const limits = { strangers: { perSecond: 0.01, burst: 1 }, members: { perSecond: 0.01, burst: 2 } };
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits });
    const { base64: text } = await freshCsr();
    const { tls } = member(served.authority);
    const other = member(served.authority, 'spiffe://example.org/other');
    assert.equal((await postSvid(served.port, { csr: text })).status, 403);
    assert.equal((await postSvid(served.port, { csr: text })).status, 429);
    assert.equal((await postSvid(served.port, { csr: text }, tls)).status, 200);
    assert.equal((await postSvid(served.port, { csr: text }, tls)).status, 200);
    assert.equal((await postSvid(served.port, { csr: text }, tls)).status, 429);
    assert.equal((await postSvid(served.port, { csr: text }, other.tls)).status, 200);
  });

  test('reading is limited by source', async (context) => {
    const limits = { reads: { perSecond: 0.1, burst: 3 } };
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits });
    for (const path of ['/v1/trust', '/v1/bundle', '/v1/crl']) {
      assert.equal((await callHttps({ port: served.port, path })).status, 200);
    }
    const answer = await callHttps({ port: served.port, path: '/v1/trust' });
    assert.deepEqual([answer.status, answer.headers['retry-after']], [429, '10']);
  });

  test('more requests at once than may be worked on are told to come back', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits: { issuing: 1 } });
    const { base64: text } = await freshCsr();
    const go = Promise.withResolvers<void>();
    served.authority.answer = async () => {
      await go.promise;
      return ok(served.authority.give(ID));
    };
    const ask = { csr: text, method: 'join-token', token: 'x' };
    const first = postSvid(served.port, ask);
    await until('the first', () => served.service.figures().working === 1);
    const second = await postSvid(served.port, ask);
    assert.deepEqual([second.status, second.headers['retry-after']], [503, '1']);
    go.resolve();
    assert.equal((await first).status, 200);
  });

  test('refusals do not flood the log: what is left out is counted', async (context) => {
    const clock = createDrivenClock();
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { clock: { ...clock, wallMs: Date.now } });
    for (let index = 0; index < 130; index++) await callHttps({ port: served.port, path: '/' });
    assert.equal(served.lines.length, 100);
    clock.advance(1_000);
    await callHttps({ port: served.port, path: '/' });
    assert.equal(served.lines.at(-1)?.['leftOut'], 30);
  });
});

describe('the certificate of the authority itself', () => {
  test('a new one is shown to new connections without dropping those that are open', async (context) => {
    const clock = createDrivenClock();
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { timer: clock.timer });
    const path = `/v1/trust?revision=${served.authority.trust().revision}&wait=60`;
    const open = callHttps({ port: served.port, path });
    await until('the long poll', () => served.service.figures().waiting === 1);
    const before = await shownSerial(served.port);
    served.authority.renewOwn();
    clock.advance(500);
    const after = await shownSerial(served.port);
    assert.notEqual(after, before);
    assert.equal(after, served.authority.own().svid.serial);
    served.authority.publish();
    assert.equal((await open).status, 200);
  });

  test('one that cannot be used is reported, and the last one stays in use', async (context) => {
    const clock = createDrivenClock();
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { timer: clock.timer });
    const before = await shownSerial(served.port);
    served.authority.showAsOwn({ ...createAuthority().issue(), privateKey: createKeyPair().privateKey });
    clock.advance(500);
    assert.equal(served.lines.filter((line) => line.level === 'error').length, 1);
    assert.equal(await shownSerial(served.port), before);
  });

  test('an address that cannot be had is told, and nothing stays open', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    const timers = createDrivenClock();
    const second = createAuthorityService(
      { listen: { host: '127.0.0.1', port: 0 }, crlListen: { host: '127.0.0.1', port: served.port } },
      {
        authority: served.authority,
        formatBundle: () => '',
        clock: timers,
        timer: timers.timer,
        log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      },
    );
    await assert.rejects(second.start(), /EADDRINUSE/);
    assert.equal(timers.timers, 0);
  });
});

async function shownSerial(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      const der = socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0);
      const leaf = parseCertificate(der);
      socket.destroy();
      if (leaf.ok) resolve(leaf.value.serial);
      else reject(new Error(leaf.error.detail));
    });
    socket.on('error', reject);
  });
}
