import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import * as der from '../../../support/der.ts';
import { answer } from '../../../support/json-builtin.ts';
import { createKeyPair } from '../../../support/pki-keys.ts';
import type { KeyKind, KeyPair } from '../../../support/pki-keys.ts';
import { createAuthority } from '../../../support/pki.ts';

type Shown = Readonly<Record<string, unknown>>;

const KINDS: readonly KeyKind[] = ['p256', 'p384', 'p521', 'ed25519', 'rsa2048'];
const keys = new Map<KeyKind, KeyPair>(KINDS.map((kind) => [kind, createKeyPair(kind)]));

function pkcs8({ privateKey }: KeyPair): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' });
}

describe('crypto.x509.parse_rsa_private_key: the first key as a JWK', () => {
  for (const [kind, pair] of keys) {
    test(kind, () => {
      const want = pair.privateKey.export({ format: 'jwk' });
      const text = pkcs8(pair);
      for (const form of [text, Buffer.from(text).toString('base64')])
        assert.deepEqual(answer('crypto.x509.parse_rsa_private_key', [form]), want);
      assert.equal(answer('crypto.x509.parse_rsa_private_key', [`before\n${text}`]), undefined);
    });
  }

  test('older forms of keys', () => {
    const rsa = keys.get('rsa2048')?.privateKey;
    const ec = keys.get('p256')?.privateKey;
    assert.ok(rsa !== undefined && ec !== undefined);
    const [pkcs1, sec1] = [rsa.export({ type: 'pkcs1', format: 'pem' }), ec.export({ type: 'sec1', format: 'pem' })];
    assert.deepEqual(answer('crypto.x509.parse_rsa_private_key', [pkcs1]), rsa.export({ format: 'jwk' }));
    assert.deepEqual(answer('crypto.x509.parse_rsa_private_key', [sec1]), ec.export({ format: 'jwk' }));
  });

  test('no key is null, no PEM and P-224, which has no JWK, are errors', () => {
    const certificate = createAuthority().certificate.certPem;
    assert.equal(answer('crypto.x509.parse_rsa_private_key', [certificate]), null);
    assert.equal(answer('crypto.x509.parse_rsa_private_key', ['']), undefined);
    assert.equal(answer('crypto.x509.parse_rsa_private_key', ['no key']), undefined);
    assert.equal(answer('crypto.x509.parse_rsa_private_key', [pkcs8(createKeyPair('p224'))]), undefined);
  });
});

describe('crypto.parse_private_keys', () => {
  test('every key of the text, in the shape of its Go type', () => {
    const text = Array.from(keys.values(), pkcs8).join('');
    const shown = answer('crypto.parse_private_keys', [text]) as Shown[];
    assert.equal(shown.length, keys.size);
    assert.deepEqual(Object.keys(shown[0] ?? {}).toSorted(), ['Curve', 'D', 'X', 'Y']);
    assert.deepEqual(Object.keys(shown[4] ?? {}).toSorted(), ['D', 'E', 'N', 'Precomputed', 'Primes']);
    const { x = '' } = createPublicKey(keys.get('ed25519')?.privateKey ?? '').export({ format: 'jwk' });
    assert.ok(
      Buffer.from(shown[3] as unknown as string, 'base64')
        .subarray(32)
        .equals(Buffer.from(x, 'base64url')),
    );
  });

  test('nothing is null or empty, and a malformed key spoils all', () => {
    assert.equal(answer('crypto.parse_private_keys', ['']), null);
    assert.deepEqual(answer('crypto.parse_private_keys', ['no key']), []);
    const bad = der.pem('PRIVATE KEY', Buffer.from([0x30, 0]));
    assert.equal(answer('crypto.parse_private_keys', [pkcs8(keys.get('p256') as KeyPair) + bad]), undefined);
  });

  test('any change of bytes gives keys or an error of its own', () => {
    const bytes = keys.get('p256')?.privateKey.export({ type: 'pkcs8', format: 'der' });
    assert.ok(bytes !== undefined);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (index, value) => {
        const changed = Buffer.from(bytes);
        changed[index] = value;
        answer('crypto.parse_private_keys', [der.pem('PRIVATE KEY', changed)]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('crypto.x509.parse_keypair', () => {
  test('a key and its certificate, in PEM or base64', () => {
    for (const keyKind of KINDS) {
      const { certPem, keyPem, der: bytes } = createAuthority().issue({ keyKind });
      const shown = answer('crypto.x509.parse_keypair', [certPem, keyPem]) as Shown | undefined;
      assert.deepEqual(shown?.['Certificate'], [Buffer.from(bytes).toString('base64')]);
      const leaf = shown?.['Leaf'] as Shown;
      assert.equal(leaf['Raw'], Buffer.from(bytes).toString('base64'));
      assert.ok(!('URIStrings' in leaf));
      const base64 = [certPem, keyPem].map((text) => Buffer.from(text).toString('base64'));
      assert.deepEqual(answer('crypto.x509.parse_keypair', base64), shown);
    }
  });

  test('keys and certificates that do not belong together', () => {
    const [one, other] = [createAuthority().issue(), createAuthority().issue()];
    assert.equal(answer('crypto.x509.parse_keypair', [one.certPem, other.keyPem]), undefined);
    assert.equal(answer('crypto.x509.parse_keypair', [one.keyPem, one.certPem]), undefined);
    assert.equal(answer('crypto.x509.parse_keypair', [one.certPem, pkcs8(keys.get('rsa2048') as KeyPair)]), undefined);
    assert.equal(answer('crypto.x509.parse_keypair', ['', '']), undefined);
  });
});
