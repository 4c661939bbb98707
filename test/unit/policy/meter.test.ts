import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import fc from 'fast-check';

import { BUDGET_EXPORT, MAX_MODULE_BYTES, STACK_EXPORT, meterModule } from '../../../src/core/policy/meter.ts';
import { hostilePolicy } from '../../support/hostile-policy.ts';
import { compileRules } from '../../support/policy-host.ts';
import { assemble, i32 } from '../../support/wasm-assembler.ts';
import type { WasmModule } from '../../support/wasm-assembler.ts';

let real: Uint8Array;

before(async () => {
  real = (await compileRules('d if regex.match("^/a+$", input.path)')).wasm as Uint8Array;
});

function metered(wasm: Uint8Array): Uint8Array<ArrayBuffer> {
  const result = meterModule(wasm);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

function refusal(wasm: Uint8Array): string {
  const result = meterModule(wasm);
  assert.equal(result.ok, false, 'the module was accepted');
  return result.ok ? '' : result.error;
}

/** Instantiates a metered module whose function `f` is run with a budget; gives the steps taken, or 'stopped'. */
function run(wasm: Uint8Array, budget: number, ...args: number[]): number | 'stopped' {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(metered(wasm)), { env: { memory } });
  const left = exports[BUDGET_EXPORT] as WebAssembly.Global;
  left.value = budget;
  try {
    (exports['f'] as (...args: number[]) => unknown)(...args);
    return budget - Number(left.value);
  } catch (problem) {
    assert.ok(problem instanceof WebAssembly.RuntimeError);
    assert.equal(problem.message, 'unreachable');
    assert.ok(Number(left.value) < 0);
    return 'stopped';
  }
}

function one(code: readonly number[], more: Partial<WasmModule['functions'][number]> = {}): Uint8Array {
  return assemble({ functions: [{ name: 'f', code, ...more }] });
}

/** `loop … (br_if 0 while --param) end`: the body has nine instructions with its end. */
const COUNTDOWN = [0x03, 0x40, 0x20, 0, ...i32(1), 0x6b, 0x22, 0, 0x0d, 0, 0x0b];

test('a function costs the number of its instructions, at entry', () => {
  assert.equal(run(one([]), 100), 1);
  assert.equal(run(one([0x01, 0x01, 0x01]), 100), 4);
  assert.equal(run(one([0x0f, 0x01, 0x01]), 100), 4);
});

test('each turn of a loop costs the instructions of its body, and the function only those outside', () => {
  const loop = one(COUNTDOWN, { params: 1 });
  const first = run(loop, 1000, 1);
  assert.equal(typeof first, 'number');
  for (const turns of [2, 3, 10]) assert.equal(run(loop, 1000, turns), Number(first) + (turns - 1) * 6);
});

test('inner loops pay for themselves and are not paid for by outer ones', () => {
  const idle = one([0x03, 0x40, 0x01, 0x03, 0x40, 0x01, 0x01, 0x0b, 0x0b]);
  // Function: loop, end. Outer: nop, loop, end. Inner: nop, nop, end.
  assert.equal(run(idle, 100), 2 + 3 + 3);
});

test('blocks and branches not taken are paid with their body', () => {
  const branches = one([...i32(0), 0x04, 0x40, 0x01, 0x01, 0x05, 0x01, 0x0b, 0x02, 0x40, 0x01, 0x0b]);
  assert.equal(run(branches, 100), 11);
});

/** Eight, two, the operation, drop. */
function operation(opcode: number): Uint8Array {
  return one([...i32(8), ...i32(2), opcode, 0x1a]);
}

test('a division costs as much as sixteen additions', () => {
  assert.equal(run(operation(0x6a), 100), 5);
  for (const opcode of [0x6d, 0x6e, 0x6f, 0x70]) assert.equal(run(operation(opcode), 100), 20);
});

