import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { managementFindings } from '../../../src/core/config/management-checks.ts';
import { configOf, minimalWith, mistakesOf } from './sample.ts';

const URL = 'https://control.example.org';
const BUNDLE = { 'policy/bundle': `${URL}/bundles/agents` };
const PEER = 'spiffe://example.org/ns/sallyport-system/sa/sallyport-injector';
const KEY = { algorithm: 'RS256', file: 'key.pem' };

test('a server that proves an identity is judged by our trust bundles and shown our identity: each key in their place is told', () => {
  const policy = {
    bundle: `${URL}/b`,
    bundleServer: { peer: PEER, trustBundle: 'a', certificate: 'b', privateKey: 'c' },
  };
  assert.deepEqual(
    managementFindings({ policy }).map(({ path }) => path.at(-1)),
    ['trustBundle', 'certificate', 'privateKey'],
  );
});

describe('what is right', () => {
  test('a bundle server alone: the documented defaults', () => {
    const { bundle, bundleServer, verification } = configOf(minimalWith(BUNDLE)).policy;
    assert.deepEqual(bundle, { kind: 'http', url: `${URL}/bundles/agents` });
    assert.deepEqual(bundleServer, { timeout: 30_000, minDelay: 60_000, maxDelay: 120_000 });
    assert.equal(verification, undefined);
  });

  test('a receiver as text means what it means as a map', () => {
    const asText = configOf(minimalWith({ journal: [`${URL}/logs`, 'stdout'] })).journal;
    const asMap = configOf(minimalWith({ journal: [{ url: `${URL}/logs` }, { to: 'stdout' }] })).journal;
    assert.deepEqual(asText, asMap);
    assert.deepEqual(asText[0], {
      kind: 'http',
      url: `${URL}/logs`,
      timeout: 30_000,
      minDelay: 1_000,
      maxDelay: 3_000,
      maxBytes: 262_144,
    });
  });

  test('status, and all that is said of a server', () => {
    const access = { tokenFile: 't', trustBundle: 'ca', certificate: 'c', privateKey: 'k', timeout: '1s' };
    const delays = { minDelay: '1s', maxDelay: '1s' };
    const config = configOf(
      minimalWith({
        ...BUNDLE,
        'policy/bundleServer': { ...access, ...delays, longPolling: '30s', persist: 'keep' },
        'policy/verification': {
          keys: { a: KEY, b: { algorithm: 'HS256', secret: '${SECRET}' } },
          keyId: 'a',
          scope: 's',
        },
        status: { url: `${URL}/status`, ...access, ...delays },
      }),
      { SECRET: 'x' },
    );
    assert.equal(config.status?.timeout, 1_000);
    assert.equal(config.policy.bundleServer.longPolling, 30_000);
    assert.equal(config.policy.verification?.keys['b']?.secret, 'x');
  });

  test('a server that proves an identity, with a token besides where it wants one', () => {
    const { bundleServer } = configOf(
      minimalWith({ ...BUNDLE, 'policy/bundleServer': { peer: PEER, token: 'x' } }),
    ).policy;
    assert.deepEqual([bundleServer.peer, bundleServer.token], [PEER, 'x']);
  });

  test('plain HTTP on loopback, and for bundles that are signed', () => {
    for (const host of ['127.0.0.1:1', '[::1]:1', 'localhost:1']) {
      configOf(minimalWith({ 'policy/bundle': `http://${host}/b`, journal: [`http://${host}/logs`] }));
    }
    configOf(minimalWith({ 'policy/bundle': 'http://far/b', 'policy/verification': { keys: { a: KEY } } }));
  });
});

