import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { compareNumbers, integerOf } from '../../../src/core/policy/number-text.ts';
import { compareStrings, compareTerms, sameTerm } from '../../../src/core/policy/term-order.ts';
import { parseTerm } from '../../../src/core/policy/term-text.ts';

const ORDERED = [
  'null',
  'false',
  'true',
  '-1e100000',
  '-12345678901234567890',
  '-1',
  '0',
  '0.1',
  '1',
  '9007199254740992',
  '9007199254740993',
  '1e100000',
  '""',
  '"a"',
  '"ab"',
  '"\uffff"',
  '"\u{10000}"',
  '[]',
  '[1]',
  '[1, 2]',
  '[2]',
  '{}',
  '{"a": 1}',
  '{"a": 2}',
  '{"b": 0}',
  'set()',
  '{1}',
  '{1, 2}',
  '{2}',
];

test('OPA "Comparison": null, booleans, numbers, strings, arrays, objects, sets, each in their order', () => {
  const terms = ORDERED.map(parseTerm);
  for (const [i, left] of terms.entries()) {
    for (const [j, right] of terms.entries()) {
      assert.equal(Math.sign(compareTerms(left, right)), Math.sign(i - j), `${ORDERED[i]} against ${ORDERED[j]}`);
    }
  }
});

test('members of sets and keys of objects have no order of their own', () => {
  assert.ok(sameTerm(parseTerm('{2, 1}'), parseTerm('{1, 2}')));
  assert.ok(sameTerm(parseTerm('{"b": 1, "a": 2}'), parseTerm('{"a": 2, "b": 1}')));
  assert.ok(!sameTerm(parseTerm('[2, 1]'), parseTerm('[1, 2]')));
});

test('numbers are the same in every notation', () => {
  for (const [left, right] of [
    ['1', '1.0'],
    ['1', '1e0'],
    ['100', '1E2'],
    ['0', '-0'],
    ['0', '0e99'],
    ['1.50', '15e-1'],
    ['-2', '-2.000'],
  ] as const) {
    assert.equal(compareNumbers(left, right), 0, `${left} ${right}`);
  }
  assert.notEqual(compareNumbers('9007199254740993', '9007199254740992'), 0);
});

test('comparing numbers agrees with floats where floats are exact, and is an order', () => {
  const numbers = fc
    .oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))
    .map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(numbers, numbers, (left, right) => {
      assert.equal(
        Math.sign(compareNumbers(left, right)),
        Math.sign(Number(left) - Number(right)) ||
          (Number(left) < Number(right) ? -1 : Number(Number(left) > Number(right))),
      );
      assert.equal(Math.sign(compareNumbers(left, right)), -Math.sign(compareNumbers(right, left)) || 0);
    }),
  );
});

test('a number of 100,000 digits against a small one is not written out', () => {
  assert.ok(compareNumbers('1e100000', '1e-100000') > 0);
  assert.ok(compareNumbers('-1e100000', '5') < 0);
  assert.notEqual(compareNumbers('1e100001', '1'), 0);
});

test('strings are in the order of their code points', () => {
  const strings = fc.string({ unit: 'binary', maxLength: 4 });
  fc.assert(
    fc.property(strings, strings, (left, right) => {
      const bytes = Buffer.compare(Buffer.from(left), Buffer.from(right));
      assert.equal(Math.sign(compareStrings(left, right)), bytes);
    }),
  );
});

test('integers are read from any notation, fractions are not integers', () => {
  assert.deepEqual(
    ['10', '1e1', '10.0', '-0', '1.5', '1e-1', 'x', '1e50'].map((text) => integerOf(text, 40)),
    [10n, 10n, 10n, 0n, undefined, undefined, undefined, undefined],
  );
});
