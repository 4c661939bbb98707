import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { ask } from '../../../support/builtin-call.ts';
import { answer } from '../../../support/json-builtin.ts';

/** 2021-03-04T05:06:07.089Z, a Thursday, the 63rd day. */
const MOMENT = 1_614_834_367_089_000_000n;

/** Calls with Rego text, since nanoseconds are beyond what a JavaScript number holds; undefined where the call fails as a built-in may. */
function asked(name: string, ...operands: readonly string[]): string | undefined {
  try {
    return ask(name, ...operands);
  } catch (problem) {
    if (problem instanceof BuiltinError) return undefined;
    throw problem;
  }
}

function format(ns: bigint, zone: string, layout = ''): unknown {
  const text = asked('time.format', `[${ns}, ${JSON.stringify(zone)}, ${JSON.stringify(layout)}]`);
  return text === undefined ? undefined : JSON.parse(text);
}

function raw(name: string, ...texts: readonly string[]): string | undefined {
  return asked(name, ...texts.map((text) => JSON.stringify(text)));
}

describe('time.format: Go shows its reference time in a layout', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['2006-01-02', '2021-03-04'],
    ['06 Jan January 1 01', '21 Mar March 3 03'],
    ['Mon Monday 2 _2 02', 'Thu Thursday 4  4 04'],
    ['__2 002', ' 63 063'],
    ['15 3 03 PM pm', '05 5 05 AM am'],
    ['4 04 5 05', '6 06 7 07'],
    ['05.000 05.00 05.999 05.9 05,000000', '07.089 07.08 07.089 07 07,089000'],
    ['Z07:00 Z0700 Z07 -07:00 -0700 -07', 'Z Z Z +00:00 +0000 +00'],
    ['-07:00:00 -070000 Z070000', '+00:00:00 +000000 Z'],
    ['MST', 'UTC'],
    ['Month Janus Monk', 'Month Janus Monk'],
    ['_2006 2006.0000', '_2021 2021.0890'],
    ['ANSIC', 'Thu Mar  4 05:06:07 2021'],
    ['UnixDate', 'Thu Mar  4 05:06:07 UTC 2021'],
    ['RFC850', 'Thursday, 04-Mar-21 05:06:07 UTC'],
    ['RFC1123Z', 'Thu, 04 Mar 2021 05:06:07 +0000'],
    ['RFC3339Nano', '2021-03-04T05:06:07.089Z'],
    ['Kitchen', 'Kitchen'],
  ];
  for (const [layout, want] of cases) test(layout, () => assert.equal(format(MOMENT, 'UTC', layout), want));

  test('without a layout it is RFC 3339 with nanoseconds', () => {
    assert.equal(format(MOMENT, ''), '2021-03-04T05:06:07.089Z');
    assert.equal(format(-1n, 'UTC'), '1969-12-31T23:59:59.999999999Z');
    assert.equal(answer('time.format', [0]), '1970-01-01T00:00:00Z');
  });

  test('a zone moves the clock and shows its offset', () => {
    assert.equal(format(MOMENT, 'America/New_York', '15:04 -0700 MST'), '00:06 -0500 EST');
    assert.equal(format(MOMENT, 'Asia/Kolkata', '15:04 Z07:00 MST'), '10:36 +05:30 IST');
    assert.equal(format(MOMENT, 'America/Sao_Paulo', 'MST -07'), '-03 -03');
    assert.equal(format(MOMENT, 'Australia/Lord_Howe', 'MST'), '+11');
    assert.equal(format(MOMENT, 'Europe/Moscow', 'MST'), 'MSK');
    assert.equal(format(MOMENT + 10_000_000n * 1_000_000_000n, 'Europe/Berlin', 'MST'), 'CEST');
  });

  test('an abbreviation from before 1972 is not guessed', () => {
    assert.equal(format(-1n, 'Europe/London', 'MST'), undefined);
    assert.equal(format(-1n, 'Europe/London', '-0700'), '+0100');
  });

  test('what is no moment or zone is an error', () => {
    for (const operand of [
      [],
      ['x'],
      [0, 5],
      [0, 'UTC', 5],
      [0, 'Local'],
      [0, 'europe/berlin'],
      [0, '../x'],
      [1.5],
      'x',
      1e30,
    ])
      assert.equal(answer('time.format', [operand]), undefined, JSON.stringify(operand));
  });
});

