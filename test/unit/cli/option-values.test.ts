import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EXIT, exitCode } from '../../../src/cli/exit-codes.ts';
import { count, duration, list } from '../../../src/cli/option-values.ts';

for (const [text, ms] of Object.entries({
  '90s': 90_000,
  '24h': 86_400_000,
  '1d': 86_400_000,
  '365d': 31_536_000_000,
  '36500d': 3_153_600_000_000,
})) {
  test(`--ttl ${text} is ${ms} ms: longer than any timer, where it is a certificate's`, () =>
    assert.equal(duration(text), ms));
}

for (const text of ['', '0s', '0d', '30', '1w', '-1d', '1.5h', '01d', '100000d', '1d ', '1h30m']) {
  test(`--ttl ${JSON.stringify(text)} is refused`, () => assert.throws(() => duration(text), /no duration such as/));
}

test('--last takes whole numbers from 1 on', () => {
  assert.deepEqual([count('1'), count('999999999')], [1, 999_999_999]);
  for (const text of ['', '0', '-1', '1.5', '1e3', '01', 'x', '1000000000'])
    assert.throws(() => count(text), /no whole number/);
});

test('a repeated option is a list in the order given', () => {
  assert.deepEqual(list('b', list('a')), ['a', 'b']);
});

test('what a process of app ends with is a code of the table, or 3', () => {
  assert.deepEqual([0, 1, 2, 3, 4, -1, 255].map(exitCode), [0, 1, 2, 3, 3, 3, 3]);
  assert.deepEqual(Object.values(EXIT), [0, 1, 2, 3]);
});
