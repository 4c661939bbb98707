import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { assertRefused, callHttps, MEMBER_ID, serveAuthority, UNLIMITED } from '../../support/served-authority.ts';

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
    ['an unknown key', JSON.stringify({ csr, id: MEMBER_ID })],
    [
      'a SPIFFE MEMBER_ID of its own choice',
      JSON.stringify({ csr, method: 'join-token', token: 'x', spiffe_id: MEMBER_ID }),
    ],
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
