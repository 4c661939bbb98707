import assert from 'node:assert/strict';
import { test } from 'node:test';

import { newSerial } from '../../../src/core/issuance/deps.ts';
import { systemRandom } from '../../support/system-clock.ts';

test('RFC 5280 4.1.2.2: a serial number is positive and has 20 octets, whatever the random bytes', () => {
  for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
    const serial = newSerial((length) => new Uint8Array(length).fill(byte));
    assert.equal(serial.length, 40);
    assert.ok(Number.parseInt(serial.slice(0, 2), 16) >= 0x40 && Number.parseInt(serial.slice(0, 2), 16) < 0x80);
  }
});

test('no two serial numbers are the same', () => {
  const serials = Array.from({ length: 1_000 }, () => newSerial(systemRandom));
  assert.equal(new Set(serials).size, 1_000);
});