/** What is written, the one path that is told, and a part of what is said. */
const WRONG: readonly (readonly [changes: Readonly<Record<string, unknown>>, path: string, said: RegExp])[] = [
  [{ 'policy/bundle': 'http://far/b' }, 'policy.bundle', /https:\/\/.*sign bundles and set policy\.verification/],
  [{ 'policy/bundleServer': {} }, 'policy.bundleServer', /no such key with a bundle that is a path/],
  [
    {
      'policy/bundle': 'http://far/b',
      'policy/verification': { keys: { a: KEY } },
      'policy/bundleServer': { token: 'x' },
    },
    'policy.bundleServer.token',
    /whoever is on the way would have the token/,
  ],
  [
    { 'policy/bundle': 'http://127.0.0.1:1/b', 'policy/bundleServer': { trustBundle: 'x' } },
    'policy.bundleServer.trustBundle',
    /there is no TLS/,
  ],
  [{ ...BUNDLE, 'policy/bundleServer': { token: 'a', tokenFile: 'b' } }, 'policy.bundleServer.token', /either/],
  [{ ...BUNDLE, 'policy/bundleServer': { certificate: 'a' } }, 'policy.bundleServer.privateKey', /both/],
  [{ ...BUNDLE, 'policy/bundleServer': { privateKey: 'a' } }, 'policy.bundleServer.certificate', /both/],
  [{ ...BUNDLE, 'policy/bundleServer': { minDelay: '3m' } }, 'policy.bundleServer.minDelay', /not above maxDelay/],
  [{ ...BUNDLE, 'policy/bundleServer': { maxDelay: '1s' } }, 'policy.bundleServer.maxDelay', /not above maxDelay/],
  [{ ...BUNDLE, 'policy/bundleServer': { longPolling: '0s' } }, 'policy.bundleServer.longPolling', /from 1s/],
  [
    { 'policy/bundle': 'http://127.0.0.1:1/b', 'policy/bundleServer': { peer: PEER } },
    'policy.bundleServer.peer',
    /no such key with an http:\/\/ URL/,
  ],
  [
    { ...BUNDLE, 'policy/bundleServer': { peer: PEER, trustBundle: 'x' } },
    'policy.bundleServer.trustBundle',
    /no such key beside `peer`/,
  ],
  [{ ...BUNDLE, 'policy/bundleServer': { peer: 'spiffe://example.org' } }, 'policy.bundleServer.peer', /SPIFFE ID/],
  [{ ...BUNDLE, 'policy/bundleServer': { peer: 'policy.example.org' } }, 'policy.bundleServer.peer', /SPIFFE ID/],
  [{ ...BUNDLE, 'policy/bundleServer': { etag: '1' } }, 'policy.bundleServer.etag', /one of token, tokenFile/],
  [{ 'policy/verification': {} }, 'policy.verification.keys', /a map/],
  [{ 'policy/verification': { keys: {} } }, 'policy.verification.keys', /at least one key/],
  [
    { 'policy/verification': { keys: { a: { algorithm: 'none', file: 'x' } } } },
    'policy.verification.keys.a.algorithm',
    /ES256/,
  ],
  [{ 'policy/verification': { keys: { a: { algorithm: 'RS256' } } } }, 'policy.verification.keys.a.file', /the path/],
  [
    { 'policy/verification': { keys: { a: { ...KEY, secret: 'x' } } } },
    'policy.verification.keys.a.secret',
    /either file or secret/,
  ],
  [
    { 'policy/verification': { keys: { a: { algorithm: 'ES256', secret: 'x' } } } },
    'policy.verification.keys.a.secret',
    /a public key stands in a file/,
  ],
  [{ 'policy/verification': { keys: { a: KEY }, keyId: 'b' } }, 'policy.verification.keyId', /one of a$/],
  [{ journal: ['http://far/logs'] }, 'journal[0]', /reads what is sent/],
  [{ journal: [{ url: 'http://far/logs' }] }, 'journal[0].url', /reads what is sent/],
  [{ journal: [{ timeout: '1s' }] }, 'journal[0].to', /or url/],
  [{ journal: [{ to: 'stdout', url: `${URL}/logs` }] }, 'journal[0].url', /no such key beside `to`/],
  [{ journal: [{ to: 'stdout', maxBytes: '1MiB' }] }, 'journal[0].maxBytes', /no such key beside `to`/],
  [{ journal: [{ to: `${URL}/logs` }] }, 'journal[0].to', /stdout or file:PATH/],
  [{ journal: [{ url: `${URL}/logs`, maxBytes: '1KiB' }] }, 'journal[0].maxBytes', /from 16KiB/],
  [{ journal: [{ url: `${URL}/logs`, minDelay: '4s' }] }, 'journal[0].minDelay', /not above maxDelay/],
  [{ status: {} }, 'status.url', /an http\(s\):\/\/ URL/],
  [{ status: { url: 'http://far/' } }, 'status.url', /reads what is sent/],
  [{ status: { url: 'https://u:p@far/' } }, 'status.url', /without user and password/],
];
describe('what is wrong is one mistake, at its place, with its reason', () => {
  for (const [changes, path, said] of WRONG) {
    test(`${JSON.stringify(changes)}: ${path}`, () => {
      const [mistake, ...others] = mistakesOf(minimalWith(changes));
      assert.deepEqual([mistake?.path, others], [path, []]);
      assert.match(`${mistake?.expected} ${mistake?.hint ?? ''}`.trim(), said);
    });
  }
});

test('promise 10: a token or secret that is no good is not shown, wherever it stands', () => {
  const text = minimalWith({
    ...BUNDLE,
    'policy/bundleServer': { token: 'hunter2 hunter2' },
    'policy/verification': { keys: { a: { algorithm: 'RS256', secret: 'hunter2' } } },
    journal: [{ url: `${URL}/logs`, token: 'hunter2\n' }],
    status: { url: `${URL}/status`, token: ['hunter2'] },
  });
  const found = mistakesOf(text);
  assert.equal(found.length, 4);
  assert.ok(!JSON.stringify(found).includes('hunter2'));
});

test('promise 10: a password and a query in a URL that is no good are not shown', () => {
  const text = minimalWith({
    'policy/bundle': 'https://user:hunter2@bundles.test/b',
    journal: ['https://user:hunter2/@logs.test/l', { url: 'http://logs.test/l?sig=hunter2' }],
    status: { url: 'ftp://user:hunter2@status.test/?sig=hunter2' },
  });
  const found = mistakesOf(text);
  assert.deepEqual(
    found.map((mistake) => mistake.found),
    ['"https://…@bundles.test/b"', '"https://…@logs.test/l"', '"http://logs.test/l?…"', '"ftp://…@status.test/?…"'],
  );
});

test('values that are of no kind at all give no exception', () => {
  for (const value of [null, 7, 'x', [], {}, [null]]) {
    for (const key of ['policy', 'journal', 'status']) managementFindings({ [key]: value });
    managementFindings({ policy: { bundle: `${URL}/b`, bundleServer: value, verification: value } });
    managementFindings({
      policy: { verification: { keys: value } },
      journal: [value],
      status: { url: URL, minDelay: value },
    });
  }
});
