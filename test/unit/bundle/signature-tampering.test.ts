import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';

import fc from 'fast-check';

import { bundleFromFiles, readBundle } from '../../../src/core/bundle/bundle.ts';
import { checkSequence, sequenceState } from '../../../src/core/bundle/sequence.ts';
import { SIGNATURE_ALGORITHMS } from '../../../src/core/bundle/signature-algorithm.ts';
import { createVerificationKey } from '../../../src/core/bundle/signature-key.ts';
import { packBundle, signedFiles } from '../../../src/core/bundle/write-bundle.ts';
import { createBundleKeys } from '../../support/bundle-keys.ts';

import type { BundleFault } from '../../../src/core/bundle/fault.ts';
import type { Files } from '../../../src/core/bundle/tar-reader.ts';
import type { Verification } from '../../../src/core/bundle/verify-signature.ts';
import type { Result } from '../../../src/core/kernel/result.ts';

const KEYS = createBundleKeys('RS256');
const VERIFICATION: Verification = { keys: new Map([['k1', KEYS.verification]]) };

function content(sequence = 7): Map<string, Uint8Array> {
  return new Map(
    Object.entries({
      '.manifest': `{"revision":"r${sequence}","metadata":{"sallyport":{"sequence":${sequence}}}}`,
      'data.json': '{"roles":{"alice":["admin"]},"n":1.0}',
      'x/data.yaml': 'deep: [1, two]\n',
      'policy.rego': 'package a\n\nallow := true\n',
      'policy.wasm': '\0asm\x01\0\0\0',
      'README.md': '# rules\n',
    }).map(([path, text]) => [path, Buffer.from(text)]),
  );
}

function signed(files: Files = content()): Map<string, Uint8Array> {
  const all = signedFiles(files, KEYS.signing({ keyId: 'k1' }));
  assert.ok(all.ok);
  return new Map(all.value);
}

function codeOf(result: Result<unknown, BundleFault>): string {
  return result.ok ? 'read' : result.error.code;
}

function verdict(files: Files, verification: Verification | undefined = VERIFICATION): string {
  const asFolder = codeOf(bundleFromFiles(files, { verification }));
  assert.equal(
    codeOf(readBundle(packBundle(files), { verification })),
    asFolder,
    'a folder and its archive are judged alike',
  );
  return asFolder;
}

function token(files: Files): readonly [string, string, string] {
  const { signatures } = JSON.parse(Buffer.from(files.get('.signatures.json') ?? '').toString()) as {
    signatures: string[];
  };
  const [header = '', payload = '', signature = ''] = signatures[0]?.split('.') ?? [];
  return [header, payload, signature];
}

