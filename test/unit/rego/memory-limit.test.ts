import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { limitMemory } from '../../../src/io/rego/memory-limit.ts';
import { leb, moduleOf, section } from '../../support/wasm-module.ts';

const PAGE = 64 * 1024;

function withMemory(pages: number, flags = 0, count = 1): Uint8Array<ArrayBuffer> {
  const memory = section(5, [count, flags, ...leb(pages)]);
  const name = [...Buffer.from('memory')];
  const exported = section(7, [1, name.length, ...name, 2, 0]);
  return moduleOf(memory, exported, section(0, [1, 120, 1, 2, 3]));
}

function memoryOf(wasm: Uint8Array<ArrayBuffer>): WebAssembly.Memory {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm));
  return instance.exports['memory'] as WebAssembly.Memory;
}

test('memory grows up to the limit and not a page further', () => {
  const memory = memoryOf(limitMemory(withMemory(2), 5));
  assert.equal(memory.buffer.byteLength, 2 * PAGE);
  memory.grow(3);
  assert.equal(memory.buffer.byteLength, 5 * PAGE);
  assert.throws(() => memory.grow(1), RangeError);
});

test('the rest of the module stays byte for byte', () => {
  const wasm = withMemory(1);
  const limited = limitMemory(wasm, 3);
  const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(limited), 'x');
  assert.deepEqual(new Uint8Array(section!), Uint8Array.of(1, 2, 3));
  assert.deepEqual(limited.subarray(0, 8), wasm.subarray(0, 8));
});

test('any initial size and limit in range: size and bound are as asked for', () => {
  fc.assert(
    fc.property(fc.nat(300), fc.nat(300), fc.boolean(), (initial, more, long) => {
      const limit = initial + more + (long ? 20_000 : 0);
      const memory = memoryOf(limitMemory(withMemory(initial), limit));
      assert.equal(memory.buffer.byteLength, initial * PAGE);
      assert.throws(() => memory.grow(limit - initial + 1), RangeError);
    }),
    { numRuns: 50 },
  );
});

test('a module without a memory of its own is refused', () => {
  assert.throws(() => limitMemory(moduleOf(), 5), /no memory section/);
});

test('a module that has a maximum already is refused', () => {
  assert.throws(() => limitMemory(withMemory(1, 1), 5), /one memory without a maximum/);
});

test('a module with two memories is refused', () => {
  assert.throws(() => limitMemory(withMemory(1, 0, 2), 5), /one memory without a maximum/);
});

test('a section size that never ends is refused', () => {
  assert.throws(() => limitMemory(moduleOf([1, 255, 255, 255, 255, 255, 255]), 5), /malformed/);
});
