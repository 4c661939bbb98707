import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { managementFindings } from '../../../src/core/config/management-checks.ts';
import { configOf, minimalWith, mistakesOf } from './sample.ts';

const IMAGE = 'oci://registry.example.org/team/policies:1';
const LOOPBACK = 'oci://127.0.0.1:5000/policies:1';
const SERVER = 'https://control.example.org/bundles/agents';
const PEER = 'spiffe://example.org/ns/sallyport-system/sa/sallyport-injector';

type Keys = Readonly<Record<string, unknown>>;

function found(bundle: string, bundleServer?: Keys, candidate?: string): readonly string[] {
  const policy = { bundle, bundleServer, ...(candidate !== undefined && { candidate: { bundle: candidate } }) };
  return managementFindings({ policy }).map(({ path, expected }) => `${path.join('.')}: ${expected}`);
}

describe('policy.bundle in a registry', () => {
  test('alone, and with all that is said of access to it', () => {
    const { bundle, candidate, bundleServer } = configOf(
      minimalWith({
        'policy/bundle': IMAGE,
        'policy/candidate': { bundle: LOOPBACK },
        'policy/bundleServer': {
          token: '${LOGIN}',
          trustBundle: 'ca',
          certificate: 'c',
          privateKey: 'k',
          persist: 'p',
        },
      }),
      { LOGIN: 'agent:pass word' },
    ).policy;
    const image = { registry: 'registry.example.org', repository: 'team/policies', reference: '1' };
    assert.deepEqual(bundle, { kind: 'oci', url: IMAGE, image });
    assert.equal(candidate?.bundle.kind, 'oci');
    assert.equal(bundleServer.token, 'agent:pass word');
  });

  test('what is no reference: the mistake says what one is, and at a wrong token nothing is shown', () => {
    const [{ path, expected } = { path: [], expected: '' }, ...others] = mistakesOf(
      minimalWith({ 'policy/bundle': 'oci://registry.example.org/policies' }),
    );
    assert.equal(others.length, 0);
    assert.equal(String(path), 'policy.bundle');
    assert.match(expected, /oci:\/\/REGISTRY\/REPOSITORY:TAG \(or @sha256:DIGEST\)/);
    const mistakes = mistakesOf(minimalWith({ 'policy/bundle': IMAGE, 'policy/bundleServer': { token: 'u:\u0001' } }));
    assert.equal(mistakes.length, 1);
    assert.ok(!JSON.stringify(mistakes).includes('\\u0001'));
  });
});

describe('what does not go with a registry', () => {
  test('peer: a registry proves the name of its host', () => {
    assert.deepEqual(found(IMAGE, { peer: PEER }), ['policy.bundleServer.peer: no such key with an oci:// URL']);
    assert.deepEqual(found(SERVER, { peer: PEER }), []);
    assert.deepEqual(found(SERVER, { peer: PEER }, IMAGE), [
      'policy.bundleServer.peer: no such key with an oci:// URL',
    ]);
  });

  test('longPolling: a registry holds no requests; beside a bundle server it is for that', () => {
    const said = 'policy.bundleServer.longPolling: no such key with an oci:// URL';
    assert.deepEqual(found(IMAGE, { longPolling: '30s' }), [said]);
    assert.deepEqual(found('policies/', { longPolling: '30s' }, IMAGE), [said]);
    assert.deepEqual(found(SERVER, { longPolling: '30s' }, IMAGE), []);
  });

  test('a login is no bearer token for a bundle server', () => {
    assert.deepEqual(found(IMAGE, { token: 'u:p' }), []);
    assert.deepEqual(found(SERVER, { token: 'u:p' }), ['policy.bundleServer.token: a bearer token (RFC 6750 2.1)']);
    assert.deepEqual(found(SERVER, { token: 'abc' }), []);
  });

  test('token and tokenFile, half of a certificate, delays: as with a bundle server', () => {
    assert.deepEqual(found(IMAGE, { token: 'a', tokenFile: 'f', minDelay: '3h', certificate: 'c' }), [
      'policy.bundleServer.token: either token or tokenFile',
      'policy.bundleServer.privateKey: both certificate and privateKey',
      'policy.bundleServer.minDelay: a minDelay that is not above maxDelay',
    ]);
  });

  test('on loopback: plain HTTP with a token, or TLS with a trust bundle', () => {
    assert.deepEqual(found(LOOPBACK, { token: 'u:p' }), []);
    assert.deepEqual(found(LOOPBACK, { trustBundle: 'ca' }), []);
    assert.deepEqual(found(LOOPBACK, { certificate: 'c', privateKey: 'k' }), []);
  });
});
