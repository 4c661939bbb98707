import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { parseSpiffeIdText } from '../../../src/core/kernel/spiffe-id-text.ts';
import { parseEndpointSocket, parseListLocation } from '../../../src/core/config/identity-values.ts';
import { parseSpiffeId } from '../../../src/core/identity/spiffe-id.ts';
import { configOf, minimalWith, mistakesOf } from './sample.ts';

import type { IdentitySettings } from '../../../src/core/config/identity-settings.ts';

const AUTHORITY = {
  url: 'https://ca.internal:8444',
  id: 'spiffe://example.org/ca',
  trustBundle: 'roots.pem',
  token: 'token',
};
const ENDPOINT = { url: 'https://b.org/bundle', profile: 'https_web' };

function identityOf(identity: object): IdentitySettings {
  return configOf(minimalWith({ identity })).identity;
}

function wrong(identity: object): readonly string[] {
  return mistakesOf(minimalWith({ identity })).map(({ path }) => path);
}

/** An identity from the authority that has to be this agent's. */
function becoming(agent: string) {
  return { source: 'authority', authority: { ...AUTHORITY, agent } };
}

function firstRoots(trustBundle: string): readonly unknown[] {
  const identity = identityOf({ source: 'authority', authority: { ...AUTHORITY, trustBundle } });
  assert.ok(identity.source === 'authority');
  return [identity.authority.trustBundle, identity.authority.trustBundlePem];
}

describe('source: authority', () => {
  test('what is not said has its default', () => {
    const identity = identityOf({ source: 'authority', authority: AUTHORITY });
    assert.ok(identity.source === 'authority');
    assert.deepEqual(identity.authority, {
      ...AUTHORITY,
      url: 'https://ca.internal:8444/',
      method: 'join-token',
      keyType: 'p256',
    });
    assert.deepEqual([identity.trustBundles, identity.federation, identity.revocationListUrls], [{}, {}, []]);
  });

  test('its first roots stand in a file, or are PEM that stands right here', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n';
    assert.deepEqual(firstRoots('a/roots.pem'), ['a/roots.pem', undefined]);
    assert.deepEqual(firstRoots(pem), [undefined, pem]);
    assert.deepEqual(firstRoots(`\n${pem}${pem}`), [undefined, `\n${pem}${pem}`]);
    for (const trustBundle of ['', 'a\nb', 'a'.repeat(4_097), pem.padEnd(131_073), '-----BEGIN PRIVATE KEY-----\n', 7])
      assert.deepEqual(wrong({ source: 'authority', authority: { ...AUTHORITY, trustBundle } }), [
        'identity.authority.trustBundle',
      ]);
  });

  for (const key of Object.keys(AUTHORITY)) {
    test(`needs ${key}`, () => {
      const authority = Object.fromEntries(Object.entries(AUTHORITY).filter(([name]) => name !== key));
      assert.deepEqual(wrong({ source: 'authority', authority }), [`identity.authority.${key}`]);
    });
  }

  test('needs its settings, and takes none of files', () => {
    assert.deepEqual(wrong({ source: 'authority' }), ['identity.authority']);
    assert.deepEqual(wrong({ source: 'authority', authority: AUTHORITY, privateKey: 'k', certificate: 'c' }), [
      'identity.privateKey',
      'identity.certificate',
    ]);
  });

  test('who the agent has to become is of the trust domain of the authority', () => {
    const identity = identityOf(becoming('spiffe://example.org/agents/mine'));
    assert.equal(identity.source === 'authority' && identity.authority.agent, 'spiffe://example.org/agents/mine');
    for (const agent of ['spiffe://b.org/agents/mine', 'spiffe://example.org', 'mine'])
      assert.deepEqual(wrong(becoming(agent)), ['identity.authority.agent'], agent);
  });

  test('a passphrase is for the key that is kept', () => {
    const kept = { source: 'authority', authority: { ...AUTHORITY, keep: 'kept' }, passphrase: 'p' };
    const identity = identityOf(kept);
    assert.equal(identity.source === 'authority' && identity.passphrase, 'p');
    assert.deepEqual(wrong({ ...kept, authority: AUTHORITY }), ['identity.passphrase']);
    assert.deepEqual(wrong({ source: 'workload-api', passphrase: 'p' }), ['identity.passphrase']);
  });

  test('its trust domain has its roots from it alone', () => {
    assert.deepEqual(wrong({ source: 'authority', authority: AUTHORITY, trustBundles: { 'example.org': 'x' } }), [
      'identity.trustBundles["example.org"]',
    ]);
    assert.deepEqual(wrong({ source: 'authority', authority: AUTHORITY, federation: { 'example.org': ENDPOINT } }), [
      'identity.federation["example.org"]',
    ]);
  });

  for (const url of ['http://ca:1', 'https://user:secret@ca:1', 'ca:8444', ''])
    test(`is never asked at ${JSON.stringify(url)}`, () => {
      const mistakes = mistakesOf(minimalWith({ identity: { source: 'authority', authority: { ...AUTHORITY, url } } }));
      assert.deepEqual(
        mistakes.map(({ path }) => path),
        ['identity.authority.url'],
      );
      assert.ok(!JSON.stringify(mistakes).includes('secret'));
    });
});

