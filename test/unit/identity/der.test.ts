import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { constructedTag, DerReader, primitiveTag, TAG } from '../../../src/core/identity/der.ts';
import * as der from '../../support/der.ts';

const bytes = (...octets: readonly number[]): Uint8Array => Uint8Array.from(octets);

/** Reads one OCTET STRING and nothing after it. */
function readOctets(encoded: Uint8Array): { readonly content: Uint8Array; readonly failure: string | undefined } {
  const reader = new DerReader(encoded);
  const content = reader.content(TAG.octetString, 'value');
  reader.close('value');
  return { content, failure: reader.failure };
}

test('X.690 8.1: an element is identifier, length, contents', () => {
  const { content, failure } = readOctets(bytes(0x04, 0x03, 1, 2, 3));
  assert.equal(failure, undefined);
  assert.deepEqual([...content], [1, 2, 3]);
});

test('X.690 8.1.3: lengths of one, two and three octets are read', () => {
  for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
    const { content, failure } = readOctets(der.octetString(new Uint8Array(length)));
    assert.equal(failure, undefined, String(length));
    assert.equal(content.length, length);
  }
});

test('X.690 10.1: a length that could be written shorter is refused', () => {
  for (const encoded of [
    bytes(0x04, 0x81, 0x01, 7),
    bytes(0x04, 0x81, 0x7f, ...new Uint8Array(127)),
    bytes(0x04, 0x82, 0x00, 0x80, ...new Uint8Array(128)),
    bytes(0x04, 0x84, 0x00, 0x00, 0x00, 0x01, 7),
  ]) {
    assert.match(readOctets(encoded).failure ?? '', /shorter/);
  }
});

test('X.690 10.1: the indefinite form is refused', () => {
  assert.match(readOctets(bytes(0x04, 0x80, 1, 0, 0)).failure ?? '', /no definite length/);
});

test('a length of more than four octets is refused, however the octets look', () => {
  assert.match(readOctets(bytes(0x04, 0x85, 0, 0, 0, 0, 1, 7)).failure ?? '', /no definite length/);
  assert.match(readOctets(bytes(0x04, 0xff, ...new Uint8Array(127))).failure ?? '', /no definite length/);
});

test('a length beyond what holds the element is refused, outside and inside', () => {
  assert.match(readOctets(bytes(0x04, 0x05, 1)).failure ?? '', /longer than what holds it/);
  assert.match(readOctets(bytes(0x04, 0x84, 0x7f, 0xff, 0xff, 0xff)).failure ?? '', /longer than what holds it/);
  const reader = new DerReader(bytes(0x30, 0x03, 0x04, 0x02, 1, 2));
  const inner = reader.enter(TAG.sequence, 'outer');
  assert.equal(inner.content(TAG.octetString, 'inner').length, 0);
  assert.match(reader.failure ?? '', /inner: longer than what holds it/);
});

test('an element cut short anywhere is refused', () => {
  const whole = der.sequence(der.octetString(new Uint8Array(200)), der.integer(5));
  for (let length = 0; length < whole.length; length += 1) {
    const reader = new DerReader(whole.subarray(0, length));
    const inner = reader.enter(TAG.sequence, 'outer');
    inner.content(TAG.octetString, 'first');
    inner.content(TAG.integer, 'second');
    assert.notEqual(reader.failure, undefined, `${length} octets`);
  }
});

test('another tag than the wanted one is refused and named', () => {
  assert.match(readOctets(bytes(0x03, 0x00)).failure ?? '', /tag 3 where 4 belongs/);
});

test('X.690 8.1.2.4: tag numbers over 30 are refused even where any tag may stand', () => {
  const reader = new DerReader(bytes(0x1f, 0x81, 0x00, 0x00));
  reader.whole(reader.nextTag, 'anything');
  assert.match(reader.failure ?? '', /over 30/);
});

test('what is left over is refused by close', () => {
  assert.match(readOctets(bytes(0x04, 0x00, 0x05, 0x00)).failure ?? '', /something follows/);
});

test('the first mistake stays, and after it nothing is read', () => {
  const reader = new DerReader(bytes(0x30, 0x04, 0x02, 0x01, 7, 0x05));
  const inner = reader.enter(TAG.sequence, 'outer');
  inner.content(TAG.octetString, 'the first');
  inner.fail('the second');
  assert.match(reader.failure ?? '', /the first/);
  assert.ok(reader.atEnd && inner.atEnd);
  assert.equal(inner.nextTag, -1);
  assert.equal(inner.content(TAG.integer, 'later').length, 0);
  assert.equal(inner.whole(TAG.integer, 'later').length, 0);
});

test('an absent optional element reads nothing', () => {
  const reader = new DerReader(der.context(3, der.integer(1)));
  assert.equal(reader.enterIf(constructedTag(0), 'other'), undefined);
  const found = reader.enterIf(constructedTag(3), 'this');
  assert.equal(found?.content(TAG.integer, 'number')[0], 1);
  assert.equal(reader.enterIf(constructedTag(3), 'again'), undefined);
  assert.equal(reader.failure, undefined);
});

test('whole gives the element with its head, and a reader over it shares its mistakes', () => {
  const encoded = der.contextPrimitive(6, bytes(1, 2));
  const reader = new DerReader(encoded);
  const whole = reader.whole(primitiveTag(6), 'name');
  assert.deepEqual([...whole], [...encoded]);
  reader.over(whole).content(TAG.null, 'part');
  assert.match(reader.failure ?? '', /part/);
});

test('property: whatever the writer wrote, the reader reads back', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (parts) => {
      const reader = new DerReader(der.sequence(...parts.map(der.octetString)));
      const list = reader.enter(TAG.sequence, 'list');
      const read: Uint8Array[] = [];
      while (!list.atEnd) read.push(list.content(TAG.octetString, 'part'));
      reader.close('list');
      assert.equal(reader.failure, undefined);
      assert.deepEqual(
        read.map((part) => [...part]),
        parts.map((part) => [...part]),
      );
    }),
  );
});

test('property: any octets end in bounded steps, without a throw, and what is accepted is what the writer would write', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
      const reader = new DerReader(octets);
      const parts: Uint8Array[] = [];
      while (!reader.atEnd) parts.push(reader.whole(reader.nextTag, 'part'));
      assert.ok(parts.length <= octets.length);
      if (reader.failure !== undefined) return;
      for (const part of parts) {
        const content = new DerReader(part).content(part[0] ?? 0, 'part');
        assert.deepEqual([...der.tlv(part[0] ?? 0, content)], [...part]);
      }
    }),
    { numRuns: 2000 },
  );
});