describe('time.parse_ns', () => {
  const good: readonly (readonly [string, string, string])[] = [
    ['2006-01-02T15:04:05Z07:00', '2017-06-02T19:00:00-07:00', '1496455200000000000'],
    ['RFC822Z', '02 Jun 17 19:00 -0700', '1496455200000000000'],
    ["01/02 03:04:05PM '06 -0700", "06/02 07:00:00PM '17 -0700", '1496455200000000000'],
    ['2006 __2', '1970   2', '86400000000000'],
    ['2006 002', '1972 366', '94608000000000000'],
    ['3PM 2006', '12AM 1970', '0'],
    ['3PM 2006', '12PM 1970', '43200000000000'],
    ['JAN 2 2006', 'JAN 3 1970', '172800000000000'],
    ['January 2006', 'FEBRUARY 1970', '2678400000000000'],
    ['Mon 2006', 'sun 1970', '0'],
    ['5 2006', '1.25 1970', '1250000000'],
    ['5.000 2006', '1,250 1970', '1250000000'],
    ['06', '69', '-31536000000000000'],
    ['06', '68', '3092601600000000000'],
    ['2006 MST', '1970 CET', '0'],
    ['2006 MST', '1970 GMT+3', '0'],
    ['2006  -07', '1970 +01', '-3600000000000'],
    ['2006-01-02T15:04:05Z07:00', '2262-04-11T23:47:16.854775807Z', '9223372036854775807'],
  ];
  for (const [layout, text, want] of good) {
    test(`${layout}: ${text}`, () => assert.equal(raw('time.parse_ns', layout, text), want));
  }

  const bad: readonly (readonly [string, string])[] = [
    ['2006-01-02', '2021-02-29'],
    ['2006-01-02', '2021-13-01'],
    ['2006-01-02', '2021-1-1'],
    ['2006-01-02', '2021-01-01x'],
    ['2006 002', '2021 366'],
    ['2006 002', '2021 000'],
    ['2006 002 1', '2021 040 3'],
    ['15:04', '24:00'],
    ['3PM', '13PM'],
    ['3PM', '1am'],
    ['5', '60'],
    ['5.000', '1.25'],
    ['-0700', '+2561'],
    ['-0700', ' 0100'],
    ['2006 MST', '1970 cet'],
    ['2006 MST', '1970 ABCDE'],
    ['2006', '1 70'],
    ['Jan', 'Ja\u0130'],
    ['RFC3339', '2262-04-11T23:47:16.854775808Z'],
    ['RFC3339', '1677-09-21T00:12:43.145224191Z'],
    ['', 'x'],
  ];
  for (const [layout, text] of bad) {
    test(`${layout}: not ${text}`, () => assert.equal(raw('time.parse_ns', layout, text), undefined));
  }

  test('what time.format wrote in a layout that loses nothing, time.parse_ns reads', () => {
    const layouts = fc.constantFrom(
      'RFC3339Nano',
      '2006-01-02 15:04:05.000000000',
      '02/Jan/06:03:04:05,999999999PM -0700',
      'Monday 2 January 2006 15h4m5.999999999 -07:00:00',
      '__2 2006 15:04:05.999999999 Z0700',
    );
    const seconds = fc.integer({ min: -31_400_000, max: 3_092_000_000 });
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Chatham');
    fc.assert(
      fc.property(layouts, seconds, fc.integer({ min: 0, max: 999_999_999 }), zones, (layout, second, nano, zone) => {
        const ns = BigInt(second) * 1_000_000_000n + BigInt(nano);
        const text = format(ns, /Z|-07/.test(layout) || layout === 'RFC3339Nano' ? zone : 'UTC', layout);
        assert.equal(raw('time.parse_ns', layout, String(text)), String(ns), `${layout}: ${String(text)}`);
      }),
      { numRuns: 300 },
    );
  });

  test('any layout and any text give a time or an error of its own', () => {
    const unit = fc.constantFrom(
      '2006',
      '01',
      'Jan',
      '__2',
      'MST',
      '-0700',
      '.000',
      ',999',
      'PM',
      '15',
      ' ',
      '\u00e9',
      '7',
      '+',
      'GMT',
    );
    const texts = fc.string({ unit, maxLength: 6 });
    fc.assert(
      fc.property(texts, texts, (layout, text) => void raw('time.parse_ns', layout, text)),
      { numRuns: 1000 },
    );
  });
});

