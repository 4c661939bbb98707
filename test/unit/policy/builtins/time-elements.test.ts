import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import {
  SECOND,
  civilOf,
  daysBefore,
  daysIn,
  floorDivide,
  inRange,
  momentArg,
} from '../../../../src/core/policy/builtins/moment.ts';
import { addDate, difference } from '../../../../src/core/policy/builtins/time-arithmetic.ts';
import { formatTime, offsetText } from '../../../../src/core/policy/builtins/time-format.ts';
import { readLayout } from '../../../../src/core/policy/builtins/time-layout.ts';
import { parseTime } from '../../../../src/core/policy/builtins/time-parse.ts';
import { zoneAbbreviation } from '../../../../src/core/policy/builtins/zone-abbreviation.ts';
import { arr, num, str } from '../../../../src/core/policy/term.ts';
import { FREE } from '../../../support/builtin-call.ts';
import { within } from '../../../support/within.ts';

function parsed(layout: string, text: string): string | undefined {
  try {
    const ns = parseTime(layout, text);
    return formatTime('2006-01-02T15:04:05.999999999', civilOf(ns, 'UTC'), () => '');
  } catch (problem) {
    assert.ok(problem instanceof BuiltinError, String(problem));
    return undefined;
  }
}

function ns(text: string): bigint {
  return parseTime('RFC3339Nano', text);
}

const moment = (text: string, zone = 'UTC'): { ns: bigint; zone: string; layout: string } => ({
  ns: ns(text),
  zone,
  layout: '',
});

const at = (zone: string, moment: string): string => {
  const time = ns(moment);
  return zoneAbbreviation(time, zone, civilOf(time, zone).offset, FREE);
};

const read = (...parts: Parameters<typeof arr>[0]): unknown => {
  try {
    return momentArg([arr(parts)], 0, FREE);
  } catch (problem) {
    assert.ok(problem instanceof BuiltinError, String(problem));
    return undefined;
  }
};

describe('Go time, Constants: a layout is taken apart into fields and the text between', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['', ''],
    ['text', ''],
    ['2006', '2006'],
    ['2006-01-02', '2006 01 02'],
    ['January Jan Janu JanX', 'January Jan Jan'],
    ['Monday Mon Mond MonX', 'Monday Mon Mon'],
    ['MST MSTx', 'MST MST'],
    ['01 02 03 04 05 06 07 002', '01 02 03 04 05 06 002'],
    ['1 2 3 4 5 6', '1 2 3 4 5'],
    ['15', '15'],
    ['_2 __2 _2006', '_2 __2 2006'],
    ['PM pm Pm', 'PM pm'],
    ['-070000 -07:00:00 -0700 -07:00 -07', '-070000 -07:00:00 -0700 -07:00 -07'],
    ['Z070000 Z07:00:00 Z0700 Z07:00 Z07 Z', 'Z070000 Z07:00:00 Z0700 Z07:00 Z07'],
    ['.000 ,000 .999 ,999', '.000 .000 .999 .999'],
    ['.0001', '01'],
    ['.09', ''],
    ['20060102', '2006 01 02'],
    ['0215', '02 15'],
  ];
  for (const [layout, want] of cases)
    test(layout, () =>
      assert.equal(
        readLayout(layout)
          .parts.map(({ field }) => field)
          .join(' '),
        want,
      ),
    );

  test('fractions have their number of digits and their sign', () => {
    assert.deepEqual(readLayout('a,0000b').parts, [{ text: 'a', field: '.000', digits: 4, sign: ',' }]);
    assert.equal(readLayout('a.9b').tail, 'b');
  });

  test('fields and text together are the layout, whatever it is', () => {
    const unit = fc.constantFrom(
      '2006',
      'Jan',
      'January',
      '1',
      '0',
      '2',
      '_',
      '-07',
      ':00',
      'Z',
      '.',
      '9',
      'M',
      'ST',
      'x',
      ' ',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (layout) => {
        const { parts, tail } = readLayout(layout);
        const lengths = parts.map(({ text, field, digits }) => text.length + (digits > 0 ? digits + 1 : field.length));
        assert.equal(
          lengths.reduce((sum, length) => sum + length, tail.length),
          layout.length,
        );
      }),
    );
  });
});