function withToken(files: Files, ...parts: readonly string[]): Files {
  return new Map([...files, ['.signatures.json', Buffer.from(JSON.stringify({ signatures: [parts.join('.')] }))]]);
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decoded(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
}

/** The signed bundle under another header, with a signature made by `sign` over it. */
function reheaded(header: object, sign: (text: string) => string): Files {
  const files = signed();
  const [, payload] = token(files);
  const text = `${encoded(header)}.${payload}`;
  return withToken(files, encoded(header), payload, sign(text));
}

test('the bundle as it was signed is read, and says who signed it', () => {
  const bundle = bundleFromFiles(signed(), { verification: VERIFICATION });
  assert.ok(bundle.ok);
  assert.deepEqual(bundle.value.signer, { keyId: 'k1', algorithm: 'RS256' });
  assert.equal(bundle.value.sequence, 7);
});

function changed(change: (files: Map<string, Uint8Array>) => unknown): Files {
  const files = signed();
  change(files);
  return files;
}

/** A signature with the public key's text as the secret: what passes where the header chooses the algorithm. */
function hmacWithPublicKey(text: string): string {
  return createHmac('sha256', KEYS.publicText).update(text).digest('base64url');
}

const oldSignature = (): string => token(signed())[2];

const TAMPERINGS: Readonly<Record<string, readonly [() => Files, string]>> = {
  'a file added': [
    () => changed((files) => files.set('more.rego', Buffer.from('package b'))),
    'signature_file_unlisted',
  ],
  'a file added below a folder': [
    () => changed((files) => files.set('x/y/data.json', Buffer.from('{}'))),
    'signature_file_unlisted',
  ],
  'a file added that only differs in case': [
    () => changed((files) => files.set('Policy.rego', Buffer.from(''))),
    'signature_file_unlisted',
  ],
  'a file that nothing reads added': [
    () => changed((files) => files.set('notes.txt', Buffer.from(''))),
    'signature_file_unlisted',
  ],
  'a file removed': [() => changed((files) => files.delete('policy.rego')), 'signature_file_missing'],
  'the manifest removed': [() => changed((files) => files.delete('.manifest')), 'signature_file_missing'],
  'a file renamed': [
    () =>
      changed((files) => {
        files.set('other.rego', files.get('policy.rego') ?? Buffer.of());
        files.delete('policy.rego');
      }),
    'signature_file_unlisted',
  ],
  'two files exchanged': [
    () =>
      changed((files) => {
        const [one, other] = [files.get('policy.rego'), files.get('README.md')];
        files.set('policy.rego', other ?? Buffer.of()).set('README.md', one ?? Buffer.of());
      }),
    'signature_hash_mismatch',
  ],
  'the signature removed': [() => content(), 'signature_missing'],
  'the signature emptied': [() => withToken(signed()), 'signature_malformed'],
  'no signature in the list': [
    () => new Map([...content(), ['.signatures.json', Buffer.from('{"signatures":[]}')]]),
    'signature_malformed',
  ],
  'an object without signatures (OPA: taken for unsigned)': [
    () => new Map([...content(), ['.signatures.json', Buffer.from('{}')]]),
    'signature_malformed',
  ],
  'a second signature beside the first': [
    () => {
      const files = signed();
      const one = token(files).join('.');
      return new Map([...files, ['.signatures.json', Buffer.from(JSON.stringify({ signatures: [one, one] }))]]);
    },
    'signature_malformed',
  ],
  'the signature moved into a folder': [
    () =>
      changed((files) => {
        files.set('x/.signatures.json', files.get('.signatures.json') ?? Buffer.of());
        files.delete('.signatures.json');
      }),
    'signature_malformed',
  ],
  'a second signature file in a folder': [
    () => changed((files) => files.set('x/.signatures.json', files.get('.signatures.json') ?? Buffer.of())),
    'signature_malformed',
  ],
  'the signature of another bundle': [
    () => new Map([...content(), ['.signatures.json', signed(content(8)).get('.signatures.json') ?? Buffer.of()]]),
    'signature_hash_mismatch',
  ],
  'signed with another key under the known name': [
    () => {
      const files = signedFiles(content(), createBundleKeys('RS256', true).signing({ keyId: 'k1' }));
      return files.ok ? files.value : new Map();
    },
    'signature_invalid',
  ],
  'signed with another key under its own name': [
    () => {
      const files = signedFiles(content(), createBundleKeys('ES256').signing({ keyId: 'k2' }));
      return files.ok ? files.value : new Map();
    },
    'signature_key_unknown',
  ],
  'alg none, without signature': [() => reheaded({ alg: 'none', kid: 'k1' }, () => ''), 'signature_malformed'],
  'alg none, with the old signature': [
    () => reheaded({ alg: 'none', kid: 'k1' }, oldSignature),
    'signature_algorithm_refused',
  ],
  'alg missing': [() => reheaded({ kid: 'k1' }, oldSignature), 'signature_algorithm_refused'],
  'alg HS256 with the public key as secret': [
    () => reheaded({ alg: 'HS256', kid: 'k1' }, hmacWithPublicKey),
    'signature_algorithm_refused',
  ],
  'alg RS256 over an HMAC with the public key as secret': [
    () => reheaded({ alg: 'RS256', kid: 'k1' }, hmacWithPublicKey),
    'signature_invalid',
  ],
  'another RSA alg': [() => reheaded({ alg: 'PS256', kid: 'k1' }, oldSignature), 'signature_algorithm_refused'],
  'a key of its own in the header (RFC 7515 4.1.3)': [
    () => reheaded({ alg: 'RS256', kid: 'k1', jwk: { kty: 'RSA' } }, oldSignature),
    'signature_invalid',
  ],
  'a file taken off the list': [
    () => {
      const files = signed();
      const [header, payload, signature] = token(files);
      const claims = decoded(payload) as { files: { name: string }[] };
      const list = claims.files.filter(({ name }) => name !== 'policy.rego');
      return withToken(files, header, encoded({ ...claims, files: list }), signature);
    },
    'signature_invalid',
  ],
  'no signature part': [() => withToken(signed(), ...token(signed()).slice(0, 2)), 'signature_malformed'],
  'a fourth part': [() => withToken(signed(), ...token(signed()), 'e30'), 'signature_malformed'],
};
for (const [what, [files, code]] of Object.entries(TAMPERINGS)) {
  test(`${what}: ${code}`, () => assert.equal(verdict(files()), code));
}

for (const path of content().keys()) {
  test(`a flipped byte in ${path}: signature_hash_mismatch, with its name`, () => {
    const files = signed();
    const bytes = Uint8Array.from(files.get(path) ?? []);
    bytes[bytes.length - 3] = (bytes.at(-3) ?? 0) ^ 0x02;
    files.set(path, bytes);
    const bundle = bundleFromFiles(files, { verification: VERIFICATION });
    assert.equal(codeOf(bundle), 'signature_hash_mismatch');
    assert.ok(!bundle.ok && bundle.error.detail.includes(JSON.stringify(path)));
  });
}

test('signed, and no key configured: signature_unexpected', () => {
  assert.equal(codeOf(bundleFromFiles(signed())), 'signature_unexpected');
  assert.equal(codeOf(readBundle(packBundle(signed()))), 'signature_unexpected');
});

test('an older revision that is validly signed: sequence_older', () => {
  const [active, older] = [content(8), content(7)].map((files) =>
    bundleFromFiles(signed(files), { verification: VERIFICATION }),
  );
  assert.ok(active?.ok && older?.ok);
  const verdictOf = checkSequence(sequenceState(active.value), sequenceState(older.value));
  assert.equal(codeOf(verdictOf), 'sequence_older');
});

test('no content is looked at before the signature: the forged bundle is never called malformed', () => {
  for (const [path, text] of [
    ['.manifest', '[]'],
    ['data.json', '{'],
    ['patch.json', '{"data":[]}'],
    ['other.wasm', 'x'],
  ] as const) {
    const forged = new Map([...signed(), [path, Buffer.from(text)]]);
    assert.match(verdict(forged), /^signature_(?:hash_mismatch|file_unlisted)$/);
    assert.equal(verdict(new Map([...content(), [path, Buffer.from(text)]])), 'signature_missing');
  }
});

test('the signature holds for what data says, not for how it is written, as in OPA', () => {
  const files = signed();
  files.set('data.json', Buffer.from('{\n  "n" : 1.0, "roles":{"\\u0061lice":["admin"]}}\n'));
  assert.equal(verdict(files), 'read');
  files.set('data.json', Buffer.from('{"roles":{"alice":["admin"]},"n":1}'));
  assert.equal(verdict(files), 'signature_hash_mismatch');
});

for (const algorithm of SIGNATURE_ALGORITHMS) {
  test(`${algorithm}: what is signed is verified; another key, and the same key for another algorithm, are refused`, () => {
    const keys = createBundleKeys(algorithm);
    const files = signedFiles(content(), keys.signing({ keyId: 'k1' }));
    assert.ok(files.ok);
    const judged = (key: typeof keys.verification) => verdict(files.value, { keys: new Map([['k1', key]]) });
    assert.equal(judged(keys.verification), 'read');
    assert.equal(judged(createBundleKeys(algorithm, true).verification), 'signature_invalid');
    const sibling = algorithm.endsWith('256') ? algorithm.replace('256', '384') : `${algorithm.slice(0, 2)}256`;
    const other = algorithm.startsWith('ES') ? undefined : createVerificationKey(sibling, keys.publicText);
    if (other?.ok === true) assert.equal(judged(other.value), 'signature_algorithm_refused');
  });
}

test('property: one changed byte anywhere in the token is refused', () => {
  const files = signed();
  const text = Buffer.from(files.get('.signatures.json') ?? '');
  const [start, end] = [text.indexOf('["') + 2, text.indexOf('"]')];
  fc.assert(
    fc.property(fc.integer({ min: start, max: end - 1 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      fc.pre(text[at] !== byte);
      const tampered = new Map([...files, ['.signatures.json', Uint8Array.from(text).with(at, byte)]]);
      assert.match(
        codeOf(bundleFromFiles(tampered, { verification: VERIFICATION })),
        /^signature_(?:malformed|invalid|key_unknown|algorithm_refused)$/,
      );
    }),
    { numRuns: 500 },
  );
});

test('data files that hash alike are read alike: nobody else can write a signed value in a way that says another', () => {
  const alike: readonly (readonly [string, string])[] = [
    ['deep: false\n', '%YAML 1.1\n---\ndeep: no\n'],
    ['{"deep": 20000000000000000000}', 'deep: 20000000000000000001\n'],
    ['deep: "\ufffd"\n', 'deep: "\\U0000D800"\n'],
    ['{"deep": [1, 2.5]}', 'deep: [1.0, 25e-1]\n'],
    ['deep: yes\n', 'deep: "yes"\n'],
  ];
  for (const [honest, forged] of alike) {
    const files = signed(new Map([...content(), ['x/data.yaml', Buffer.from(honest)]]));
    const sound = bundleFromFiles(files, { verification: VERIFICATION });
    const tampered = bundleFromFiles(new Map([...files, ['x/data.yaml', Buffer.from(forged)]]), {
      verification: VERIFICATION,
    });
    assert.ok(sound.ok);
    assert.equal(
      tampered.ok ? tampered.value.dataJson : 'refused',
      tampered.ok ? sound.value.dataJson : 'refused',
      forged,
    );
  }
});

test('property: one changed byte in a file that is no data is refused, with its name', () => {
  const files = signed();
  const paths = [...content().keys()].filter((path) => !/data\.|manifest/.test(path));
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.nat(), fc.integer({ min: 1, max: 255 }), (path, position, mask) => {
      const bytes = Uint8Array.from(files.get(path) ?? []);
      const at = position % bytes.length;
      const tampered = new Map([...files, [path, bytes.with(at, (bytes[at] ?? 0) ^ mask)]]);
      const bundle = bundleFromFiles(tampered, { verification: VERIFICATION });
      assert.ok(!bundle.ok && bundle.error.code === 'signature_hash_mismatch' && bundle.error.detail.includes(path));
    }),
  );
});

