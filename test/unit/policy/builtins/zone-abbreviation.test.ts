import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { offsetAt } from '../../../../src/core/policy/builtins/moment.ts';
import { zoneAbbreviation } from '../../../../src/core/policy/builtins/zone-abbreviation.ts';
import { FREE } from '../../../support/builtin-call.ts';

function abbreviation(zone: string, moment: string): string {
  const seconds = BigInt(Date.parse(moment)) / 1000n;
  return zoneAbbreviation(seconds * 1_000_000_000n, zone, offsetAt(seconds, zone), FREE);
}

describe('IANA time zone database: abbreviations that English does not have, or not these', () => {
  for (const [zone, moment, want] of [
    ['America/Adak', '2020-01-01T00:00Z', 'HST'],
    ['America/Adak', '2020-07-01T00:00Z', 'HDT'],
    ['America/Havana', '2020-07-01T00:00Z', 'CDT'],
    ['America/Hermosillo', '2020-07-01T00:00Z', 'MST'],
    ['America/Miquelon', '2020-07-01T00:00Z', '-02'],
    ['Antarctica/Troll', '2020-07-01T00:00Z', '+02'],
    ['Asia/Dubai', '2020-01-01T00:00Z', '+04'],
    ['Asia/Hong_Kong', '1975-07-01T00:00Z', 'HKST'],
    ['Asia/Jerusalem', '2020-07-01T00:00Z', 'IDT'],
    ['Asia/Makassar', '2020-01-01T00:00Z', 'WITA'],
    ['Asia/Pontianak', '1980-01-01T00:00Z', 'WITA'],
    ['Asia/Pontianak', '2020-01-01T00:00Z', 'WIB'],
    ['Asia/Seoul', '1988-07-01T00:00Z', 'KDT'],
    ['Australia/Eucla', '2020-01-01T00:00Z', '+0845'],
    ['Europe/Jersey', '2020-07-01T00:00Z', 'BST'],
    ['Europe/Moscow', '1984-07-01T00:00Z', 'MSD'],
    ['Europe/Moscow', '2011-07-01T00:00Z', 'MSK'],
    ['Europe/Kirov', '2014-10-25T00:00Z', 'MSK'],
    ['Europe/Simferopol', '2014-07-01T00:00Z', 'MSK'],
    ['Europe/Volgograd', '2012-01-01T00:00Z', 'MSK'],
    ['Europe/Volgograd', '2019-07-01T00:00Z', '+04'],
    ['Europe/Moscow', '2010-07-01T00:00Z', 'MSD'],
    ['Pacific/Midway', '2020-01-01T00:00Z', 'SST'],
    ['America/St_Johns', '2020-01-01T00:00Z', 'NST'],
    ['America/Argentina/Buenos_Aires', '2020-01-01T00:00Z', '-03'],
    ['Pacific/Marquesas', '2020-01-01T00:00Z', '-0930'],
  ] as const)
    test(`${zone} ${moment.slice(0, 7)}`, () => assert.equal(abbreviation(zone, moment), want));
});

test('names are known from the first nanosecond of 1972', () => {
  const first = 63_072_000_000_000_000n;
  assert.equal(zoneAbbreviation(first, 'Asia/Tokyo', 32_400, FREE), 'JST');
  assert.throws(() => zoneAbbreviation(first - 1n, 'Asia/Tokyo', 32_400, FREE), BuiltinError);
  assert.equal(zoneAbbreviation(first - 1n, 'UTC', 0, FREE), 'UTC');
});

test('of any zone at any moment it is letters, or the offset as it is then', () => {
  const seconds = fc.integer({ min: 63_072_000, max: 2 ** 31 }).map(BigInt);
  fc.assert(
    fc.property(fc.constantFrom(...Intl.supportedValuesOf('timeZone')), seconds, (zone, at) => {
      const offset = offsetAt(at, zone);
      const text = zoneAbbreviation(at * 1_000_000_000n, zone, offset, FREE);
      if (/^[A-Z][A-Za-z]{2,4}$/.test(text)) return;
      const [, sign, hours, minutes = '00'] = /^([+-])([0-9]{2})([0-9]{2})?$/.exec(text) ?? assert.fail(text);
      const size = (Number(hours) * 60 + Number(minutes)) * 60;
      assert.equal(sign === '-' ? -size : size, Math.trunc(offset / 60) * 60);
      assert.notEqual(text.slice(3), '00');
    }),
    { numRuns: 60 },
  );
});
