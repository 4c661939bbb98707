import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { OCI_DIGEST, parseOciReference } from '../../../src/core/kernel/oci-reference.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
const LONG_NAME = `${'a'.repeat(127)}/${'b'.repeat(127)}`;

const GOOD: Readonly<Record<string, readonly [registry: string, repository: string, reference: string]>> = {
  'oci://registry.example.org/policies:1': ['registry.example.org', 'policies', '1'],
  'oci://registry.example.org:5000/team/a_b.c--d__e/policies:V1.0_x-y': [
    'registry.example.org:5000',
    'team/a_b.c--d__e/policies',
    'V1.0_x-y',
  ],
  'oci://Registry.Example.ORG/p:1': ['registry.example.org', 'p', '1'],
  'oci://localhost/p:latest': ['localhost', 'p', 'latest'],
  'oci://127.0.0.1:443/p:1': ['127.0.0.1:443', 'p', '1'],
  'oci://[::1]:5000/p:1': ['[::1]:5000', 'p', '1'],
  [`oci://r.example/p@${DIGEST}`]: ['r.example', 'p', DIGEST],
  [`oci://r.example/${LONG_NAME}:${'t'.repeat(128)}`]: ['r.example', LONG_NAME, 't'.repeat(128)],
};

describe('OCI Distribution Specification 1.1, "Pulling manifests": names, tags and digests', () => {
  for (const [text, [registry, repository, reference]] of Object.entries(GOOD)) {
    test(text.slice(0, 70), () => assert.deepEqual(parseOciReference(text), { registry, repository, reference }));
  }

  test('beside a digest a tag counts for nothing', () => {
    assert.equal(parseOciReference(`oci://r.example/p:1@${DIGEST}`)?.reference, DIGEST);
  });

  const BAD = [
    '',
    'oci://',
    'oci:///p:1',
    'oci://r.example',
    'oci://r.example/',
    'oci://r.example/p',
    'oci://r.example/p:',
    'oci://r.example/p@',
    'oci://r.example/:1',
    'oci://r.example//p:1',
    'oci://r.example/p/:1',
    'oci://r.example/../p:1',
    'oci://r.example/p/./q:1',
    'oci://r.example/P:1',
    'oci://r.example/p___q:1',
    'oci://r.example/-p:1',
    'oci://r.example/p:.1',
    'oci://r.example/p:1:2',
    'oci://r.example/p:a/b',
    'oci://r.example/p:1?x=y',
    'oci://r.example/p:1#x',
    'oci://r.example/p%2e:1',
    'oci://user:secret@r.example/p:1',
    'oci://user@r.example/p:1',
    'oci://r.example:0/p:1',
    'oci://r.example:99999/p:1',
    'oci://r.example:/p:1',
    'oci://r example/p:1',
    'oci://[::1/p:1',
    'oci://[12]/p:1',
    'oci://256.1.1.1/p:1',
    'oci://r.example/p:1\n',
    'OCI://r.example/p:1',
    'https://r.example/p:1',
    `oci://r.example/p@${DIGEST}@${DIGEST}`,
    `oci://r.example/p@${DIGEST.slice(0, -1)}`,
    `oci://r.example/p@${DIGEST.toUpperCase()}`,
    `oci://r.example/p@sha512:${'0'.repeat(128)}`,
    `oci://r.example/${LONG_NAME}c:1`,
    `oci://r.example/p:${'t'.repeat(129)}`,
    `oci://${'r'.repeat(254)}/p:1`,
  ];
  for (const text of BAD) {
    test(`no reference: ${JSON.stringify(text).slice(0, 70)}`, () => assert.equal(parseOciReference(text), undefined));
  }
});

test('property: whatever is read makes the URL of a manifest at that registry, and is read again as the same', () => {
  const part = fc.string({ unit: fc.constantFrom(...Array.from('ab0.-_/:@[]%?#A \\é')), maxLength: 3 });
  const near = fc
    .tuple(fc.constantFrom('r.example', 'localhost:5000', '[::1]:1', '127.0.0.1'), part, part)
    .map(([host, name, tag]) => `oci://${host}/p${name}:1${tag}`);
  let read = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        near,
        fc.string({ unit: 'binary' }).map((text) => `oci://${text}`),
      ),
      (text) => {
        const image = parseOciReference(text);
        if (image === undefined) return;
        read += 1;
        const { registry, repository, reference } = image;
        const url = new URL(`https://${registry}/v2/${repository}/manifests/${reference}`);
        assert.equal(url.host, registry.replace(/:443$/, ''));
        assert.equal(url.pathname, `/v2/${repository}/manifests/${reference}`);
        assert.deepEqual([url.search, url.hash, url.username], ['', '', '']);
        const suffix = OCI_DIGEST.test(reference) ? `@${reference}` : `:${reference}`;
        assert.deepEqual(parseOciReference(`oci://${registry}/${repository}${suffix}`), image);
      },
    ),
    { numRuns: 1_000 },
  );
  assert.ok(read > 20, `${read} were read`);
});
