import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseBundleLocation, parseJournalTarget } from '../../../src/core/config/targets.ts';

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
