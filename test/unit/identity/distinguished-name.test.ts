import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { DerReader } from '../../../src/core/identity/der.ts';
import { formatName, isEmptyName, readName, shortName } from '../../../src/core/identity/distinguished-name.ts';
import * as der from '../../support/der.ts';

const CN = '2.5.4.3';
const attribute = (type: string, value: Uint8Array): Uint8Array => der.sequence(der.oid(type), value);
const name = (...parts: readonly Uint8Array[]): Uint8Array => der.sequence(...parts.map((part) => der.setOf(part)));
const commonName = (value: Uint8Array): string => formatName(name(attribute(CN, value)));

function failureOf(encoded: Uint8Array): string | undefined {
  const reader = new DerReader(encoded);
  readName(reader, 'name');
  reader.close('name');
  return reader.failure;
}

test('RFC 4514 2.1: parts stand in reverse order', () => {
  const encoded = name(
    attribute('2.5.4.6', der.printable('DE')),
    attribute('2.5.4.10', der.utf8('Example')),
    attribute('2.5.4.11', der.utf8('Agents')),
    attribute(CN, der.utf8('researcher')),
  );
  assert.equal(formatName(encoded), 'CN=researcher,OU=Agents,O=Example,C=DE');
});

test('RFC 4514 2.2: attributes of one part are joined by a plus sign', () => {
  const part = der.setOf(attribute(CN, der.utf8('a')), attribute('2.5.4.10', der.utf8('b')));
  assert.equal(formatName(der.sequence(part)), 'CN=a+O=b');
});

test('RFC 4514 2.3: types without a short name are dotted, their values in the # form', () => {
  assert.equal(formatName(name(attribute('2.5.4.5', der.printable('42')))), '2.5.4.5=#13023432');
});

test('RFC 4514 2.4: special characters are escaped', () => {
  assert.equal(commonName(der.utf8('a,b+c"d\\e<f>g;h')), String.raw`CN=a\,b\+c\"d\\e\<f\>g\;h`);
  assert.equal(commonName(der.utf8('#a')), String.raw`CN=\#a`);
  assert.equal(commonName(der.utf8(' a ')), String.raw`CN=\ a\ `);
  assert.equal(commonName(der.utf8(' ')), String.raw`CN=\ `);
  assert.equal(commonName(der.utf8('a#b c')), 'CN=a#b c');
  assert.equal(commonName(der.utf8('')), 'CN=');
});

test('RFC 4514 2.4: NUL and other controls are pairs of digits, so that a name stays on one line', () => {
  assert.equal(commonName(der.utf8('a\u0000b\r\nc\u007f')), String.raw`CN=a\00b\0d\0ac\7f`);
});

test('letters of any language stay as they are', () => {
  assert.equal(commonName(der.utf8('Müller 東京')), 'CN=Müller 東京');
});

test('a value whose reading is in doubt is in the # form', () => {
  assert.equal(commonName(der.tlv(0x1e, Buffer.from([0, 65]))), 'CN=#1e020041');
  assert.equal(commonName(der.tlv(0x14, Buffer.from([0xe4]))), 'CN=#1401e4');
  assert.equal(commonName(der.tlv(0x0c, Buffer.from([0xc3]))), 'CN=#0c01c3');
  assert.equal(commonName(der.tlv(0x13, Buffer.from([0xe4]))), 'CN=#1301e4');
});

test('an injected part stays inside its value', () => {
  assert.equal(commonName(der.utf8('x,CN=admin')), String.raw`CN=x\,CN\=admin`.replaceAll(String.raw`\=`, '='));
});

test('RFC 5280 4.1.2.6: the empty name is a name', () => {
  assert.equal(failureOf(der.sequence()), undefined);
  assert.equal(formatName(der.sequence()), '');
  assert.ok(isEmptyName(der.sequence()));
  assert.ok(!isEmptyName(name(attribute(CN, der.utf8('')))));
});

test('what is no Name is refused', () => {
  assert.match(failureOf(der.sequence(der.setOf())) ?? '', /missing/);
  assert.match(failureOf(der.sequence(attribute(CN, der.utf8('a')))) ?? '', /tag 48 where 49/);
  assert.match(failureOf(name(der.sequence(der.oid(CN)))) ?? '', /missing/);
  assert.match(failureOf(name(der.sequence(der.oid(CN), der.utf8('a'), der.utf8('b')))) ?? '', /something follows/);
  assert.match(failureOf(name(der.sequence(der.utf8('a'), der.oid(CN)))) ?? '', /tag 12 where 6/);
});

test('a name has at most 4096 bytes', () => {
  assert.equal(failureOf(name(attribute(CN, der.utf8('a'.repeat(4000))))), undefined);
  assert.match(failureOf(name(attribute(CN, der.utf8('a'.repeat(4096))))) ?? '', /over 4096/);
});

test('in messages a name has at most some 200 characters', () => {
  assert.equal(shortName(name(attribute(CN, der.utf8('a')))), 'CN=a');
  assert.equal(shortName(name(attribute(CN, der.utf8('a'.repeat(1000))))).length, 201);
});

/** A common name without its escapes: the reverse of what is tested, as RFC 4514 section 3 reads it. */
function unescaped(text: string): string {
  const octets: number[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const pair = /^\\([0-9a-f]{2})/.exec(text.slice(i));
    const char = text[i] === '\\' && pair === null ? text[i + 1] : text[i];
    if (pair !== null) octets.push(Number.parseInt(pair[1] ?? '', 16));
    else octets.push(...Buffer.from(char ?? '', 'latin1'));
    i += pair !== null ? 2 : text[i] === '\\' ? 1 : 0;
  }
  return Buffer.from(octets).toString('latin1');
}

test('property: escaping loses nothing and leaves no separator bare', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0x7e }), { maxLength: 30 }), (codes) => {
      const text = String.fromCharCode(...codes);
      const formatted = commonName(der.utf8(text));
      assert.equal(unescaped(formatted.slice(3)), text);
      assert.doesNotMatch(formatted.replaceAll(/\\./g, ''), /[,+;"<>\\\u0000-\u001f]/);
    }),
    { numRuns: 1000 },
  );
});

test('property: different values give different strings', () => {
  const value = fc.tuple(fc.constantFrom(0x0c, 0x13, 0x1e), fc.uint8Array({ maxLength: 4 }));
  fc.assert(
    fc.property(value, value, ([tagA, a], [tagB, b]) => {
      const one = name(attribute(CN, der.tlv(tagA, a)));
      const other = name(attribute(CN, der.tlv(tagB, b)));
      const sameText = Buffer.from(a).equals(Buffer.from(b)) && tagA !== 0x1e && tagB !== 0x1e;
      if (Buffer.from(one).equals(Buffer.from(other)) || sameText) return;
      assert.notEqual(formatName(one), formatName(other));
    }),
    { numRuns: 2000 },
  );
});
