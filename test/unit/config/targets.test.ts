import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  parseBundleLocation,
  parseJournalTarget,
  registryOrigin,
  REGISTRY_LOGIN,
} from '../../../src/core/config/targets.ts';

const JOURNALS = {
  stdout: { kind: 'stdout' },
  'file:decisions.log': { kind: 'file', path: 'decisions.log' },
  'file:/var/log/sallyport/decisions.log': { kind: 'file', path: '/var/log/sallyport/decisions.log' },
  'file:with space:and colon': { kind: 'file', path: 'with space:and colon' },
  'http://127.0.0.1:8181/logs': { kind: 'http', url: 'http://127.0.0.1:8181/logs' },
  'https://logs.example.org': { kind: 'http', url: 'https://logs.example.org/' },
};
for (const [text, target] of Object.entries(JOURNALS)) {
  test(`${text} is a place for records`, () => assert.deepEqual(parseJournalTarget(text), target));
}

const NO_JOURNALS = [
  '',
  'Stdout',
  'stderr',
  'file',
  'file:',
  'decisions.log',
  'ftp://host/',
  'http://',
  'https://user:secret@host/',
  'file:a\0b',
];
for (const text of NO_JOURNALS) {
  test(`${JSON.stringify(text)} is no place for records`, () => assert.equal(parseJournalTarget(text), undefined));
}

const BUNDLES = {
  'policies/': { kind: 'path', path: 'policies/' },
  '/etc/sallyport/bundle.tar.gz': { kind: 'path', path: '/etc/sallyport/bundle.tar.gz' },
  '.': { kind: 'path', path: '.' },
  'c:policies': { kind: 'path', path: 'c:policies' },
  'https://bundles.example.org/agents': { kind: 'http', url: 'https://bundles.example.org/agents' },
  'oci://registry.example.org/team/policies:1': {
    kind: 'oci',
    url: 'oci://registry.example.org/team/policies:1',
    image: { registry: 'registry.example.org', repository: 'team/policies', reference: '1' },
  },
};
for (const [text, location] of Object.entries(BUNDLES)) {
  test(`${text} is a place for a policy`, () => assert.deepEqual(parseBundleLocation(text), location));
}

for (const text of [
  '',
  's3://bucket/key',
  'oci://registry/x',
  'file:///policies',
  'https://u:p@host/b',
  'http://',
  'a\0',
  'x'.repeat(4_097),
]) {
  test(`${JSON.stringify(text).slice(0, 40)} is no place for a policy`, () =>
    assert.equal(parseBundleLocation(text), undefined));
}

test('a registry is asked by HTTPS, but for one on loopback that no TLS is configured for', () => {
  for (const [registry, plain, configured] of [
    ['registry.example.org', 'https://registry.example.org', 'https://registry.example.org'],
    ['registry.example.org:5000', 'https://registry.example.org:5000', 'https://registry.example.org:5000'],
    ['docker.io', 'https://registry-1.docker.io', 'https://registry-1.docker.io'],
    ['localhost:5000', 'http://localhost:5000', 'https://localhost:5000'],
    ['127.0.0.1:443', 'http://127.0.0.1:443', 'https://127.0.0.1'],
    ['[::1]:5000', 'http://[::1]:5000', 'https://[::1]:5000'],
    ['localhost.example.org', 'https://localhost.example.org', 'https://localhost.example.org'],
  ] as const) {
    const image = { registry, repository: 'p', reference: '1' };
    assert.equal(registryOrigin(image, {}), plain);
    assert.equal(registryOrigin(image, { trustBundle: 'ca.pem' }), configured);
    assert.equal(registryOrigin(image, { certificate: 'c.pem' }), configured);
  }
});

test('RFC 7617 2: a login has a user without colon and a password, and nothing that ends a line', () => {
  for (const login of ['u:p', 'u:p:q r', '00000000-0000-0000-0000-000000000000:ey.J-_'])
    assert.match(login, REGISTRY_LOGIN);
  for (const login of ['', 'u', ':p', 'u:', 'u u:p', 'u:p\n', 'u:é', `u:${'x'.repeat(8_193)}`])
    assert.doesNotMatch(login, REGISTRY_LOGIN);
});

test('property: no text throws, and a path stands as it was written', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const location = parseBundleLocation(text);
      if (location?.kind === 'path') assert.equal(location.path, text);
      const target = parseJournalTarget(`file:${text}`);
      if (target?.kind === 'file') assert.equal(target.path, text);
      parseJournalTarget(text);
    }),
  );
});
