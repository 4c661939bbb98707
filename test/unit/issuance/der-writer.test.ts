import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { DerReader, TAG } from '../../../src/core/identity/der.ts';
import { readInteger, readOctetsOfBitString, readTime } from '../../../src/core/identity/der-values.ts';
import {
  bitString,
  context,
  contextPrimitive,
  integer,
  octetString,
  oid,
  sequence,
  time,
} from '../../../src/core/issuance/der-writer.ts';
import * as der from '../../support/der.ts';

/** What `read` finds in the bytes; nothing may be wrong with them and nothing left. */
function strictly<T>(bytes: Uint8Array, read: (reader: DerReader) => T): T {
  const reader = new DerReader(bytes);
  const value = read(reader);
  reader.close('bytes');
  assert.equal(reader.failure, undefined);
  return value;
}

test('X.690 10.1: lengths are in the shortest form, whatever they are', () => {
  for (const length of [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000]) {
    const bytes = octetString(new Uint8Array(length));
    assert.equal(
      strictly(bytes, (reader) => reader.content(TAG.octetString, 'octets').length),
      length,
    );
  }
});

test('X.690 8.3: integers are in the shortest form and never negative', () => {
  for (const [hex, content] of Object.entries({
    '': '00',
    '0': '00',
    '000': '00',
    '7f': '7f',
    '80': '0080',
    f: '0f',
    '00ff': '00ff',
    '123': '0123',
    FFFF: '00ffff',
  })) {
    assert.equal(strictly(integer(hex), (reader) => readInteger(reader, 'integer', 30)).toHex(), content, hex);
  }
});

/** An element of time as text, its tag and length as characters. */
const at = (text: string): string => Buffer.from(time(Date.parse(text))).toString('latin1');

test('RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050, in whole seconds', () => {
  assert.equal(at('2026-11-21T16:24:02.999Z'), '\u0017\r261121162402Z');
  assert.equal(at('2049-12-31T23:59:59Z'), '\u0017\r491231235959Z');
  assert.equal(at('2050-01-01T00:00:00Z'), '\u0018\u000f20500101000000Z');
  assert.equal(at('1950-01-01T00:00:00Z'), '\u0017\r500101000000Z');
  for (const text of ['1949-12-31T23:59:59Z', '+010000-01-01T00:00:00Z', 'no time']) {
    assert.throws(() => at(text), RangeError);
  }
});

test('elements are what another writer makes of the same', () => {
  const bytes = Uint8Array.of(1, 2, 3);
  assert.deepEqual(Buffer.from(sequence(integer('01'), bytes)), der.sequence(der.integer(1), bytes));
  assert.deepEqual(Buffer.from(context(3, sequence())), der.context(3, der.sequence()));
  assert.deepEqual(Buffer.from(contextPrimitive(0, bytes)), der.contextPrimitive(0, bytes));
  assert.deepEqual(Buffer.from(bitString(bytes)), der.bitString(bytes));
  assert.deepEqual(Buffer.from(oid('551d14')), der.oid('2.5.29.20'));
});

test('property: what is written, the strict reader of identity reads', () => {
  const moment = fc.date({ min: new Date('1950-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 1n << 160n }), moment, fc.uint8Array(), (number, date, octets) => {
      const bytes = sequence(integer(number.toString(16)), time(date.getTime()), bitString(octets));
      const [back, ms, bits] = strictly(bytes, (reader) => {
        const list = reader.enter(TAG.sequence, 'list');
        return [readInteger(list, 'integer', 21), readTime(list, 'time'), readOctetsOfBitString(list, 'bits')] as const;
      });
      assert.equal(BigInt(`0x${back.toHex()}`), number);
      assert.equal(ms, Math.floor(date.getTime() / 1_000) * 1_000);
      assert.deepEqual(bits, octets);
    }),
  );
});
