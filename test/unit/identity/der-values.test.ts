import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { DerReader } from '../../../src/core/identity/der.ts';
import {
  readBitString,
  readBoolean,
  readFlag,
  readInteger,
  readNamedBits,
  readOctetsOfBitString,
  readOid,
  readSmallInteger,
  readTime,
} from '../../../src/core/identity/der-values.ts';
import * as der from '../../support/der.ts';

/** What `read` makes of `encoded`; the message where it refuses or leaves something over. */
function reading(encoded: Uint8Array, read: (reader: DerReader, what: string) => unknown): unknown {
  const reader = new DerReader(Uint8Array.from(encoded));
  const value = read(reader, 'value');
  reader.close('value');
  return reader.failure ?? value;
}

const octets = (...list: readonly number[]): Uint8Array => Uint8Array.from(list);

test('X.690 11.1: a BOOLEAN is 00 or FF', () => {
  assert.equal(reading(octets(1, 1, 0xff), readBoolean), true);
  assert.equal(reading(octets(1, 1, 0x00), readBoolean), false);
  for (const wrong of [octets(1, 1, 1), octets(1, 1, 0x80), octets(1, 0), octets(1, 2, 0xff, 0xff)]) {
    assert.match(String(reading(wrong, readBoolean)), /00 or FF/);
  }
});

test('X.690 11.5: a flag that is there is TRUE, since defaults are left out', () => {
  assert.equal(reading(octets(1, 1, 0xff), readFlag), true);
  assert.equal(reading(octets(), readFlag), false);
  assert.match(String(reading(octets(1, 1, 0), readFlag)), /default value is left out/);
});

const inFour = (reader: DerReader, what: string): Uint8Array => readInteger(reader, what, 4);

test('X.690 8.3.2: an INTEGER in its shortest form is read as it stands', () => {
  for (const value of [0n, 1n, 127n, 128n, 255n, 256n, -1n, -128n, -129n, 0x7fffffffn]) {
    const encoded = der.integer(value);
    assert.deepEqual(reading(encoded, inFour), Uint8Array.from(encoded.subarray(2)), String(value));
  }
});

test('X.690 8.3.2: padding and emptiness are refused', () => {
  for (const wrong of [octets(2, 0), octets(2, 2, 0, 0x7f), octets(2, 2, 0xff, 0x80), octets(2, 3, 0, 0, 0x80)]) {
    assert.match(String(reading(wrong, inFour)), /shortest form/);
  }
});

test('an INTEGER longer than asked for is refused', () => {
  assert.match(String(reading(der.integer(1n << 32n), inFour)), /more than 4 octets/);
});

test('small integers are not negative', () => {
  assert.equal(reading(der.integer(300), readSmallInteger), 300);
  assert.equal(reading(der.integer(0x7fffffff), readSmallInteger), 0x7fffffff);
  assert.match(String(reading(der.integer(-1), readSmallInteger)), /negative/);
  assert.match(String(reading(der.integer(0x80000000), readSmallInteger)), /more than 4/);
});

test('X.690 8.6.2: a BIT STRING says how many bits at its end are unused', () => {
  assert.deepEqual(reading(octets(3, 2, 4, 0xf0), readBitString), { bytes: octets(0xf0), unused: 4 });
  assert.deepEqual(reading(octets(3, 1, 0), readBitString), { bytes: octets(), unused: 0 });
});

test('X.690 11.2.1: unused bits are zero, at most seven, and none where there are no octets', () => {
  for (const wrong of [
    octets(3, 2, 4, 0xf8),
    octets(3, 2, 8, 0),
    octets(3, 1, 1),
    octets(3, 0),
    octets(3, 2, 0xff, 0),
  ]) {
    assert.match(String(reading(wrong, readBitString)), /unused bits/);
  }
});

test('signatures and keys are whole octets', () => {
  assert.deepEqual(reading(der.bitString(octets(1, 2)), readOctetsOfBitString), octets(1, 2));
  assert.match(String(reading(octets(3, 2, 1, 2), readOctetsOfBitString)), /whole octets/);
});

test('X.690 11.2.2: named bits are read, and a list that ends in zero bits is refused', () => {
  assert.deepEqual(reading(der.namedBits([0, 5, 6]), readNamedBits), new Set([0, 5, 6]));
  assert.deepEqual(reading(der.namedBits([8]), readNamedBits), new Set([8]));
  assert.deepEqual(reading(der.namedBits([]), readNamedBits), new Set());
  for (const wrong of [octets(3, 2, 0, 0x80), octets(3, 3, 0, 0x80, 0), octets(3, 4, 0, 1, 1, 1)]) {
    assert.match(String(reading(wrong, readNamedBits)), /named bit list/);
  }
});

