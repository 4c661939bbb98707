import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { answer } from '../../../support/json-builtin.ts';

const CONFIG = {
  aws_access_key: 'an access key',
  aws_secret_access_key: 'a secret',
  aws_service: 'ec2',
  aws_region: 'eu-west-1',
};
const REQUEST = { method: 'GET', url: 'https://host.example:8443/a%20b/c?x=1&y' };
/** 2020-01-02T03:04:05.5Z */
const NS = 1_577_934_245_500_000_000n;

type Signed = { readonly headers: Readonly<Record<string, string>> } & Readonly<Record<string, unknown>>;

function signed(request: object = {}, config: object = {}, ns: unknown = NS): Signed | undefined {
  return answer('providers.aws.sign_req', [{ ...REQUEST, ...request }, { ...CONFIG, ...config }, ns]) as
    | Signed
    | undefined;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function bodyHash(request: object, config: object = {}): string | undefined {
  return signed(request, { aws_service: 's3', ...config })?.headers['x-amz-content-sha256'];
}

function authorization(headers: object, request: object = {}, config: object = {}): string {
  return signed({ ...request, headers }, config)?.headers['Authorization'] ?? assert.fail('it is not signed');
}

/** The signature of a request whose unsigned header tells of its secret. */
function signature({ method, header, raw_body, secret, region }: Readonly<Record<string, string>>): string {
  const headers = { own: header, 'user-agent': `${secret}?` };
  return authorization(headers, { method, raw_body }, { aws_secret_access_key: secret, aws_region: region });
}

describe('providers.aws.sign_req: Signature Version 4', () => {
  test('the signature is the one of the canonical request', () => {
    const canonical = `GET\n/a%20b/c\nx=1&y\nhost:host.example:8443\nx-amz-date:20200102T030405Z\n\nhost;x-amz-date\n${sha256('')}`;
    const scope = '20200102/eu-west-1/ec2/aws4_request';
    const text = `AWS4-HMAC-SHA256\n20200102T030405Z\n${scope}\n${sha256(canonical)}`;
    let key: string | Buffer = 'AWS4a secret';
    for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
    const signature = createHmac('sha256', key).update(text).digest('hex');
    assert.deepEqual(signed(), {
      ...REQUEST,
      headers: {
        Authorization: `AWS4-HMAC-SHA256 Credential=an access key/${scope},SignedHeaders=host;x-amz-date,Signature=${signature}`,
        host: 'host.example:8443',
        'x-amz-date': '20200102T030405Z',
      },
    });
  });

  test('headers of the request are signed but for those that change on the way, and stay as they were', () => {
    const headers = { 'X-Own': 'a', 'User-Agent': 'b', 'x-amzn-trace-id': 'c' };
    const made = signed({ headers })?.headers ?? {};
    assert.match(made['Authorization'] ?? '', /SignedHeaders=host;x-amz-date;x-own,/);
    assert.equal(made['User-Agent'], 'b');
    assert.equal(made['X-Own'], 'a');
  });

  test('S3 wants the hash of the body among the headers, which raw_body decides before body', () => {
    assert.equal(bodyHash({}), sha256(''));
    assert.equal(bodyHash({ body: { b: '<', a: 1 } }), sha256('{"a":1,"b":"\\u003c"}'));
    assert.equal(bodyHash({ body: {}, raw_body: 'x' }), sha256('x'));
    assert.equal(bodyHash({ body: {} }, { disable_payload_signing: true }), 'UNSIGNED-PAYLOAD');
  });

  test('an older signature is neither signed nor kept', () => {
    const made = signed({ headers: { Authorization: 'old' } })?.headers ?? {};
    assert.deepEqual(made, signed()?.headers);
  });

  test('headers are signed in order of their names in lower case, each with its value', () => {
    const one = authorization({ 'A-First': '1', zed: '2', 'i-third': '3' });
    assert.match(one, /SignedHeaders=a-first;host;i-third;x-amz-date;zed,/);
    assert.notEqual(authorization({ 'A-First': '1', zed: '3', 'i-third': '2' }), one);
    assert.equal(authorization({ 'a-first': '1', ZED: '2', 'I-Third': '3' }), one);
  });

  test('Glacier wants the hash of the body too, other services do not', () => {
    assert.equal(bodyHash({}, { aws_service: 'glacier' }), sha256(''));
    assert.equal(bodyHash({}, { aws_service: 's3x' }), undefined);
  });

  test('whatever one changes of what is signed, the signature is another; else it is the same', () => {
    const value = fc.string({ unit: fc.constantFrom('a', 'b', '\u00e9', ' '), minLength: 1, maxLength: 4 });
    const one = fc.record({ method: value, header: value, raw_body: value, secret: value, region: value });
    fc.assert(
      fc.property(
        one,
        fc.constantFrom('method', 'header', 'raw_body', 'secret', 'region'),
        value,
        (known, name, other) => {
          const changed = signature({ ...known, [name]: other });
          assert.equal(changed === signature(known), known[name] === other);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a session token is signed', () => {
    const made = signed({}, { aws_session_token: 'a token' })?.headers ?? {};
    assert.equal(made['x-amz-security-token'], 'a token');
    assert.match(made['Authorization'] ?? '', /x-amz-security-token,/);
  });

  const refused: readonly (readonly [string, object, object, unknown])[] = [
    ['no key', {}, { aws_access_key: undefined }, NS],
    ['a region that is no string', {}, { aws_region: 5 }, NS],
    ['a switch that is no boolean', {}, { disable_payload_signing: 'yes' }, NS],
    ['no method', { method: undefined }, {}, NS],
    ['a URL that is no string', { url: 5 }, {}, NS],
    ['a URL that is none', { url: 'http://a b/' }, {}, NS],
    ['a parameter that no request has', { verb: 'GET' }, {}, NS],
    ['headers that are no object', { headers: [] }, {}, NS],
    ['a time that is no integer', {}, {}, 1.5],
    ['a time that is no number', {}, {}, 'now'],
  ];
  for (const [title, request, config, ns] of refused)
    test(`refused: ${title}`, () => assert.equal(signed(request, config, ns), undefined));
});