test('property: a changed byte in data is refused, or changes nothing that the data says', () => {
  const files = signed();
  const sound = bundleFromFiles(files, { verification: VERIFICATION });
  assert.ok(sound.ok);
  fc.assert(
    fc.property(
      fc.constantFrom('data.json', '.manifest', 'x/data.yaml'),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (path, position, mask) => {
        const bytes = Uint8Array.from(files.get(path) ?? []);
        const at = position % bytes.length;
        const tampered = new Map([...files, [path, bytes.with(at, (bytes[at] ?? 0) ^ mask)]]);
        const bundle = bundleFromFiles(tampered, { verification: VERIFICATION });
        if (bundle.ok)
          assert.deepEqual(
            [bundle.value.dataJson, bundle.value.manifest],
            [sound.value.dataJson, sound.value.manifest],
          );
        else assert.equal(bundle.error.code, 'signature_hash_mismatch');
      },
    ),
    { numRuns: 300 },
  );
});

test('property: a bundle with any byte of its archive changed is the same bundle or refused', () => {
  const archive = packBundle(signed());
  const sound = readBundle(archive, { verification: VERIFICATION });
  assert.ok(sound.ok);
  fc.assert(
    fc.property(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const bundle = readBundle(archive.with(at, (archive[at] ?? 0) ^ mask), { verification: VERIFICATION });
      if (bundle.ok) assert.equal(bundle.value.digest, sound.value.digest);
    }),
    { numRuns: 300 },
  );
});
