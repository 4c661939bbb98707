import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { readBundle } from '../../../src/core/bundle/bundle.ts';
import { readUpdate } from '../../../src/core/bundle/delta.ts';
import { isSignedBy } from '../../../src/core/bundle/jws.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../../../src/core/bundle/limits.ts';
import { readManifest } from '../../../src/core/bundle/manifest.ts';
import { SIGNATURE_ALGORITHMS } from '../../../src/core/bundle/signature-algorithm.ts';
import { signBundle } from '../../../src/core/bundle/sign-bundle.ts';
import { packBundle } from '../../../src/core/bundle/write-bundle.ts';
import { createBundleKeys } from '../../support/bundle-keys.ts';
import { paxRecord, rawTar } from '../../support/tar.ts';

import type { RawMember } from '../../support/tar.ts';

const KEYS = createBundleKeys('HS256');
const VERIFICATION = { keys: new Map([['k1', KEYS.verification]]) };
const CONTENT = 'package a\n';

function signatures(files: Readonly<Record<string, string>> = { 'a.rego': CONTENT }): RawMember {
  const texts = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
  const signed = signBundle(texts, KEYS.signing({ keyId: 'k1' }));
  return { name: '/.signatures.json', content: signed.ok ? signed.value : assert.fail(signed.error.detail) };
}

function verdict(members: readonly RawMember[], limits = DEFAULT_BUNDLE_LIMITS): string {
  const update = readUpdate(gzipSync(rawTar(members)), { verification: VERIFICATION, limits });
  return update.ok ? update.value.kind : update.error.code;
}

const A: RawMember = { name: '/a.rego', content: CONTENT };
const FORGED = 'package a\n\nallow := true\n';

test('the sound archive is read, with its names written in any of the accepted ways', () => {
  assert.equal(verdict([A, signatures()]), 'snapshot');
  assert.equal(verdict([signatures(), { ...A, name: './a.rego' }]), 'snapshot');
  assert.equal(verdict([signatures(), { ...A, name: 'a.rego' }]), 'snapshot');
});

/** A signed file, and something that one reader could take for it and another not. */
const HOSTILE: Readonly<Record<string, readonly [readonly RawMember[], string]>> = {
  'the same name again': [[A, { ...A, content: FORGED }, signatures()], 'name_duplicate'],
  'the same name with ./': [[A, { name: './a.rego', content: FORGED }, signatures()], 'name_duplicate'],
  'the same name without a slash': [[A, { name: 'a.rego', content: FORGED }, signatures()], 'name_duplicate'],
  'the same name by an extended header': [
    [
      A,
      { name: 'x', type: 'x', content: paxRecord('path', 'a.rego') },
      { name: 'b.rego', content: FORGED },
      signatures(),
    ],
    'name_duplicate',
  ],
  'the same name through a folder': [[A, { name: 'x/../a.rego', content: FORGED }, signatures()], 'name_refused'],
  'the name in another case': [[A, { name: '/A.rego', content: FORGED }, signatures()], 'signature_file_unlisted'],
  'a second signature': [[A, signatures(), signatures()], 'name_duplicate'],
  'a symbolic link in place of the file': [[{ name: '/a.rego', type: '2' }, signatures()], 'member_refused'],
  'a hard link to the signature': [[A, signatures(), { name: '/b', type: '1' }], 'member_refused'],
  'a global header that renames': [
    [{ name: 'g', type: 'g', content: paxRecord('path', 'a.rego') }, { name: 'b', content: CONTENT }, signatures()],
    'tar_malformed',
  ],
  'a patch beside a signed snapshot': [
    [A, { name: '/patch.json', content: '{"data":[]}' }, signatures()],
    'signature_file_unlisted',
  ],
  'a patch in a folder': [[A, { name: '/x/patch.json', content: '{}' }, signatures()], 'signature_file_unlisted'],
};
for (const [what, [members, code]] of Object.entries(HOSTILE)) {
  test(`${what}: ${code}`, () => assert.equal(verdict(members), code));
}

test('sizes are judged before signatures: nothing is hashed that is too large', () => {
  assert.equal(verdict([A, signatures()], { ...DEFAULT_BUNDLE_LIMITS, memberBytes: 5 }), 'too_large');
  assert.equal(verdict([A, signatures()], { ...DEFAULT_BUNDLE_LIMITS, members: 1 }), 'too_large');
  assert.equal(verdict([A, signatures()], { ...DEFAULT_BUNDLE_LIMITS, totalBytes: 600 }), 'too_large');
});

test('a signature file beyond 16 MiB is not read', () => {
  assert.equal(verdict([A, { name: '/.signatures.json', content: ' '.repeat(16_777_217) }]), 'too_large');
});

for (const algorithm of SIGNATURE_ALGORITHMS) {
  test(`${algorithm}: signatures of any length, of zeros or ones, are wrong and never throw`, () => {
    const key = createBundleKeys(algorithm).verification;
    for (const length of [0, 1, 32, 64, 65, 96, 132, 255, 256, 257, 4_096])
      for (const fill of [0, 0xff]) {
        const signature = new Uint8Array(length).fill(fill);
        assert.equal(isSignedBy(key, { header: {}, payload: {}, signed: Buffer.from('x'), signature }), false);
      }
  });
}

test('a manifest cannot bring a sequence in through __proto__', () => {
  for (const text of [
    '{"metadata":{"__proto__":{"sallyport":{"sequence":1}}}}',
    '{"__proto__":{"metadata":{"sallyport":{"sequence":1}}}}',
  ]) {
    const manifest = readManifest(text);
    assert.deepEqual(manifest.ok && manifest.value.sallyport, {});
  }
});

/** A bundle that is nearly all spaces. */
function padded(spaces: number): Uint8Array {
  return packBundle(new Map([['data.json', new TextEncoder().encode(`{}${' '.repeat(spaces)}`)]]));
}

test('an archive that grows more than two-hundredfold is refused beyond 16 MiB, however well it is formed', () => {
  const small = readBundle(padded(8 * 1_048_576));
  assert.equal(small.ok, true);
  const large = readBundle(padded(24 * 1_048_576));
  assert.ok(!large.ok);
  assert.equal(large.error.code, 'too_large');
});