test('many locals are paid for: clearing them takes time that no instruction shows', () => {
  assert.equal(run(one([], { locals: 8000 }), 2000), 1001);
});

test('an endless loop is stopped', () => {
  assert.equal(run(one([0x03, 0x40, 0x0c, 0, 0x0b]), 1_000_000), 'stopped');
});

test('endless recursion is stopped by the budget before the stack is', () => {
  assert.equal(run(one([0x10, 0]), 1000), 'stopped');
});

test('the budget is what may be spent: one step less stops the same work', () => {
  const steps = run(one(COUNTDOWN, { params: 1 }), 10_000, 50);
  assert.equal(run(one(COUNTDOWN, { params: 1 }), Number(steps), 50), steps);
  assert.equal(run(one(COUNTDOWN, { params: 1 }), Number(steps) - 1, 50), 'stopped');
});

test('a real module keeps its exports, gains two globals and loses its custom sections', () => {
  const before = WebAssembly.Module.exports(new WebAssembly.Module(real as Uint8Array<ArrayBuffer>));
  const after = WebAssembly.Module.exports(new WebAssembly.Module(metered(real)));
  assert.deepEqual(after.slice(0, before.length), before);
  assert.deepEqual(
    after.slice(before.length).map(({ name }) => name),
    [BUDGET_EXPORT, STACK_EXPORT],
  );
  assert.ok(
    WebAssembly.Module.customSections(new WebAssembly.Module(real as Uint8Array<ArrayBuffer>), 'name').length > 0,
  );
  assert.deepEqual(WebAssembly.Module.customSections(new WebAssembly.Module(metered(real)), 'name'), []);
});

test('metering is deterministic', () => {
  assert.deepEqual(metered(real), metered(real));
});

test('the stack pointer that is exported is global 0', () => {
  const { exports } = new WebAssembly.Instance(
    new WebAssembly.Module(metered(assemble({ functions: [], globals: [4711] }))),
    { env: { memory: new WebAssembly.Memory({ initial: 2, maximum: 2 }) } },
  );
  assert.equal((exports[STACK_EXPORT] as WebAssembly.Global).value, 4711);
});

