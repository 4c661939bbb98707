import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  MAX_DURATION_MS,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
} from '../../../src/core/kernel/units.ts';

const DURATIONS = { '0s': 0, '500ms': 500, '30s': 30_000, '5m': 300_000, '1h': 3_600_000, '2d': 172_800_000 };
for (const [text, ms] of Object.entries(DURATIONS)) {
  test(`the duration ${text} is ${ms} ms`, () => assert.equal(parseDuration(text), ms));
}

const SIZES = { '0B': 0, '512B': 512, '64KiB': 65_536, '1MiB': 1_048_576, '2GiB': 2_147_483_648 };
for (const [text, bytes] of Object.entries(SIZES)) {
  test(`the size ${text} is ${bytes} bytes`, () => assert.equal(parseSize(text), bytes));
}

const NO_DURATIONS = [
  '',
  '30',
  's',
  '-1s',
  '+1s',
  '1.5s',
  '1h30m',
  ' 30s',
  '30 s',
  '30S',
  '030s',
  '1e3s',
  '٣s',
  '1w',
  '30s\n',
  '1toString',
];
for (const text of NO_DURATIONS) {
  test(`${JSON.stringify(text)} is no duration`, () => assert.equal(parseDuration(text), undefined));
}

const NO_SIZES = ['', '64', '64KB', '64kb', '64K', '1.5MiB', '-1B', '064KiB', '64 KiB', '9999999999999999GiB', '1TiB'];
for (const text of NO_SIZES) {
  test(`${JSON.stringify(text)} is no size`, () => assert.equal(parseSize(text), undefined));
}

test('no duration is longer than a timer can hold, which would fire at once', () => {
  assert.equal(parseDuration(`${MAX_DURATION_MS}ms`), 2_147_483_647);
  assert.equal(parseDuration(`${MAX_DURATION_MS + 1}ms`), undefined);
  assert.equal(parseDuration('25d'), undefined);
});

test('property: what is formatted is read back as the same number', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: MAX_DURATION_MS }), (ms) => parseDuration(formatDuration(ms)) === ms),
  );
  fc.assert(fc.property(fc.maxSafeNat(), (bytes) => parseSize(formatSize(bytes)) === bytes));
});

test('the largest unit that fits is used', () => {
  assert.equal(formatDuration(3_600_000), '1h');
  assert.equal(formatDuration(90_000), '90s');
  assert.equal(formatSize(65_535), '65535B');
  assert.equal(formatSize(61_440), '60KiB');
});
