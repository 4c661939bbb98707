import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { exactInteger, parseExactJson } from '../../../src/core/bundle/exact-json.ts';

function rewritten(text: string): string {
  const parsed = parseExactJson(text);
  return parsed === undefined ? 'refused' : JSON.stringify(parsed.value);
}

const KEPT = [
  '12345678901234567890',
  '-12345678901234567890',
  '9007199254740993',
  '0.1234567890123456789',
  '1e400',
  '-1e400',
  '1e-400',
  '123456789012345678e-3',
  '5e-325',
];
for (const number of KEPT) {
  test(`${number} is written back with every digit`, () => assert.equal(rewritten(`[${number}]`), `[${number}]`));
}

const PLAIN = {
  '1.0': 1,
  '1e3': 1_000,
  '1E+3': 1_000,
  '100e-2': 1,
  '-0.0': -0,
  '0.1': 0.1,
  '1e22': 1e22,
  '123456789012345680000': 123456789012345680000,
  '5e-324': 5e-324,
};
for (const [text, number] of Object.entries(PLAIN)) {
  test(`${text} is a plain number`, () => assert.deepEqual(parseExactJson(text), { value: number }));
}

test('digits inside strings are no numbers', () => {
  assert.equal(
    rewritten('{"12345678901234567890":"12345678901234567890e5"}'),
    '{"12345678901234567890":"12345678901234567890e5"}',
  );
});

for (const text of [
  '',
  ' ',
  '{',
  '[1,]',
  '01',
  '+1',
  '.5',
  '1.',
  'NaN',
  "'a'",
  '{"a":1,}',
  '1 2',
  '"\n"',
  '\ufeff1',
  'undefined',
]) {
  test(`${JSON.stringify(text)} is no JSON`, () => assert.equal(rewritten(text), 'refused'));
}

function nested(levels: number): string {
  return `${'['.repeat(levels)}${']'.repeat(levels)}`;
}

test('256 levels are read, 257 are not; brackets in strings are no levels', () => {
  assert.equal(rewritten(nested(256)), nested(256));
  assert.equal(rewritten(nested(257)), 'refused');
  assert.equal(rewritten(JSON.stringify('['.repeat(1_000))), JSON.stringify('['.repeat(1_000)));
  assert.equal(rewritten(`["\\\\",${nested(256)}]`), 'refused');
});

test('whole numbers of any size', () => {
  assert.equal(
    JSON.stringify([exactInteger(5n), exactInteger(-(2n ** 53n) + 1n), exactInteger(2n ** 64n)]),
    '[5,-9007199254740991,18446744073709551616]',
  );
});

test('property: rewriting says the same number: as a fraction of big integers it is equal', () => {
  const digits = fc.stringMatching(/^(0|[1-9][0-9]{0,24})$/);
  const number = fc.tuple(
    fc.constantFrom('', '-'),
    digits,
    fc.stringMatching(/^(\.[0-9]{1,20})?$/),
    fc.integer({ min: -30, max: 30 }),
  );
  fc.assert(
    fc.property(number, ([sign, whole, fraction, power]) => {
      const text = `${sign}${whole}${fraction}e${power}`;
      const [before, after] = [text, rewritten(`[${text}]`).slice(1, -1)].map(asFraction);
      assert.deepEqual(after, before, text);
    }),
    { numRuns: 1_000 },
  );
});

/** A decimal as an integer times 10^-100, which holds all that the property makes. */
function asFraction(text: string): bigint {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? assert.fail(text);
  const scaled = BigInt(whole + fraction) * 10n ** BigInt(100 + Number(power) - fraction.length);
  return sign === '-' ? -scaled : scaled;
}
