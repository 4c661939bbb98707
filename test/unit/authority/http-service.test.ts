import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';

import { err, ok } from '../../../src/core/kernel/result.ts';
import type { IssuanceFault } from '../../../src/core/model/svid.ts';
import type { ServiceAccountJudge } from '../../../src/io/authority/service-account-judge.ts';
import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { createAuthority } from '../../support/pki.ts';
import {
  assertRefused,
  freshCsr,
  member,
  MEMBER_ID,
  postSvid,
  serveAuthority,
  shown,
  UNLIMITED,
  type TrustOnWire,
} from '../../support/served-authority.ts';
import { until } from '../../support/until.ts';

type Answer = {
  readonly spiffe_id: string;
  readonly chain: readonly string[];
  readonly not_after: string;
  readonly trust: TrustOnWire;
};

const base64 = (list: readonly Uint8Array[]): readonly string[] => list.map((der) => der.toBase64());

describe('enrolment', () => {
  test('by a join token: a certificate for the key of the request, and whom to believe', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    served.authority.tokens.set('token-1', MEMBER_ID);
    const { csr, base64: text, privateKey } = await freshCsr();
    const answer = await postSvid(served.port, { csr: text, method: 'join-token', token: 'token-1' });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.equal(answer.headers['cache-control'], 'no-store');
    const { spiffe_id, chain, not_after, trust } = answer.json as Answer;
    assert.equal(spiffe_id, MEMBER_ID);
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
    served.authority.tokens.set('token-1', MEMBER_ID);
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
    assert.equal((answer.json as Answer).spiffe_id, MEMBER_ID);
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
    csr_asks_for_more: 403,
    caller_refused: 403,
    id_refused: 403,
    lifetime_refused: 403,
    rate_limited: 429,
    proof_unavailable: 503,
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
  test('a good certificate is renewed for its own MEMBER_ID', async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    const { tls, serial } = member(served.authority);
    const { base64: text } = await freshCsr();
    const answer = await postSvid(served.port, { csr: text }, tls);
    assert.equal((answer.json as Answer).spiffe_id, MEMBER_ID);
    assert.deepEqual(served.authority.calls[0]?.attestation, { kind: 'certificate', spiffeId: MEMBER_ID, serial });
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
        const { issued, chain } = authority.give(MEMBER_ID, times);
        return shown(chain, issued.privateKey);
      },
      /peer_certificate_expired/,
    ],
    'one that is not valid yet': [
      (authority) => {
        const { issued, chain } = authority.give(MEMBER_ID, { notBefore: new Date(Date.now() + HOUR) });
        return shown(chain, issued.privateKey);
      },
      /peer_certificate_not_yet_valid/,
    ],
    'one of a foreign authority for our trust domain': [
      () => {
        const issued = foreign.issue({ id: MEMBER_ID });
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
        const { issued, chain } = authority.give(MEMBER_ID, {}, false);
        return shown(chain, issued.privateKey);
      },
      /is revoked, ended or not ours/,
    ],
    'one with two IDs': [
      (authority) => {
        const { issued, chain } = authority.give(MEMBER_ID, { uris: [MEMBER_ID, 'spiffe://example.org/admin'] });
        return shown(chain, issued.privateKey);
      },
      /peer_id_ambiguous/,
    ],
    'one that is a CA': [
      (authority) => {
        const { issued, chain } = authority.give(MEMBER_ID, { cA: true });
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

  test('the serial of a good certificate on one of another MEMBER_ID: the authority is told the MEMBER_ID that was proven', async (context) => {
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
    served.authority.tokens.set('token-1', MEMBER_ID);
    const one = member(served.authority);
    served.authority.revoke(one.serial);
    const { base64: text } = await freshCsr();
    const answer = await postSvid(served.port, { csr: text, method: 'join-token', token: 'token-1' }, one.tls);
    assert.equal(answer.status, 200);
  });
});
