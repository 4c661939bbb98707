import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { err, ok } from '../../../src/core/kernel/result.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import {
  callHttps,
  freshCsr,
  member,
  MEMBER_ID,
  postSvid,
  serveAuthority,
  type HttpsAnswer,
} from '../../support/served-authority.ts';
import { until } from '../../support/until.ts';

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
    for (let index = 0; index < 5; index++) served.authority.tokens.set(`t${index}`, MEMBER_ID);
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

  test('a member renews although its source is over its limit, and is limited by its MEMBER_ID', async (context) => {
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
      return ok(served.authority.give(MEMBER_ID));
    };
    const ask = { csr: text, method: 'join-token', token: 'x' };
    const first = postSvid(served.port, ask);
    await until('the first', () => served.service.figures().working === 1);
    const second = await postSvid(served.port, ask);
    assert.deepEqual([second.status, second.headers['retry-after']], [503, '1']);
    go.resolve();
    assert.equal((await first).status, 200);
  });

  for (const [whose, limits] of [
    ['all', { connections: 8 }],
    ['its source', { connectionsPerSource: 8 }],
  ] as const) {
    test(`long polls leave a quarter of the connections of ${whose} to those who renew`, async (context) => {
      const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits });
      const { revision } = served.authority.trust();
      const { base64: text } = await freshCsr();
      const { tls } = member(served.authority);
      const leave = new AbortController();
      const path = `/v1/trust?revision=${revision}&wait=60`;
      const polls = Array.from({ length: 6 }, () => callHttps({ port: served.port, path, signal: leave.signal }));
      const ends = Promise.allSettled(polls);
      await until('all wait', () => served.service.figures().waiting === 6);
      assert.equal((await callHttps({ port: served.port, path })).status, 304);
      assert.equal((await callHttps({ port: served.port, path })).status, 304);
      assert.equal((await postSvid(served.port, { csr: text }, tls)).status, 200);
      leave.abort();
      await ends;
    });
  }

  test('strangers leave a quarter of the work at once to members: whoever has slow tokens checked does not stop renewals', async (context) => {
    const stuck = Promise.withResolvers<void>();
    const reviewer = {
      review: async () => {
        await stuck.promise;
        return err({ kind: 'refused', detail: 'x' } as const);
      },
    };
    const served = await serveAuthority(context, new FakeIssuingAuthority(), { reviewer, limits: { issuing: 4 } });
    const { base64: text } = await freshCsr();
    const { tls } = member(served.authority);
    const ask = { csr: text, method: 'kubernetes', token: 'x' };
    const strangers = Array.from({ length: 3 }, () => postSvid(served.port, ask));
    await until('all work', () => served.service.figures().working === 3);
    assert.equal((await postSvid(served.port, ask)).status, 503);
    assert.equal((await postSvid(served.port, { csr: text }, tls)).status, 200);
    stuck.resolve();
    assert.deepEqual(
      (await Promise.all(strangers)).map(({ status }) => status),
      [403, 403, 403],
    );
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
