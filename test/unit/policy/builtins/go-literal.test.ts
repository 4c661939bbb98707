import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { characterCode, goNumber, unquoted } from '../../../../src/core/policy/builtins/go-literal.ts';

test('strconv.Unquote: escapes', () => {
  for (const [literal, text] of [
    [String.raw`"\a\b\f\n\r\t\v\\\""`, '\u0007\b\f\n\r\t\v\\"'],
    [String.raw`"\x41\101\u0041\U00000041"`, 'AAAA'],
    [String.raw`"\xc3\xa9"`, 'é'],
    [String.raw`"\xc3"`, '\ufffd'],
    ['`a\\n\r\n`', 'a\\n\n'],
    ['""', ''],
  ] as const)
    assert.equal(unquoted(literal), text, literal);
  for (const literal of [
    String.raw`"\'"`,
    String.raw`"\q"`,
    String.raw`"\x4"`,
    String.raw`"\400"`,
    String.raw`"\ud800"`,
    String.raw`"\U00110000"`,
    String.raw`"\1"`,
  ])
    assert.throws(() => unquoted(literal), BuiltinError, literal);
});

test('strconv.Unquote: what needs no escape is itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const plain = text.replaceAll(/["\\\n]/g, '');
      assert.equal(unquoted(`"${plain}"`), plain);
    }),
  );
});

test('characters', () => {
  for (const [literal, code] of [
    ["'a'", 97n],
    ["'é'", 233n],
    ["'😀'", 0x1f600n],
    [String.raw`'\''`, 39n],
    [String.raw`'\x80'`, 128n],
    [String.raw`'\377'`, 255n],
  ] as const)
    assert.equal(characterCode(literal), code, literal);
  for (const literal of ["''", "'ab'", String.raw`'\"'`, String.raw`'\n1'`, String.raw`'\400'`])
    assert.throws(() => characterCode(literal), BuiltinError, literal);
});

test('numbers: whole ones', () => {
  for (const [text, value] of [
    ['0', 0n],
    ['-0', 0n],
    ['+5', 5n],
    ['1_000', 1000n],
    ['0x1F', 31n],
    ['0x_1f', 31n],
    ['0b11', 3n],
    ['0o17', 15n],
    ['017', 15n],
    ['0_17', 15n],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['-9223372036854775808', -(2n ** 63n)],
  ] as const)
    assert.deepEqual(goNumber(text), { kind: 'int', value }, text);
  assert.equal(goNumber('9223372036854775808'), undefined, 'fits uint64 only');
  assert.equal(goNumber('0xFFFFFFFFFFFFFFFe'), undefined);
});

test('numbers: floats', () => {
  for (const [text, value] of [
    ['1.', 1],
    ['.5', 0.5],
    ['08.5', 8.5],
    ['1_0.5', 10.5],
    ['1_0e1_0', 1e11],
    ['-0.0', -0],
    ['1e-400', 0],
    ['0x1p-2', 0.25],
    ['0x.8p0', 0.5],
    ['0x1_0p1', 32],
    ['0x1p-1080', 0],
    ['0x123456789abcdef12345p-40', Number(0x123456789abcdef12345n) * 2 ** -40],
    ['-0x1e', -30],
  ] as const)
    assert.deepEqual(goNumber(text), { kind: 'float64', value }, text);
  for (const text of [
    '',
    '+',
    '08',
    '1__0',
    '1_',
    '0x',
    '0x1.8',
    '1e400',
    '0x1p1024',
    '0x1_p-2',
    '1e',
    '18446744073709551616',
    '-9223372036854775809',
    '0b12',
    '0x1p99999999999',
  ])
    assert.throws(() => goNumber(text), BuiltinError, text);
});

test('numbers: any JavaScript number is itself', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = value.toExponential();
      assert.deepEqual(goNumber(Object.is(value, -0) ? '-0e0' : text), { kind: 'float64', value });
    }),
  );
});
