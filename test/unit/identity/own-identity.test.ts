import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkOwnIdentity } from '../../../src/core/identity/own-identity.ts';
import type { Issued, LeafOptions } from '../../support/pki.ts';
import { createAuthority } from '../../support/pki.ts';
import { OID } from '../../support/pki-certificate.ts';
import { createKeyPair, spkiOf } from '../../support/pki-keys.ts';
import { HOUR, NOW } from './judging.ts';

const keys = createKeyPair();
const root = createAuthority();
const middle = root.intermediate();

const problemsOf = (chain: readonly Uint8Array[], spki: Uint8Array = spkiOf(keys), atMs = NOW): readonly string[] => {
  const result = checkOwnIdentity(chain, spki, atMs);
  return result.ok ? [] : result.error;
};

const problemsWith = (options: LeafOptions): readonly string[] => problemsOf(middle.issue({ keys, ...options }).chain);

test('a sound identity is told: who we are and until when', () => {
  const second = Math.floor(NOW / 1000) * 1000;
  const issued = middle.issue({ keys, id: 'spiffe://example.org/ns/a', notAfter: new Date(second + HOUR) });
  const result = checkOwnIdentity(issued.chain, spkiOf(keys), NOW);
  assert.ok(result.ok, JSON.stringify(result));
  assert.equal(result.value.spiffeId, 'spiffe://example.org/ns/a');
  assert.equal(result.value.trustDomain, 'example.org');
  assert.equal(result.value.path, '/ns/a');
  assert.equal(result.value.validUntilMs, second + HOUR);
  assert.equal(result.value.certificate.serial, issued.serial.toString(16));
});

test('the end of an intermediate ends the identity', () => {
  const second = Math.floor(NOW / 1000) * 1000;
  const short = root.intermediate({ notAfter: new Date(second + 1000) });
  const result = checkOwnIdentity(short.issue({ keys }).chain, spkiOf(keys), NOW);
  assert.ok(result.ok);
  assert.equal(result.value.validUntilMs, second + 1000);
});

test('X509-SVID 5: the private key must be that of the leaf', () => {
  const other = createKeyPair();
  assert.deepEqual(problemsOf(middle.issue({ keys }).chain, spkiOf(other)), [
    'the private key is not that of the certificate',
  ]);
  assert.deepEqual(problemsOf(middle.issue({ keys: other }).chain, spkiOf(other)), []);
});

test('the rules for peers are rules for us', () => {
  const expected: readonly (readonly [LeafOptions, RegExp])[] = [
    [{ uris: [], subject: 'agent' }, /no URI SAN/],
    [{ uris: ['spiffe://example.org/a', 'spiffe://example.org/b'] }, /more than one/],
    [{ id: 'spiffe://example.org' }, /spiffe:\/\/example\.org/],
    [{ id: 'spiffe://example.org/a%20b' }, /SPIFFE ID/],
    [{ cA: true }, /cA is set/],
    [{ keyUsage: null }, /no key usage/],
    [{ keyUsage: ['digitalSignature', 'cRLSign'] }, /cRLSign/],
    [{ extendedKeyUsage: [OID.serverAuth] }, /extended key usage/],
    [{ sanCritical: false }, /not critical/],
  ];
  for (const [options, message] of expected) {
    const [first, ...others] = problemsWith(options);
    assert.match(first ?? '', message);
    assert.deepEqual(others, []);
  }
});

test('several mistakes are told together', () => {
  const issued = middle.issue({ keys, uris: [], cA: true, notAfter: new Date(NOW - 60_000) });
  assert.equal(problemsOf(issued.chain, spkiOf(createKeyPair())).length, 4);
});

test('time: expired and not yet valid are told for each certificate', () => {
  const old = root.intermediate({ notBefore: new Date(NOW - 2 * HOUR), notAfter: new Date(NOW - HOUR) });
  assert.match(problemsOf(old.issue({ keys }).chain)[0] ?? '', /^certificate 2: expired at /);
  assert.match(problemsWith({ notAfter: new Date(NOW - 1000) })[0] ?? '', /^certificate 1: expired at /);
  assert.match(problemsWith({ notBefore: new Date(NOW + HOUR) })[0] ?? '', /^certificate 1: not valid before /);
});

test('RFC 8446 4.4.2: the chain must be in order, each certificate signed by the next', () => {
  const deep = middle.intermediate({ subject: 'Deep' });
  const [leaf = Buffer.alloc(0), lower = Buffer.alloc(0), upper = Buffer.alloc(0)] = deep.issue({ keys }).chain;
  assert.deepEqual(problemsOf([leaf, lower, upper]), []);
  assert.match(problemsOf([leaf, upper, lower])[0] ?? '', /certificate 2: is not the issuer/);
  assert.match(problemsOf([leaf, upper])[0] ?? '', /certificate 2: is not the issuer/);
  const imposter = createAuthority({ subject: 'Deep' });
  assert.match(problemsOf([leaf, imposter.certificate.der])[0] ?? '', /certificate 2: did not sign/);
});

test('signers of our chain must be signers', () => {
  const notCa = root.intermediate({ cA: false });
  assert.match(problemsOf(notCa.issue({ keys }).chain)[0] ?? '', /certificate 2: issuer: cA/);
  const elsewhere = root.intermediate({ uris: ['spiffe://elsewhere.org'] });
  assert.match(problemsOf(elsewhere.issue({ keys }).chain)[0] ?? '', /elsewhere\.org/);
});

test('weak keys and signatures are told', () => {
  const weak = root.issue({ keyKind: 'rsa1024' });
  assert.match(problemsOf(weak.chain, spkiOf(weak.keys))[0] ?? '', /not of an accepted kind/);
  assert.match(problemsOf(middle.issue({ keys, digest: 'sha1' }).chain)[0] ?? '', /signature algorithm/);
  const weakIssuer = root.intermediate({ keyKind: 'rsa1024' });
  assert.match(problemsOf(weakIssuer.issue({ keys }).chain)[0] ?? '', /certificate 2: public key/);
});

test('nothing, too much and garbage are told', () => {
  assert.deepEqual(problemsOf([]), ['there is no certificate']);
  const issued: Issued = middle.issue({ keys });
  assert.match(problemsOf(Array.from({ length: 11 }, () => issued.der))[0] ?? '', /more than 10/);
  const found = problemsOf([issued.der, Buffer.from('x'), Buffer.from('y')]);
  assert.equal(found.length, 2);
  assert.match(found[0] ?? '', /^certificate 2: /);
  assert.match(found[1] ?? '', /^certificate 3: /);
});
