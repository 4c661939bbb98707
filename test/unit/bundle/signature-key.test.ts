import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { SIGNATURE_ALGORITHMS } from '../../../src/core/bundle/signature-algorithm.ts';
import { createSigningKey, createVerificationKey } from '../../../src/core/bundle/signature-key.ts';
import { createBundleKeys, rsaTexts } from '../../support/bundle-keys.ts';
import { createAuthority } from '../../support/pki.ts';

type Made = ReturnType<typeof createVerificationKey> | ReturnType<typeof createSigningKey>;

function fault(key: Made): string {
  return key.ok ? 'made' : `${key.error.code}: ${key.error.detail}`;
}

for (const algorithm of SIGNATURE_ALGORITHMS) {
  test(`${algorithm}: its own keys are taken, and nothing of them shows when printed`, () => {
    const keys = createBundleKeys(algorithm);
    assert.equal(keys.verification.algorithm, algorithm);
    const shown = inspect([keys.verification, keys.signing()], { depth: 9, showHidden: true });
    const secret = keys.privateText.split('\n')[1] ?? keys.privateText;
    assert.ok(!shown.includes(secret));
  });
}

for (const algorithm of ['none', 'EdDSA', 'HS1', 'rs256', 'ES256K', '', 'constructor']) {
  test(`the algorithm ${JSON.stringify(algorithm)} is refused by name`, () => {
    assert.match(fault(createVerificationKey(algorithm, 'x')), /^signature_algorithm_refused: .*use one of ES256/);
    assert.match(fault(createSigningKey(algorithm, 'x')), /^signature_algorithm_refused: /);
  });
}

test('RFC 7518 3.3: RSA below 2048 bits is refused', () => {
  const weak = rsaTexts(1_024);
  assert.match(
    fault(createVerificationKey('RS256', weak.publicText)),
    /^signature_key_refused: .*1024 bits; 2048 to 16384/,
  );
  assert.match(fault(createSigningKey('PS512', weak.privateText)), /^signature_key_refused: .*1024 bits/);
});

test('RFC 7518 3.2: a secret shorter than the hash is refused', () => {
  for (const [algorithm, bytes] of [
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ] as const) {
    assert.equal(fault(createVerificationKey(algorithm, 'x'.repeat(bytes))), 'made');
    assert.match(
      fault(createVerificationKey(algorithm, 'x'.repeat(bytes - 1))),
      /^signature_key_refused: .*openssl rand/,
    );
    assert.match(fault(createSigningKey(algorithm, '')), /a secret of 0 bytes/);
  }
});

test('RFC 7518 3.4: each ES algorithm has one curve', () => {
  const p256 = createBundleKeys('ES256');
  assert.match(
    fault(createVerificationKey('ES384', p256.publicText)),
    /needs a key on secp384r1, this one is prime256v1/,
  );
  assert.match(fault(createSigningKey('ES512', p256.privateText)), /needs a key on secp521r1/);
  const koblitz = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({
    type: 'spki',
    format: 'pem',
  });
  assert.match(fault(createVerificationKey('ES256', koblitz)), /this one is secp256k1/);
});

test('a key of another kind is refused', () => {
  const [rsa, ec] = [createBundleKeys('RS256'), createBundleKeys('ES256')];
  const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2_048 }).publicKey.export({
    type: 'spki',
    format: 'pem',
  });
  assert.match(fault(createVerificationKey('RS256', ec.publicText)), /needs an RSA key, this one is ec/);
  assert.match(fault(createVerificationKey('ES256', rsa.publicText)), /needs a key on prime256v1, this one is rsa/);
  assert.match(fault(createVerificationKey('ES256', ed25519)), /this one is ed25519/);
  assert.match(fault(createVerificationKey('PS256', pss)), /this one is rsa-pss/);
});

test('a public key is no secret: PEM is refused for HS', () => {
  const { publicText } = createBundleKeys('RS256');
  assert.match(fault(createVerificationKey('HS256', publicText)), /^signature_key_refused: .*this is PEM/);
  assert.match(fault(createSigningKey('HS256', publicText)), /this is PEM/);
});

test('private keys only to sign, public ones only to verify', () => {
  const { publicText, privateText } = createBundleKeys('ES256');
  assert.match(fault(createVerificationKey('ES256', privateText)), /private key, which has no place.*-pubout/);
  assert.match(fault(createSigningKey('ES256', publicText)), /signing needs a private key/);
});

test('PKCS#1, SEC 1 and certificates are read; encrypted, damaged and several blocks are refused without showing them', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const pkcs1 = publicKey.export({ type: 'pkcs1', format: 'pem' });
  assert.equal(fault(createVerificationKey('RS256', pkcs1)), 'made');
  assert.equal(fault(createSigningKey('RS256', privateKey.export({ type: 'pkcs1', format: 'pem' }))), 'made');
  const sec1 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'pem' });
  assert.equal(fault(createSigningKey('ES256', sec1)), 'made');
  assert.equal(fault(createVerificationKey('ES256', createAuthority().bundlePem)), 'made');
  const encrypted = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' });
  assert.match(fault(createSigningKey('RS256', encrypted)), /encrypted; decrypt it/);
  assert.match(fault(createVerificationKey('RS256', pkcs1 + pkcs1)), /holds 2 PEM blocks/);
  assert.match(fault(createVerificationKey('RS256', pkcs1.replace('MII', 'AAA'))), /cannot be read/);
  assert.match(fault(createVerificationKey('RS256', 'secret text')), /not PEM/);
  assert.ok(!fault(createVerificationKey('RS256', 'secret text')).includes('secret text'));
});

test('claims that signing sets itself are refused', () => {
  for (const claim of ['files', 'keyid', 'scope'])
    assert.match(
      fault(createSigningKey('HS256', 'x'.repeat(32), { claims: { [claim]: 'x' } })),
      new RegExp(`^signature_malformed: the claims name ${claim}`),
    );
});
