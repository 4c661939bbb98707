import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { readCrlText } from '../../../src/core/identity/crl-text.ts';
import { createAuthority } from '../../support/pki.ts';

const root = createAuthority();
const [first, second] = [root.crl({ number: 1n }), root.crl({ number: 2n })];

function reading(text: string | Uint8Array): readonly Buffer[] {
  const lists = readCrlText(Buffer.from(text));
  assert.ok(lists.ok, lists.ok ? '' : lists.error);
  return lists.value.map((der) => Buffer.from(der));
}

function refusal(text: string): string {
  const lists = readCrlText(Buffer.from(text));
  assert.ok(!lists.ok, 'was read');
  return lists.error;
}

test('a list as DER', () => {
  assert.deepEqual(reading(first.der), [Buffer.from(first.der)]);
});

test('RFC 7468 6: lists as PEM, with text around them', () => {
  assert.deepEqual(reading(`# ours\n${first.pem}\n${second.pem}`), [Buffer.from(first.der), Buffer.from(second.der)]);
});

test('what holds no list, or something beside lists, is refused by name', () => {
  assert.match(refusal(''), /neither DER nor a PEM block "X509 CRL"/);
  assert.match(refusal('<html>Please log in</html>'), /neither DER nor a PEM block/);
  assert.match(refusal(first.pem + root.bundlePem), /holds a PEM block that is no "X509 CRL"/);
  assert.match(refusal(first.pem.slice(0, -30)), /without end/);
  assert.match(refusal('x'.repeat(16 * 1024 * 1024 + 1)), /longer than 16777216/);
});

test('property: any octets give lists or a reason, never a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const lists = readCrlText(bytes);
      assert.ok(!lists.ok || lists.value.length > 0);
    }),
  );
});