describe('time.add_date: the calendar goes on where days are too many', () => {
  const cases: readonly (readonly [string, readonly [number, number, number], string])[] = [
    ['2021-01-31T00:00:00Z', [0, 1, 0], '2021-03-03T00:00:00Z'],
    ['2020-02-29T12:00:00Z', [1, 0, 0], '2021-03-01T12:00:00Z'],
    ['2021-01-01T00:00:00Z', [0, -1, 0], '2020-12-01T00:00:00Z'],
    ['2021-01-01T00:00:00Z', [0, -13, -1], '2019-11-30T00:00:00Z'],
    ['2021-01-01T00:00:00.5Z', [0, 0, 365], '2022-01-01T00:00:00.5Z'],
  ];
  for (const [from, [years, months, days], want] of cases) {
    test(`${from} and ${years}-${months}-${days}`, () => {
      const ns = raw('time.parse_rfc3339_ns', from) ?? '';
      const moved = asked('time.add_date', ns, ...[years, months, days].map(String)) ?? '';
      assert.equal(format(BigInt(moved), 'UTC'), want);
    });
  }

  test('the clock of the zone stays when its offset changes', () => {
    const before = BigInt(raw('time.parse_rfc3339_ns', '2021-03-27T12:00:00+01:00') ?? '');
    const moved = BigInt(asked('time.add_date', `[${before}, "Europe/Berlin"]`, '0', '0', '1') ?? '');
    assert.equal(format(moved, 'Europe/Berlin'), '2021-03-28T12:00:00+02:00');
  });

  test('beyond 64 bits of nanoseconds, and what is no integer, is an error', () => {
    for (const operands of [
      [0, 300, 0, 0],
      [0, -300, 0, 0],
      [0, 1e15, 0, 0],
      [0, 0, 0, 1e18],
      [0, 1.5, 0, 0],
      [0, '1', 0, 0],
    ])
      assert.equal(answer('time.add_date', operands), undefined, JSON.stringify(operands));
  });
});

function at(text: string): bigint {
  return BigInt(raw('time.parse_rfc3339_ns', text) ?? '');
}

test('time.diff: years, months, days and clock, whichever moment is first', () => {
  const cases: readonly (readonly [string, string, readonly number[]])[] = [
    ['2021-01-31T00:00:00Z', '2021-03-01T00:00:00Z', [0, 1, 1, 0, 0, 0]],
    ['2020-02-29T23:59:59Z', '2021-02-28T00:00:00Z', [0, 11, 27, 0, 0, 1]],
    ['2021-01-01T00:00:01Z', '2021-01-01T00:00:00Z', [0, 0, 0, 0, 0, 1]],
    ['2021-01-01T00:00:00Z', '2021-01-01T00:00:00Z', [0, 0, 0, 0, 0, 0]],
  ];
  for (const [one, other, want] of cases) {
    assert.deepEqual(answer('time.diff', [at(one), at(other)]), want);
    assert.deepEqual(answer('time.diff', [at(other), at(one)]), want);
  }
});
