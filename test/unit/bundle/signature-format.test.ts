import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { bundleFromFiles } from '../../../src/core/bundle/bundle.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../../../src/core/bundle/limits.ts';
import { writeJws } from '../../../src/core/bundle/jws.ts';
import { signBundle } from '../../../src/core/bundle/sign-bundle.ts';
import { createBundleKeys } from '../../support/bundle-keys.ts';

import type { Verification } from '../../../src/core/bundle/verify-signature.ts';

const KEYS = createBundleKeys('HS256');
const OTHER = createBundleKeys('HS256');
const VERIFICATION: Verification = { keys: new Map([['k1', KEYS.verification]]) };
const FILES = new Map([['a.rego', Buffer.from('package a')]]);

function hashOf(algorithm: string, text = 'package a'): string {
  return createHash(algorithm).update(text).digest('hex');
}

const A_REGO = { name: 'a.rego', hash: hashOf('sha256'), algorithm: 'SHA-256' };

type Claims = Readonly<Record<string, unknown>>;

/** What is said of the bundle when a token with these claims, soundly signed, lies in it. */
function judged(claims: Claims, header: Claims = { kid: 'k1' }, verification = VERIFICATION): string {
  const token = writeJws(KEYS.signing(), { alg: 'HS256', ...header }, claims);
  return judgedText(JSON.stringify({ signatures: [token] }), verification);
}

function judgedText(
  signatures: string,
  verification = VERIFICATION,
  files: ReadonlyMap<string, Uint8Array> = FILES,
): string {
  const bundle = bundleFromFiles(new Map([...files, ['.signatures.json', Buffer.from(signatures)]]), { verification });
  return bundle.ok ? `read, ${bundle.value.signer?.keyId}` : `${bundle.error.code}: ${bundle.error.detail}`;
}

const HASHES = {
  'SHA-224': 'sha224',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
  'SHA-512-224': 'sha512-224',
  'SHA-512-256': 'sha512-256',
};
for (const [name, algorithm] of Object.entries(HASHES)) {
  test(`OPA, hash algorithms: ${name} is verified, in either case of letters`, () => {
    const file = { name: 'a.rego', hash: hashOf(algorithm), algorithm: name };
    assert.equal(judged({ files: [file] }), 'read, k1');
    assert.equal(judged({ files: [{ ...file, hash: file.hash.toUpperCase() }] }), 'read, k1');
    assert.match(
      judged({ files: [{ ...file, hash: hashOf(algorithm, 'package b') }] }),
      /^signature_hash_mismatch: "a\.rego"/,
    );
    assert.match(judged({ files: [{ ...file, hash: file.hash.slice(2) }] }), /^signature_hash_mismatch/);
  });
}

for (const [name, hash] of [
  ['MD5', hashOf('md5')],
  ['SHA-1', hashOf('sha1')],
  ['sha-256', hashOf('sha256')],
  ['constructor', hashOf('sha256')],
  ['', hashOf('sha256')],
] as const) {
  test(`the hash algorithm ${JSON.stringify(name)} is refused by name, though the hash is right`, () => {
    assert.match(
      judged({ files: [{ name: 'a.rego', hash, algorithm: name }] }),
      /^signature_hash_algorithm_refused: .*"a\.rego" with ".*sign it again with one of SHA-224/,
    );
  });
}

test('OPA, which key: the configured id before the header’s, and that before the claim', () => {
  const both = new Map([
    ['k1', KEYS.verification],
    ['k2', OTHER.verification],
  ]);
  const files = [A_REGO];
  assert.equal(judged({ files, keyid: 'k2' }, { kid: 'k1' }, { keys: both }), 'read, k1');
  assert.equal(judged({ files, keyid: 'k1' }, {}, { keys: both }), 'read, k1');
  assert.equal(judged({ files, keyid: 'k1' }, { kid: '' }, { keys: both }), 'read, k1');
  assert.equal(judged({ files }, {}, { keys: both, keyId: 'k1' }), 'read, k1');
  assert.match(judged({ files }, { kid: 'k1' }, { keys: both, keyId: 'k2' }), /^signature_invalid: .*"k2" \(HS256\)/);
  assert.match(judged({ files }, {}, { keys: both }), /^signature_key_unknown: .*names no key.*configured: "k1", "k2"/);
  assert.match(
    judged({ files }, { kid: 'k3' }, { keys: both }),
    /^signature_key_unknown: .*is "k3"; configured are: "k1", "k2"/,
  );
  assert.match(judged({ files }, { kid: 1 }, { keys: both }), /^signature_key_unknown: .*no text/);
  assert.match(judged({ files }, {}, { keys: both, keyId: 'gone' }), /^signature_key_unknown/);
  assert.match(judged({ files }, { kid: 'k1' }, { keys: new Map() }), /^signature_key_unknown: .*none$/);
});