describe('source: workload-api', () => {
  test('needs nothing: the environment may say where', () => {
    assert.deepEqual(identityOf({ source: 'workload-api' }), {
      source: 'workload-api',
      trustBundles: {},
      federation: {},
      revocationLists: [],
      revocationListUrls: [],
      requireRevocationLists: false,
      workloadApi: {},
    });
  });

  test('SPIFFE Workload Endpoint 4: unix:///absolute or tcp://IP:port, nothing else', () => {
    for (const good of ['unix:///run/spire/agent.sock', 'tcp://127.0.0.1:8000', 'tcp://[::1]:8000'])
      assert.equal(parseEndpointSocket(good), good);
    for (const bad of [
      'unix://run/a',
      '/run/a',
      'tcp://localhost:1',
      'tcp://1.2.3.4',
      'tcp://1.2.3.4:0',
      'tcp://1.2.3.4:70000',
      'tcp://1.2.3.4:1/x',
      'unix:///a?b',
      'http://1.2.3.4:1',
    ])
      assert.equal(parseEndpointSocket(bad), undefined, bad);
  });
});

describe('source: files', () => {
  test('a PKCS#12 file is certificate and key', () => {
    const identity = identityOf({ privateKey: 'agent.p12', passphrase: 'p', trustBundles: { 'a.org': 'x' } });
    assert.ok(identity.source === 'files');
    assert.deepEqual([identity.certificate, identity.privateKey, identity.passphrase], ['agent.p12', 'agent.p12', 'p']);
  });

  test('settings of another source are told', () => {
    const files = { certificate: 'c', privateKey: 'k', trustBundles: { 'a.org': 'x' } };
    assert.deepEqual(wrong({ ...files, authority: AUTHORITY, workloadApi: {} }), [
      'identity.authority',
      'identity.workloadApi',
    ]);
  });

  test('a bundle may come from an endpoint alone', () => {
    assert.deepEqual(wrong({ certificate: 'c', privateKey: 'k', federation: { 'b.org': ENDPOINT } }), []);
  });
});

describe('federation', () => {
  const files = { certificate: 'c', privateKey: 'k', trustBundles: { 'a.org': 'x' } };

  test('SPIFFE Federation 5: https_spiffe needs the ID of the endpoint and its first roots', () => {
    assert.deepEqual(wrong({ ...files, federation: { 'b.org': { ...ENDPOINT, profile: 'https_spiffe' } } }), [
      'identity.federation["b.org"].id',
      'identity.federation["b.org"].trustBundle',
    ]);
  });

  test('https_web has no ID to prove', () => {
    assert.deepEqual(wrong({ ...files, federation: { 'b.org': { ...ENDPOINT, id: 'spiffe://b.org/x' } } }), [
      'identity.federation["b.org"].id',
    ]);
  });

  test('a bundle comes from one place', () => {
    assert.deepEqual(wrong({ ...files, federation: { 'a.org': ENDPOINT } }), ['identity.federation["a.org"]']);
  });

  test('a bundle goes over nothing but https', () => {
    assert.deepEqual(wrong({ ...files, federation: { 'b.org': { ...ENDPOINT, url: 'http://b.org/' } } }), [
      'identity.federation["b.org"].url',
    ]);
  });
});

test('revocation lists are files and URLs', () => {
  assert.deepEqual(parseListLocation('a/b.crl'), { kind: 'path', path: 'a/b.crl' });
  assert.deepEqual(parseListLocation('http://crl.a/x'), { kind: 'http', url: 'http://crl.a/x' });
  for (const bad of ['', 'ldap://x/y', 'file:///x', 'a\0b', 'http://u:p@x/'])
    assert.equal(parseListLocation(bad), undefined, bad);
});

test('property: an ID of the configuration is one that identity takes, with a path', () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9._%-]{0,4}$/);
  const text = fc.tuple(
    fc.constantFrom('spiffe://', 'SPIFFE://', 'spiffe:/'),
    fc.constantFrom('a.org', 'A.org', '', 'a_b'),
    fc.array(segment, { maxLength: 4 }),
  );
  fc.assert(
    fc.property(text, ([scheme, domain, segments]) => {
      const id = `${scheme}${domain}${segments.map((part) => `/${part}`).join('')}`;
      const read = parseSpiffeId(id);
      const isOurs = parseSpiffeIdText(id) !== undefined;
      if (isOurs) assert.ok(read.ok && read.value.path !== '', id);
      else assert.ok(!read.ok || read.value.path === '' || read.value.id !== id, id);
    }),
  );
});