describe('Go time, Format: each element', () => {
  const civil = civilOf(ns('2009-02-04T21:07:08.090100000Z'), 'UTC');
  const cases: readonly (readonly [string, string])[] = [
    ['2006|06', '2009|09'],
    ['January|Jan|1|01', 'February|Feb|2|02'],
    ['Monday|Mon', 'Wednesday|Wed'],
    ['2|_2|02', '4| 4|04'],
    ['__2|002', ' 35|035'],
    ['15|3|03|PM|pm', '21|9|09|PM|pm'],
    ['4|04|5|05', '7|07|8|08'],
    ['.0|.00|.000|.000000000', '.0|.09|.090|.090100000'],
    ['.9|.99|.999|.999999999', '|.09|.09|.0901'],
    [',000|,999', ',090|,09'],
    ['.000000000000', '.090100000'],
    ['MST', 'ABBR'],
  ];
  for (const [layout, want] of cases)
    test(layout, () =>
      assert.equal(
        formatTime(layout, civil, () => 'ABBR'),
        want,
      ),
    );

  test('midnight and noon', () => {
    for (const [hour, want] of [
      ['00', '12 12 AM'],
      ['12', '12 12 PM'],
      ['23', '11 11 PM'],
    ] as const)
      assert.equal(
        formatTime('3 03 PM', civilOf(ns(`2020-01-01T${hour}:00:00Z`), 'UTC'), () => ''),
        want,
      );
  });

  test('offsets: hours and minutes are cut towards zero, Z at Greenwich only', () => {
    for (const [field, offset, want] of [
      ['-07', 3600, '+01'],
      ['-07', -5400, '-01'],
      ['-0700', -5400, '-0130'],
      ['-07:00', 20_700, '+05:45'],
      ['Z07:00', 0, 'Z'],
      ['Z07:00', 60, '+00:01'],
      ['-07:00', 0, '+00:00'],
      ['-07:00:00', -17_762, '-04:56:02'],
      ['-070000', 17_762, '+045602'],
      ['Z070000', 0, 'Z'],
    ] as const)
      assert.equal(offsetText(field, offset), want, field);
  });
});

describe('Go time, Parse: each element', () => {
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    ['2006', '2020', '2020-01-01T00:00:00'],
    ['2006', '020', undefined],
    ['2006', '+020', undefined],
    ['06', '69', '1969-01-01T00:00:00'],
    ['06', '68', '2068-01-01T00:00:00'],
    ['06', '6', undefined],
    ['Jan', 'mAR', '0000-03-01T00:00:00'],
    ['Jan', 'March', undefined],
    ['January', 'marchx', undefined],
    ['January', 'Mar', undefined],
    ['JanJan', 'MarApr', '0000-04-01T00:00:00'],
    ['Mon', 'tUe', '0000-01-01T00:00:00'],
    ['Monday', 'Tue', undefined],
    ['1', '12', '0000-12-01T00:00:00'],
    ['1', '13', undefined],
    ['1', '0', undefined],
    ['01', '1', undefined],
    ['2006 2', '2020 31', '2020-01-31T00:00:00'],
    ['2006 2', '2020 32', undefined],
    ['2006 2', '2020 0', undefined],
    ['2006 _2', '2020  5', '2020-01-05T00:00:00'],
    ['2006 02', '2020 5', undefined],
    ['2006-1-2', '2020-2-29', '2020-02-29T00:00:00'],
    ['2006-1-2', '2100-2-29', undefined],
    ['2006-1-2', '2000-2-29', '2000-02-29T00:00:00'],
    ['2006 002', '2020 366', '2020-12-31T00:00:00'],
    ['2006 002', '2021 366', undefined],
    ['2006 __2', '2021  32', '2021-02-01T00:00:00'],
    ['2006 002 Jan', '2021 032 Mar', undefined],
    ['2006 002 Jan 2', '2021 032 Feb 1', '2021-02-01T00:00:00'],
    ['15', '23', '0000-01-01T23:00:00'],
    ['15', '24', undefined],
    ['3', '12', '0000-01-01T12:00:00'],
    ['3', '13', undefined],
    ['3PM', '12AM', '0000-01-01T00:00:00'],
    ['3PM', '12PM', '0000-01-01T12:00:00'],
    ['3PM', '1PM', '0000-01-01T13:00:00'],
    ['15PM', '13PM', '0000-01-01T13:00:00'],
    ['3PM', '1pm', undefined],
    ['3pm', '1pm', '0000-01-01T13:00:00'],
    ['4', '59', '0000-01-01T00:59:00'],
    ['4', '60', undefined],
    ['5', '59', '0000-01-01T00:00:59'],
    ['5', '60', undefined],
    ['05', '5', undefined],
    ['5', '1.5', '0000-01-01T00:00:01.5'],
    ['5', '1,5', '0000-01-01T00:00:01.5'],
    ['5', '1.', undefined],
    ['5.00', '1.25', '0000-01-01T00:00:01.25'],
    ['5.00', '1.2', undefined],
    ['5.00', '1.255', undefined],
    ['5.99', '1.2555', '0000-01-01T00:00:01.2555'],
    ['5.99', '1', '0000-01-01T00:00:01'],
    ['5.000000000000', '1.123456789012', '0000-01-01T00:00:01.123456789'],
    ['5.00', '1.-5', undefined],
    ['15 -07', '10 +02', '0000-01-01T08:00:00'],
    ['15 -0700', '10 -0230', '0000-01-01T12:30:00'],
    ['15 -07:00:00', '10 +01:00:30', '0000-01-01T08:59:30'],
    ['15 -0700', '10 +2500', undefined],
    ['15 -0700', '10 +0061', undefined],
    ['15 -0700', '10 *0100', undefined],
    ['15 -0700', '10 Z', undefined],
    ['15 Z0700', '10 Z', '0000-01-01T10:00:00'],
    ['15 Z07:00', '10 +0100', undefined],
    ['15 MST', '10 UTC', '0000-01-01T10:00:00'],
    ['15 MST', '10 ABCT', '0000-01-01T10:00:00'],
    ['15 MST', '10 ABCD', undefined],
    ['15 MST', '10 WITA', '0000-01-01T10:00:00'],
    ['15 MST', '10 ChST', '0000-01-01T10:00:00'],
    ['15 MST', '10 GMT-8', '0000-01-01T10:00:00'],
    ['15 MST', '10 GMT-24', undefined],
    ['15 MST', '10 +03', '0000-01-01T10:00:00'],
    ['15 MST', '10 AB', undefined],
    ['x 2006', 'x  2020', '2020-01-01T00:00:00'],
    ['2006 ', '2020', '2020-01-01T00:00:00'],
    ['2006', '2020 ', undefined],
    ['x2006', 'X2020', undefined],
  ];
  for (const [layout, text, want] of cases) test(`${layout}: ${text}`, () => assert.equal(parsed(layout, text), want));

  test('long layouts and texts take time by their length', () =>
    within(5_000, () => {
      for (const [layout, text] of [
        [`.${'0'.repeat(300_000)}`, `.${'1'.repeat(300_000)}`],
        ['Jan'.repeat(100_000), 'Feb'.repeat(100_000)],
        ['MST'.repeat(100_000), 'ABC'.repeat(100_000)],
        [' '.repeat(300_000), ' '.repeat(300_000)],
        ['MST', `+${'0'.repeat(300_000)}`],
        ['MST', `GMT+${'0'.repeat(300_000)}x`],
        ['5', `1.${'1'.repeat(300_000)}`],
      ] as const)
        parsed(layout, text);
    }));

  test('a fraction of more zeros than a regular expression may count is read', () => {
    assert.equal(parsed(`5.${'0'.repeat(70_000)}`, `1.5${'0'.repeat(69_999)}`), '0000-01-01T00:00:01.5');
  });
});