test('OPA, scope: equal to the configured one, which is the key’s where none is given', () => {
  const files = [A_REGO];
  const scoped: Verification = { keys: new Map([['k1', { ...KEYS.verification, scope: 'read' }]]) };
  assert.equal(judged({ files, scope: 'read' }, undefined, scoped), 'read, k1');
  assert.equal(judged({ files, scope: 'write' }, undefined, { ...scoped, scope: 'write' }), 'read, k1');
  assert.equal(judged({ files, scope: '' }), 'read, k1');
  for (const [scope, verification] of [
    ['write', scoped],
    ['read', VERIFICATION],
    [undefined, scoped],
    ['Read', scoped],
    ['read', { ...scoped, scope: 'write' }],
  ] as const)
    assert.match(
      judged({ files, scope }, undefined, verification),
      /^signature_scope_mismatch: the signature's scope is "/,
    );
});

const token = (list: readonly object[]) =>
  JSON.stringify({ signatures: [writeJws(KEYS.signing(), { alg: 'HS256', kid: 'k1' }, { files: list })] });

test('OPA, exclude_files: what is excluded need not be listed, may be listed, and may be gone', () => {
  const exclude = ['docs/*'];
  const files = new Map([...FILES, ['docs/x.txt', Buffer.from('x')]]);
  const listed = { name: 'docs/x.txt', hash: '00', algorithm: 'SHA-256' };
  assert.equal(judgedText(token([A_REGO]), { ...VERIFICATION, exclude }, files), 'read, k1');
  assert.equal(judgedText(token([A_REGO, listed]), { ...VERIFICATION, exclude }, files), 'read, k1');
  assert.equal(judgedText(token([A_REGO, listed]), { ...VERIFICATION, exclude }), 'read, k1');
  assert.match(judgedText(token([A_REGO]), VERIFICATION, files), /^signature_file_unlisted: "docs\/x\.txt" is/);
  assert.match(judgedText(token([A_REGO, listed])), /^signature_file_missing: "docs\/x\.txt" is/);
  assert.match(judgedText(token([]), { ...VERIFICATION, exclude }, files), /^signature_file_unlisted: "a\.rego" is/);
});

const PAYLOADS: readonly (readonly [Claims, RegExp])[] = [
  [{}, /payload: files/],
  [{ files: {} }, /payload: files/],
  [{ files: [{ ...A_REGO, name: 1 }] }, /files\.0\.name/],
  [{ files: [{ ...A_REGO, hash: 'xyz' }] }, /files\.0\.hash/],
  [{ files: [{ ...A_REGO, hash: '' }] }, /files\.0\.hash/],
  [{ files: [{ name: 'a.rego', hash: A_REGO.hash }] }, /files\.0\.algorithm/],
  [{ files: [A_REGO], scope: 1 }, /payload: scope/],
  [{ files: [A_REGO, A_REGO] }, /lists "a\.rego" twice/],
  [{ files: [A_REGO, { ...A_REGO, name: '/a.rego' }] }, /lists "a\.rego" twice/],
  [{ files: [{ ...A_REGO, name: '../a.rego' }] }, /which no file of a bundle can be called/],
  [{ files: [A_REGO, { ...A_REGO, name: '.signatures.json' }] }, /lists its own file/],
];
for (const [claims, detail] of PAYLOADS) {
  test(`soundly signed, and refused as malformed: ${JSON.stringify(claims)}`, () => {
    assert.match(judged(claims), /^signature_malformed: \.signatures\.json: .*sign the bundle again/);
    assert.match(judged(claims), detail);
  });
}

test('a list longer than a bundle may have files is refused', () => {
  const files = Array.from({ length: 4 }, (_, index) => ({ ...A_REGO, name: `f${index}` }));
  const token = writeJws(KEYS.signing(), { alg: 'HS256', kid: 'k1' }, { files });
  const signatures = Buffer.from(JSON.stringify({ signatures: [token] }));
  const limits = { ...DEFAULT_BUNDLE_LIMITS, members: 3 };
  const bundle = bundleFromFiles(new Map([...FILES, ['.signatures.json', signatures]]), {
    verification: VERIFICATION,
    limits,
  });
  assert.deepEqual(bundle.ok ? undefined : bundle.error.code, 'too_large');
});

const SOUND = writeJws(KEYS.signing(), { alg: 'HS256', kid: 'k1' }, { files: [A_REGO] });
const [HEADER = '', PAYLOAD = '', SIGNATURE = ''] = SOUND.split('.');

function raw(text: string): string {
  return Buffer.from(text).toString('base64url');
}

