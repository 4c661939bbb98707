import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { MAX_PEM_BLOCKS, MAX_PEM_LENGTH, pemBlocks } from '../../../src/core/identity/pem.ts';
import { pem } from '../../support/der.ts';
import { createAuthority } from '../../support/pki.ts';

const block = (label: string, ...octets: readonly number[]): string => pem(label, Uint8Array.from(octets));

function reading(text: string): readonly (readonly [string, readonly number[]])[] {
  const result = pemBlocks(text);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value.map(({ label, der }) => [label, [...der]]);
}

function refusal(text: string): string {
  const result = pemBlocks(text);
  assert.ok(!result.ok, 'was read');
  return result.error;
}

test('RFC 7468 2: blocks are read in order, with their labels', () => {
  const text = block('CERTIFICATE', 1, 2, 3) + block('PRIVATE KEY', 4) + block('X509 CRL', 5, 6);
  assert.deepEqual(reading(text), [
    ['CERTIFICATE', [1, 2, 3]],
    ['PRIVATE KEY', [4]],
    ['X509 CRL', [5, 6]],
  ]);
});

test('a chain of the PKI comes back as it was made', () => {
  const issued = createAuthority().intermediate().issue();
  const result = pemBlocks(issued.chainPem + issued.keyPem);
  assert.ok(result.ok);
  assert.deepEqual(
    result.value.map(({ label }) => label),
    ['CERTIFICATE', 'CERTIFICATE', 'PRIVATE KEY'],
  );
  assert.equal(result.value[0]?.der.toHex(), issued.der.toHex());
});

test('RFC 7468 2: text around blocks, other line ends and spaces at line ends are let pass', () => {
  assert.deepEqual(reading(`subject=/CN=a\n\n${block('A', 1)}\nand more: text\n`), [['A', [1]]]);
  assert.deepEqual(reading(block('A', 1, 2).replaceAll('\n', '\r\n')), [['A', [1, 2]]]);
  assert.deepEqual(reading(block('A', 1, 2).replaceAll('\n', '  \n')), [['A', [1, 2]]]);
  assert.deepEqual(reading(block('A', 1).trimEnd()), [['A', [1]]]);
});

test('no block is no mistake: what is missing is for the caller to say', () => {
  assert.deepEqual(reading(''), []);
  assert.deepEqual(reading('nothing here\n'), []);
});

test('RFC 7468 3: a block must end as it began', () => {
  assert.match(refusal('-----BEGIN A-----\nAQ==\n-----END B-----\n'), /line 3: not the end of the block of line 1/);
  assert.match(refusal(`-----BEGIN A-----\nAQ==\n${block('A', 1)}`), /line 3: not the end/);
  assert.match(refusal('text\n-----BEGIN A-----\nAQ==\n'), /line 2: a block without end/);
});

test('RFC 7468 3: a marker that begins nothing is refused', () => {
  for (const marker of [
    '-----END A-----',
    '-----BEGIN A----',
    '-----BEGIN a-----',
    '-----BEGIN -----',
    '------BEGIN A-----',
    '-----',
  ]) {
    assert.match(refusal(`text\n${marker}\n`), /line 2: a marker/, marker);
  }
});

test('RFC 7468 3: base64 must be plain and whole', () => {
  for (const body of [
    'AQ=',
    'AQ',
    'A',
    'A===',
    'AR==',
    'A-_=',
    'AQ==AQ==',
    '*',
    'Proc-Type: 4,ENCRYPTED\n\nAQ==',
    '',
  ]) {
    assert.match(
      refusal(`-----BEGIN A-----\n${body}\n-----END A-----\n`),
      /line 1: a block that is not plain base64/,
      body,
    );
  }
});

test('promise 10: the error never shows what stands in a block', () => {
  const text = `-----BEGIN PRIVATE KEY-----\nSECRETSECRET*\n-----END PRIVATE KEY-----\n`;
  assert.doesNotMatch(refusal(text), /SECRET/);
  assert.doesNotMatch(refusal('-----BEGIN PRIVATE KEY-----\nSECRET\n'), /SECRET/);
});

test('text and number of blocks are bounded', () => {
  assert.match(refusal('x'.repeat(MAX_PEM_LENGTH + 1)), /longer than/);
  assert.equal(reading(block('A', 1).repeat(MAX_PEM_BLOCKS)).length, MAX_PEM_BLOCKS);
  assert.match(refusal(block('A', 1).repeat(MAX_PEM_BLOCKS + 1)), /more than 1024/);
});

test('property: what was written is read back, whatever stands around it', () => {
  const label = fc.stringMatching(/^[A-Z][A-Z0-9 ]{0,18}[A-Z]$/);
  const part = fc.tuple(
    label,
    fc.uint8Array({ minLength: 1, maxLength: 200 }),
    fc.constantFrom('', '\n', 'text\n', ' \r\n'),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const text = parts.map(([name, bytes, around]) => around + pem(name, bytes)).join('');
      assert.deepEqual(
        reading(text),
        parts.map(([name, bytes]) => [name, [...bytes]]),
      );
    }),
  );
});

test('property: any text gives blocks or a reason, never a throw', () => {
  const piece = fc.constantFrom(
    '-----BEGIN A-----',
    '-----END A-----',
    '-----',
    'AQ==',
    '\n',
    '=',
    ' ',
    'é',
    '\u0000',
    'A',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      assert.equal(typeof pemBlocks(pieces.join('')).ok, 'boolean');
    }),
    { numRuns: 1000 },
  );
});