describe('the proleptic Gregorian calendar', () => {
  test('agrees with the platform for any moment', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (moment) => {
        const want = new Date(Number(floorDivide(moment, 1_000_000n)));
        const { year, month, day, hour, minute, second, weekday } = civilOf(moment, 'UTC');
        assert.deepEqual(
          [year, month, day, hour, minute, second, weekday],
          [
            want.getUTCFullYear(),
            want.getUTCMonth() + 1,
            want.getUTCDate(),
            want.getUTCHours(),
            want.getUTCMinutes(),
            want.getUTCSeconds(),
            want.getUTCDay(),
          ],
        );
      }),
    );
  });
  test('days of months', () => {
    assert.deepEqual(
      [
        [2021, 2],
        [2020, 2],
        [1900, 2],
        [2000, 2],
        [2021, 12],
        [2021, 4],
      ].map(([year = 0, month = 0]) => daysIn(year, month)),
      [28, 29, 28, 29, 31, 30],
    );
    assert.equal(daysBefore(1970, 1), 0n);
    assert.equal(daysBefore(1969, 12), -31n);
    assert.throws(() => daysBefore(300_000, 1), BuiltinError);
  });
  test('dividing rounds down', () => {
    for (const [value, want] of [
      [7n, 3n],
      [-7n, -4n],
      [-8n, -4n],
      [0n, 0n],
      [-1n, -1n],
    ] as const)
      assert.equal(floorDivide(value, 2n), want);
  });
  test('64 bits of nanoseconds', () => {
    assert.ok(inRange(2n ** 63n - 1n) && inRange(-(2n ** 63n)));
    assert.ok(!inRange(2n ** 63n) && !inRange(-(2n ** 63n) - 1n));
  });
});