const SIGNATURE_FILES: Readonly<Record<string, readonly [string, RegExp]>> = {
  'no JSON': ['{', /not JSON/],
  'an array': [JSON.stringify([SOUND]), /the document/],
  'no text as token': ['{"signatures":[1]}', /signatures\.0/],
  'signatures twice': [`{"signatures":["${SOUND}"],"signatures":["x"]}`, /the key "signatures" stands twice/],
  'no token': ['{"signatures":[]}', /exactly one token is needed, 0 are there/],
  'a plugin': [JSON.stringify({ signatures: [SOUND], plugin: 'custom' }), /plugin/],
  'spaces around the token': [JSON.stringify({ signatures: [` ${SOUND}`] }), /header: not base64url/],
  'a line break in the token': [
    JSON.stringify({ signatures: [`${HEADER}.\n${PAYLOAD}.${SIGNATURE}`] }),
    /payload: not base64url/,
  ],
  'padding (RFC 7515 2)': [
    JSON.stringify({ signatures: [`${HEADER}.${PAYLOAD}.${SIGNATURE}=`] }),
    /signature: not base64url/,
  ],
  'plain base64': [JSON.stringify({ signatures: [`${HEADER}.${PAYLOAD}.+/${SIGNATURE}`] }), /signature: not base64url/],
  'unused bits set': [
    JSON.stringify({ signatures: [`${HEADER}.${PAYLOAD}.${SIGNATURE.slice(0, -1)}${nextOf(SIGNATURE)}`] }),
    /signature: not base64url/,
  ],
  'two parts': [JSON.stringify({ signatures: [`${HEADER}.${PAYLOAD}`] }), /has 2 parts/],
  'five parts': [JSON.stringify({ signatures: [`${SOUND}.a.b`] }), /more than 3 parts/],
  'a header that is no object': [
    JSON.stringify({ signatures: [`${raw('[]')}.${PAYLOAD}.${SIGNATURE}`] }),
    /header: no JSON object/,
  ],
  'alg twice in the header': [
    JSON.stringify({ signatures: [`${raw('{"alg":"HS256","alg":"none"}')}.${PAYLOAD}.${SIGNATURE}`] }),
    /the key "alg" stands twice/,
  ],
  'alg twice, once escaped': [
    JSON.stringify({ signatures: [`${raw('{"alg":"HS256","\\u0061lg":"none"}')}.${PAYLOAD}.${SIGNATURE}`] }),
    /the key "alg" stands twice/,
  ],
  'crit (RFC 7515 4.1.11)': [
    JSON.stringify({ signatures: [`${raw('{"alg":"HS256","crit":["b64"],"b64":false}')}.${PAYLOAD}.${SIGNATURE}`] }),
    /crit/,
  ],
  'files twice in the payload': [
    JSON.stringify({ signatures: [`${HEADER}.${raw('{"files":[],"files":[]}')}.${SIGNATURE}`] }),
    /the key "files" stands twice/,
  ],
  'a payload nested too deeply': [
    JSON.stringify({ signatures: [`${HEADER}.${raw(`{"a":${'['.repeat(300)}${']'.repeat(300)}}`)}.${SIGNATURE}`] }),
    /256 levels/,
  ],
};

/** The character that differs in the bits which the last one of an unpadded text does not use. */
function nextOf(base64: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[alphabet.indexOf(base64.at(-1) ?? '') + 1] ?? '';
}

for (const [what, [text, detail]] of Object.entries(SIGNATURE_FILES)) {
  test(`.signatures.json with ${what} is malformed`, () => {
    assert.match(judgedText(text), /^signature_malformed: \.signatures\.json: .*sign the bundle again/);
    assert.match(judgedText(text), detail);
  });
}

test('OPA’s own plugin name, spaces in the file and unknown claims are no fault', () => {
  assert.equal(judgedText(JSON.stringify({ signatures: [SOUND], plugin: '_default' }, undefined, 2)), 'read, k1');
  assert.equal(
    judged({ files: [A_REGO], iss: 'x', iat: 1.5, other: {} }, { kid: 'k1', typ: 'JWT', other: 1 }),
    'read, k1',
  );
});

test('signing: the same files in any order give the same text, and an older signature is not covered', () => {
  const [one, other] = [Buffer.from('1'), Buffer.from('2')];
  const first = signBundle(
    new Map([
      ['a', one],
      ['b', other],
      ['.signatures.json', one],
    ]),
    KEYS.signing({ keyId: 'k1' }),
  );
  assert.deepEqual(
    first,
    signBundle(
      new Map([
        ['b', other],
        ['a', one],
      ]),
      KEYS.signing({ keyId: 'k1' }),
    ),
  );
});

const fault = (path: string, text: string) => {
  const signed = signBundle(new Map([[path, Buffer.from(text)]]), KEYS.signing());
  return signed.ok ? 'signed' : `${signed.error.code}: ${signed.error.detail}`;
};

test('signing: files that cannot be read, and a signature in a folder, are refused with their name', () => {
  assert.match(fault('x/data.json', '{'), /^data_invalid: "x\/data\.json" cannot be signed/);
  assert.match(fault('data.yaml', 'a: [1'), /^data_invalid: "data\.yaml" cannot be signed/);
  assert.match(fault('x/.signatures.json', '{}'), /^signature_malformed: "x\/\.signatures\.json"/);
});
