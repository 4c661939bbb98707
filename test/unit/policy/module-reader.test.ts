import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { ModuleFault, ModuleReader, positiveSignedLeb, unsignedLeb } from '../../../src/core/policy/module-reader.ts';

function reader(...bytes: number[]): ModuleReader {
  return new ModuleReader(Uint8Array.from(bytes));
}

test('WebAssembly 5.2.2: every unsigned integer is read as it was written', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (value) => {
      const written = reader(...unsignedLeb(value));
      assert.equal(written.u32(), value);
      assert.ok(written.done);
    }),
  );
});

test('WebAssembly 5.2.2: padded integers are read', () => {
  assert.equal(reader(0x83, 0x80, 0x80, 0x80, 0x00).u32(), 3);
});

test('WebAssembly 5.2.2: an integer of more than five bytes or 32 bits is refused', () => {
  assert.throws(() => reader(0x80, 0x80, 0x80, 0x80, 0x80, 0x00).u32(), ModuleFault);
  assert.throws(() => reader(0xff, 0xff, 0xff, 0xff, 0x7f).u32(), ModuleFault);
  assert.throws(() => reader(0x80, 0x80).skipLeb(1), ModuleFault);
});

test('a positive signed integer never reads as negative', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0x7fff_ffff }), (value) => {
      const bytes = positiveSignedLeb(value);
      assert.equal((bytes.at(-1) ?? 0) & 0x40, 0);
      assert.equal(reader(...bytes.map((byte) => byte)).u32(), value);
    }),
  );
});

test('nothing is read past the end of the part that a reader is given', () => {
  const whole = new ModuleReader(Uint8Array.of(1, 2, 3, 4));
  const part = whole.slice(2);
  assert.deepEqual([part.u8(), part.u8(), part.done], [1, 2, true]);
  assert.throws(() => part.u8(), /ends early/);
  assert.equal(whole.u8(), 3);
});

test('counts, lengths and names longer than the bytes there are, are refused before anything is made of them', () => {
  assert.throws(() => reader(0xff, 0xff, 0xff, 0x7f).count(), /count exceeds/);
  assert.throws(() => reader(1).slice(2), /length exceeds/);
  assert.throws(() => reader(5, 0x61).name(), /length exceeds/);
  const long = new Uint8Array(2000);
  long.set(unsignedLeb(1500));
  assert.throws(() => new ModuleReader(long).name(), /name too long/);
  assert.equal(reader(3, 0x65, 0x6e, 0x76).name(), 'env');
});
