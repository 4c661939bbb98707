import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NO_RESULT, OPCODE } from '../../../src/core/policy/instruction.ts';
import { findTestedBlocks } from '../../../src/core/policy/rule-index-tests.ts';

const { block, loop, end, brIf, call, localGet, localSet, localTee, i32Const, i32Eqz } = OPCODE;
const RUNTIME = { get: 1, compare: 2, hash: 3, type: 4, number: 5 };
const KEY = 100;
const CONSTANT = 200;

type Line = readonly [number, number?];

/** `target = source[key]`, or the block is left. */
function dot(source: number, target: number, label = 0): readonly Line[] {
  return [[localGet, source], [i32Const, KEY], [call, RUNTIME.get], [localTee, target], [i32Eqz], [brIf, label]];
}

function equal(local: number, constant = CONSTANT, label = 0): readonly Line[] {
  return [
    [localGet, local],
    [i32Const, constant],
    [call, RUNTIME.compare],
    [brIf, label],
  ];
}

function number(target: number, length: number): readonly Line[] {
  return [
    [i32Const, 300],
    [i32Const, length],
    [call, RUNTIME.number],
    [localSet, target],
  ];
}

function dotNumber(source: number, key: number, target: number): readonly Line[] {
  return [[localGet, source], [localGet, key], [call, RUNTIME.get], [localTee, target], [i32Eqz], [brIf, 0]];
}

/** Tests found in a block of a function of two parameters, as `place=constant`. */
function found(...parts: readonly (readonly Line[])[]): readonly string[] {
  return foundIn([[block, NO_RESULT], ...parts.flat(), [end], [end]]);
}

function foundIn(lines: readonly Line[]): readonly string[] {
  const code = lines.map(([opcode, operand = 0]) => ({ opcode, operand, at: 0 }));
  const blocks = findTestedBlocks(code, 2, RUNTIME);
  return blocks.flatMap(({ tests }) => tests.map(({ place, constant }) => `${place.name}=${constant}`));
}

test('a part of a parameter, at any depth, and a parameter itself', () => {
  assert.deepEqual(found(dot(0, 4), equal(4)), ['0/100=200']);
  assert.deepEqual(found(dot(0, 4), dot(4, 5), equal(5)), ['0/100/100=200']);
  assert.deepEqual(found(equal(1)), ['1=200']);
  assert.deepEqual(found(dot(0, 4), equal(4), dot(1, 5), equal(5, 201)), ['0/100=200', '1/100=201']);
});

test('a part of anything else is no place', () => {
  assert.deepEqual(found(dot(7, 4), equal(4)), []);
  assert.deepEqual(found(equal(7)), []);
});

test('a local that is given something else is no longer that place', () => {
  assert.deepEqual(
    found(
      dot(0, 4),
      [
        [localGet, 9],
        [localSet, 4],
      ],
      equal(4),
    ),
    [],
  );
  assert.deepEqual(found(dot(0, 4), number(4, 1), equal(4)), []);
  assert.deepEqual(
    found(
      dot(0, 4),
      [
        [localGet, 4],
        [localSet, 5],
      ],
      equal(5),
    ),
    ['0/100=200'],
  );
});

test('a parameter that is written anywhere is no place', () => {
  assert.deepEqual(
    found(dot(0, 4), equal(4), [
      [i32Const, 1],
      [localSet, 0],
    ]),
    [],
  );
  assert.deepEqual(found(dot(0, 4), equal(4), dot(4, 0)), []);
});

test('a test that leads elsewhere than out of its block is not one, and nothing behind it counts', () => {
  assert.deepEqual(found(dot(0, 4), equal(4, CONSTANT, 1), equal(4)), []);
  assert.deepEqual(found(dot(0, 4, 1), equal(4)), []);
});

test('another function is not passed over', () => {
  const other: readonly Line[] = [[localGet, 0], [i32Const, KEY], [call, 6], [localTee, 8], [i32Eqz], [brIf, 0]];
  assert.deepEqual(found(other, dot(0, 4), equal(4)), []);
  assert.deepEqual(found(dot(0, 4), equal(4), other, equal(4, 201)), ['0/100=200']);
});

test('comparison with nothing, which no compiler writes, is none', () =>
  assert.deepEqual(found(dot(0, 4), equal(4, 0)), []));

test('an index counts where its text is short and known, and where the place itself makes sure of the array', () => {
  assert.deepEqual(found(number(5, 1), dotNumber(0, 5, 6), equal(6)), ['0/300+1=200']);
  assert.deepEqual(found(number(5, 5), dotNumber(0, 5, 6), equal(6)), []);
  assert.deepEqual(found(dotNumber(0, 5, 6), equal(6)), []);
  assert.deepEqual(found(number(5, 1), dotNumber(0, 5, 6), dot(0, 7), equal(7)), []);
  assert.deepEqual(found(number(5, 1), dotNumber(0, 5, 6), number(7, 2), dotNumber(0, 7, 8), equal(8)), [
    '0/300+2=200',
  ]);
});

test('blocks inside of loops, blocks that leave a value, and other constructs are left alone', () => {
  const tested = [...dot(0, 4), ...equal(4)];
  assert.deepEqual(foundIn([[loop, NO_RESULT], [block, NO_RESULT], ...tested, [end], [end], [end]]), []);
  assert.deepEqual(foundIn([[loop, NO_RESULT], ...tested, [end], [end]]), []);
  assert.deepEqual(foundIn([[block, 0x7f], ...tested, [end], [end]]), []);
  assert.deepEqual(foundIn([[OPCODE.if, NO_RESULT], ...tested, [end], [end]]), []);
  assert.deepEqual(foundIn([...tested, [end]]), []);
  assert.deepEqual(foundIn([[loop, NO_RESULT], [end], [block, NO_RESULT], ...tested, [end], [end]]), ['0/100=200']);
});