const REFUSED: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['an empty file', new Uint8Array(), /ends early/],
  ['text', new TextEncoder().encode('package x'), /not a WebAssembly module/],
  ['version 2', Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0), /not a WebAssembly module/],
  ['a section longer than the file', Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 0x7f), /length exceeds/],
  [
    'a code section that claims four billion functions',
    assemble({ functions: [], sections: { 10: [0xff, 0xff, 0xff, 0xff, 0x0f] } }),
    /count exceeds/,
  ],
  [
    'use of the budget as a global, which would refill it',
    one([...i32(0x7fff_ffff), 0x24, 1]),
    /global that does not exist/,
  ],
  ['reading the budget', one([0x23, 1, 0x1a]), /global that does not exist/],
  ['an export of the budget', assemble({ functions: [], exportedGlobals: { mine: 1 } }), /global that does not exist/],
  ['memory.fill', one([...i32(0), ...i32(0), ...i32(0), 0xfc, 0x0b, 0]), /newer than the MVP/],
  ['SIMD', one([0xfd, 0x0c]), /newer than the MVP/],
  ['a tail call', one([0x12, 0]), /newer than the MVP/],
  ['an atomic instruction', one([0xfe, 0x03, 0]), /newer than the MVP/],
  ['exception handling', one([0x06, 0x40, 0x0b]), /newer than the MVP/],
  ['a block that gives a tuple', one([0x02, 0x00, 0x0b]), /newer than the MVP/],
  [
    'an import that is not of the ABI',
    assemble({ imports: [['env', 'exec', 0, 0]], functions: [] }),
    /imports env.exec/,
  ],
  [
    'opa_println, which would write among the records',
    assemble({ imports: [['env', 'opa_println', 1, 0]], functions: [] }),
    /opa_println/,
  ],
  ['an import from elsewhere', assemble({ imports: [['wasi', 'opa_abort', 1, 0]], functions: [] }), /imports wasi/],
  ['no memory import', assemble({ memoryImport: false, functions: [] }), /does not import env.memory/],
  ['shared memory', assemble({ memoryImport: [3, 2, 2], functions: [] }), /limits of an unknown kind/],
  ['a memory of its own', assemble({ functions: [], sections: { 5: [1, 0, 1] } }), /memory of its own/],
  [
    'a table of a million entries',
    assemble({ functions: [], sections: { 4: [1, 0x70, 0, 0xc0, 0x84, 0x3d] } }),
    /table is too large/,
  ],
  ['two tables', assemble({ functions: [], sections: { 4: [2, 0x70, 0, 1, 0x70, 0, 1] } }), /more than one table/],
  ['no globals', assemble({ functions: [], globals: [] }), /no stack pointer/],
  [
    'an immutable global 0',
    assemble({ functions: [], sections: { 6: [1, 0x7f, 0, 0x41, 0, 0x0b] } }),
    /no stack pointer/,
  ],
  ['a data count section', assemble({ functions: [], sections: { 12: [0] } }), /unknown or out of order/],
  ['a type that is no function', assemble({ functions: [], sections: { 1: [1, 0x5f, 0] } }), /no function type/],
  ['a reference type', assemble({ functions: [], sections: { 1: [1, 0x60, 1, 0x6f, 0] } }), /no number type/],
  ['a function of a type that is not there', assemble({ functions: [], sections: { 3: [1, 9] } }), /has no type/],
  ['bodies without functions', assemble({ functions: [], sections: { 10: [1, 2, 0, 0x0b] } }), /differ in number/],
  ['a body that goes on after its end', one([0x0b, 0x01]), /bytes after the end/],
  ['more locals than an engine takes', one([], { locals: 50_001 }), /too many locals/],
  ['more bytes than are read', new Uint8Array(MAX_MODULE_BYTES + 1), /larger than/],
];

for (const [what, wasm, reason] of REFUSED) {
  test(`a module is refused, not guessed at: ${what}`, () => assert.match(refusal(wasm), reason));
}

test('sections twice or out of order are refused', () => {
  const twice = Uint8Array.from([...assemble({ functions: [] }), 10, 1, 0]);
  assert.match(refusal(twice), /out of order/);
});

test('a module of loops and nothing else is refused before it grows sevenfold', () => {
  const loops = Array.from({ length: 100_001 }, () => [0x03, 0x40, 0x0b]).flat();
  assert.match(refusal(one(loops)), /too many functions and loops/);
});

test('mutated modules are refused or metered, and never throw, hang or outgrow their bound', () => {
  const small = hostilePolicy({ code: { opa_eval: [...COUNTDOWN.map((byte) => byte), ...i32(1)] } });
  fc.assert(
    fc.property(
      fc.constantFrom(small, real),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.option(fc.nat(), { nil: undefined }),
      (source, changes, cut) => {
        const bytes = source.slice(0, cut === undefined ? source.length : cut % source.length);
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        const result = meterModule(bytes);
        if (result.ok) assert.ok(result.value.length <= MAX_MODULE_BYTES);
        else assert.equal(typeof result.error, 'string');
      },
    ),
    { numRuns: 300 },
  );
});

test('a module that is not valid as delivered is refused: what metering adds must not make it valid', () => {
  const small = hostilePolicy({});
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const bytes = small.slice();
      bytes[at % bytes.length] = byte;
      const result = meterModule(bytes);
      if (!result.ok) return;
      assert.ok(WebAssembly.validate(bytes), `byte ${at % bytes.length} = ${byte}`);
      assert.ok(WebAssembly.validate(result.value), 'metering only adds what is valid');
    }),
    { numRuns: 1000, examples: [[498408017, 6]] },
  );
});