test('X.690 8.19: object identifiers are read, long arcs too', () => {
  for (const dotted of ['2.5.29.17', '1.2.840.113549.1.1.11', '0.9.2342.19200300.100.1.25', '2.999.3', '1.3.101.112']) {
    const encoded = dotted === '2.999.3' ? octets(6, 3, 0x88, 0x37, 3) : der.oid(dotted);
    assert.equal(reading(encoded, readOid), dotted);
  }
  const uuid = octets(6, 20, 0x69, 0x83, ...Buffer.alloc(17, 0xff), 0x7f);
  assert.match(String(reading(uuid, readOid)), /^2\.25\.\d{38,}$/);
});

test('X.690 8.19.2: arcs that are padded, cut short or beyond any use are refused', () => {
  assert.match(String(reading(octets(6, 3, 0x55, 0x80, 1), readOid)), /leading zero/);
  assert.match(String(reading(octets(6, 2, 0x55, 0x81), readOid)), /cut short/);
  assert.match(String(reading(octets(6, 0), readOid)), /cut short/);
  assert.match(String(reading(der.tlv(6, new Uint8Array(65).fill(1)), readOid)), /too long/);
});

test('RFC 5280 4.1.2.5.1: UTCTime is of 1950 to 2049', () => {
  assert.equal(reading(der.utcTime('500101000000Z'), readTime), Date.UTC(1950, 0, 1));
  assert.equal(reading(der.utcTime('491231235959Z'), readTime), Date.UTC(2049, 11, 31, 23, 59, 59));
  assert.equal(reading(der.utcTime('000229120000Z'), readTime), Date.UTC(2000, 1, 29, 12));
});

test('RFC 5280 4.1.2.5.2: GeneralizedTime is from 2050 on', () => {
  assert.equal(reading(der.generalizedTime('20500101000000Z'), readTime), Date.UTC(2050, 0, 1));
  assert.equal(reading(der.generalizedTime('99991231235959Z'), readTime), Date.UTC(9999, 11, 31, 23, 59, 59));
  assert.match(String(reading(der.generalizedTime('20491231235959Z'), readTime)), /before 2050/);
  assert.match(String(reading(der.generalizedTime('00490101000000Z'), readTime)), /before 2050/);
});

test('RFC 5280 4.1.2.5: no zone but Z, no missing seconds, no fraction', () => {
  const wrong = [
    '2601010000Z',
    '260101000000',
    '260101000000+0000',
    '260101000000z',
    ' 60101000000Z',
    '2601010000000Z',
  ];
  for (const text of wrong) assert.match(String(reading(der.utcTime(text), readTime)), /form of time/, text);
  for (const text of ['20500101000000.5Z', '205001010000Z', '20500101000000', '20500101000000-0500']) {
    assert.match(String(reading(der.generalizedTime(text), readTime)), /form of time/, text);
  }
});

test('a moment that no calendar or clock has is refused', () => {
  for (const text of [
    '260229000000Z',
    '261301000000Z',
    '260001000000Z',
    '260132000000Z',
    '260101240000Z',
    '260101006000Z',
    '260101000060Z',
  ]) {
    assert.match(String(reading(der.utcTime(text), readTime)), /no such moment/, text);
  }
});

test('a time of another type is refused', () => {
  assert.match(String(reading(der.integer(1), readTime)), /tag 2/);
});

test('property: integers of the writer come back, octet for octet', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(1n << 150n), max: 1n << 150n }), (value) => {
      const content = reading(der.integer(value), (reader, what) => readInteger(reader, what, 20));
      assert.ok(content instanceof Uint8Array);
      assert.equal(BigInt.asIntN(content.length * 8, BigInt(`0x${content.toHex()}`)), value);
    }),
  );
});

test('property: every second of the writer comes back', () => {
  const seconds = fc.integer({ min: Date.UTC(1950, 0, 1) / 1000, max: Date.UTC(9999, 11, 31, 23, 59, 59) / 1000 });
  fc.assert(
    fc.property(seconds, (second) => {
      assert.equal(reading(der.time(new Date(second * 1000)), readTime), second * 1000);
    }),
  );
});

test('property: named bits of the writer come back', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 15 })), (bits) => {
      assert.deepEqual(reading(der.namedBits(bits), readNamedBits), new Set(bits.toSorted((a, b) => a - b)));
    }),
  );
});