describe('moments as arguments', () => {
  test('nanoseconds in any notation of an integer', () => {
    for (const text of ['1000', '1e3', '1000.0', '0.1e4'])
      assert.deepEqual(read(num(text)), { ns: 1000n, zone: 'UTC', layout: '' });
    for (const text of ['1.5', '1e-1', '9223372036854775808', '1e19', '1e99999', '9'.repeat(1000)])
      assert.equal(read(num(text)), undefined, text);
  });
  test('zones have their exact names', () => {
    for (const name of ['UTC', '', 'Europe/Berlin', 'Etc/GMT+5', 'America/Argentina/Buenos_Aires'])
      assert.notEqual(read(num(0), str(name)), undefined, name);
    for (const name of [
      'utc',
      'Local',
      'europe/berlin',
      '+01:00',
      'Europe/',
      '/Europe',
      'Europe/../UTC',
      'Europe/Berlin\u0000',
      'A'.repeat(100_000),
      'A/'.repeat(50_000),
    ])
      assert.equal(read(num(0), str(name)), undefined, name.slice(0, 20));
  });
  test('a number of a million digits takes no long time', () =>
    within(5_000, () => {
      assert.equal(read(num(`1${'0'.repeat(1_000_000)}1`)), undefined);
    }));
});

describe('abbreviations of zones', () => {
  for (const [zone, moment, want] of [
    ['UTC', '2020-01-01T00:00:00Z', 'UTC'],
    ['Europe/London', '2020-01-01T00:00:00Z', 'GMT'],
    ['Europe/London', '2020-07-01T00:00:00Z', 'BST'],
    ['America/Los_Angeles', '2020-07-01T00:00:00Z', 'PDT'],
    ['Asia/Tokyo', '2020-07-01T00:00:00Z', 'JST'],
    ['Asia/Kathmandu', '2020-07-01T00:00:00Z', '+0545'],
    ['America/Sao_Paulo', '2020-07-01T00:00:00Z', '-03'],
    ['Australia/Sydney', '2020-01-01T00:00:00Z', 'AEDT'],
    ['Africa/Johannesburg', '2020-01-01T00:00:00Z', 'SAST'],
    ['Asia/Manila', '2020-01-01T00:00:00Z', 'PST'],
    ['Pacific/Guam', '2020-01-01T00:00:00Z', 'ChST'],
  ] as const)
    test(`${zone} ${moment}`, () => assert.equal(at(zone, moment), want));
  test('before 1972 they are not guessed', () => {
    assert.throws(() => at('Europe/London', '1971-12-31T23:59:59Z'), BuiltinError);
    assert.equal(at('UTC', '1971-12-31T23:59:59Z'), 'UTC');
  });
});

describe('Go AddDate and OPA time.diff', () => {
  test('a clock that a change of offset skips is moved on, one that it repeats is the one that Go takes', () => {
    const skipped = addDate(moment('2021-03-27T01:30:00Z', 'Europe/Berlin'), 0n, 0n, 1n);
    assert.equal(skipped, ns('2021-03-28T01:30:00Z'));
    const repeated = addDate(moment('2021-10-30T00:30:00Z', 'Europe/Berlin'), 0n, 0n, 1n);
    assert.equal(repeated, ns('2021-10-31T01:30:00Z'));
  });
  test('months of any number', () => {
    assert.equal(addDate(moment('2020-01-01T00:00:00Z'), 0n, 25n, 0n), ns('2022-02-01T00:00:00Z'));
    assert.equal(addDate(moment('2020-01-01T00:00:00Z'), 3n, -36n, 0n), ns('2020-01-01T00:00:00Z'));
    for (const [years, months, days] of [
      [10n ** 18n, 0n, 0n],
      [0n, -(10n ** 18n), 0n],
      [0n, 0n, 10n ** 18n],
      [300n, 0n, 0n],
    ] as const)
      assert.throws(() => addDate(moment('2020-01-01T00:00:00Z'), years, months, days), BuiltinError);
  });
  test('nothing and back again', () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 18n), 4n * 10n ** 18n), fc.bigInt(-9999n, 9999n), (start, days) => {
        const from = { ns: start, zone: 'UTC', layout: '' };
        assert.equal(addDate(from, 0n, 0n, 0n), start);
        assert.equal(addDate({ ...from, ns: addDate(from, 0n, 0n, days) }, 0n, 0n, -days), start);
        assert.equal(addDate(from, 0n, 0n, days), start + days * 86_400n * SECOND);
      }),
    );
  });
  test('a difference is never negative, and the same from either side', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 4n * 10n ** 18n), fc.bigInt(0n, 4n * 10n ** 18n), (one, other) => {
        const [a, b] = [one, other].map((value) => ({ ns: value, zone: 'UTC', layout: '' }));
        assert.ok(a !== undefined && b !== undefined);
        const parts = difference(a, b);
        assert.deepEqual(parts, difference(b, a));
        const [years = -1, months = -1, , hours = -1, minutes = -1, seconds = -1] = parts;
        assert.ok(
          years >= 0 &&
            months >= 0 &&
            months < 12 &&
            hours >= 0 &&
            hours < 24 &&
            minutes >= 0 &&
            minutes < 60 &&
            seconds >= 0 &&
            seconds < 60,
          String(parts),
        );
      }),
    );
  });
});
