import { BuiltinError } from '../builtin.ts';
import { SECOND, civilOf, daysBefore, daysIn, floorDivide, inRange, offsetAt } from './moment.ts';
import type { Moment } from './moment.ts';

/** Beyond these years and months no result is within 64 bits of nanoseconds. */
const MOST_YEARS = 2000n;

/**
 * A moment moved by years, months and days of its calendar, as Go's `Time.AddDate`: the clock stays; 31 January and one month is 3 March, since
 * days beyond the month go on counting.
 */
export function addDate({ ns, zone }: Moment, years: bigint, months: bigint, days: bigint): bigint {
  const civil = civilOf(ns, zone);
  const monthCount = (BigInt(civil.year) + years) * 12n + BigInt(civil.month - 1) + months;
  const year = floorDivide(monthCount, 12n);
  if (year < -MOST_YEARS || year > 2n * MOST_YEARS) throw new BuiltinError('time outside of valid range');
  const first = daysBefore(Number(year), Number(monthCount - year * 12n) + 1);
  const shown =
    (first + BigInt(civil.day - 1) + days) * 86_400n + BigInt(civil.hour * 3600 + civil.minute * 60 + civil.second);
  if (!inRange(shown * SECOND)) throw new BuiltinError('time outside of valid range');
  const result = (shown - BigInt(offsetFor(shown, zone))) * SECOND + BigInt(civil.nanosecond);
  if (!inRange(result)) throw new BuiltinError('time outside of valid range');
  return result;
}

/** The offset at which a clock shows `shown`; in the hour that a change skips or repeats it is the one that Go's `Date` chooses. */
function offsetFor(shown: bigint, zone: string): number {
  const guess = offsetAt(shown, zone);
  return guess === 0 ? 0 : offsetAt(shown - BigInt(guess), zone);
}

/** Years, months, days, hours, minutes and seconds between two moments, whichever is first, by the calendar of the first one's zone. */
export function difference(one: Moment, other: Moment): number[] {
  const [early, late] = one.ns > other.ns ? [other.ns, one.ns] : [one.ns, other.ns];
  const from = civilOf(early, one.zone);
  const to = civilOf(late, one.zone);
  const parts = [
    to.year - from.year,
    to.month - from.month,
    to.day - from.day,
    to.hour - from.hour,
    to.minute - from.minute,
    to.second - from.second,
  ];
  const sizes = [0, 12, daysIn(from.year, from.month), 24, 60, 60];
  for (let at = parts.length - 1; at > 0; at -= 1) {
    const value = parts[at] ?? 0;
    if (value >= 0) continue;
    parts[at] = value + (sizes[at] ?? 0);
    parts[at - 1] = (parts[at - 1] ?? 0) - 1;
  }
  return parts;
}
