import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createDrivenClock } from '../../support/driven-clock.ts';
import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { createAuthority } from '../../support/pki.ts';
import { callHttps, serveAuthority, type HttpsAnswer, type TrustOnWire } from '../../support/served-authority.ts';
import { until } from '../../support/until.ts';

const base64 = (list: readonly Uint8Array[]): readonly string[] => list.map((der) => der.toBase64());

function get(port: number, path: string): Promise<HttpsAnswer> {
  return callHttps({ port, path });
}

describe('what anybody may read', () => {
  test('the trust document', async (context) => {
    const { port, authority } = await serveAuthority(context, new FakeIssuingAuthority());
    authority.refreshHintMs = undefined;
    const trust = (await get(port, '/v1/trust')).json as TrustOnWire;
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
    const trust = (await answer).json as TrustOnWire;
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
