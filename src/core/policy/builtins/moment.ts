import { BuiltinError, stringArg, wrongType } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { integerOf } from '../number-text.ts';
import type { Term } from '../term.ts';
import { chargeMoment } from './time-cost.ts';

/** A moment as the time functions take it: nanoseconds since the epoch, the zone that it is seen in, and a layout where one was given. */
export type Moment = { readonly ns: bigint; readonly zone: string; readonly layout: string };

/** What calendar and clock of a zone show. `offset` is in seconds east of Greenwich, `weekday` 0 is Sunday, `yearDay` counts from 1. */
export type Civil = {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
  readonly weekday: number;
  readonly yearDay: number;
  readonly offset: number;
};

export const SECOND = 1_000_000_000n;
const LEAST = -(2n ** 63n);
const MOST = 2n ** 63n - 1n;
const DAY = 86_400_000;
const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;

/** True for what fits 64 bits of nanoseconds: 1677-09-21 to 2262-04-11. */
export function inRange(ns: bigint): boolean {
  return ns >= LEAST && ns <= MOST;
}

/** An argument that is nanoseconds, `[nanoseconds]`, `[nanoseconds, zone]` or `[nanoseconds, zone, layout]`. */
export function momentArg(args: readonly Term[], index: number, cost: BuiltinContext): Moment {
  const term = args[index];
  const parts = term?.kind === 'array' ? term.items : [term];
  const [ns] = parts;
  if (ns?.kind !== 'number') throw wrongType(index, 'either number (ns) or [number (ns), string (tz)]', ns);
  const value = integerOf(ns.text, 40);
  if (value === undefined || !inRange(value)) throw new BuiltinError('timestamp too big');
  const name = parts.length > 1 ? stringArg(parts as Term[], 1) : 'UTC';
  chargeMoment(cost, name);
  const zone = zoneName(name);
  return { ns: value, zone, layout: parts.length > 2 ? stringArg(parts as Term[], 2) : '' };
}

/** Zones have their exact names, as in OPA; the zone of this machine is none of them, or a policy would answer differently elsewhere. */
function zoneName(name: string): string {
  if (name === '' || name === 'UTC') return 'UTC';
  if (!ZONE_NAME.test(name) || name === 'Local' || zoned(0n, name).timeZoneId !== name)
    throw new BuiltinError(`unknown time zone ${name.slice(0, 40)}`);
  return name;
}

function zoned(ns: bigint, name: string): Temporal.ZonedDateTime {
  try {
    return new Temporal.ZonedDateTime(ns, name);
  } catch {
    throw new BuiltinError(`unknown time zone ${name.slice(0, 40)}`);
  }
}

/** Seconds that a zone is ahead of UTC at a time, which is in seconds since the epoch. */
export function offsetAt(seconds: bigint, zone: string): number {
  return zone === 'UTC' ? 0 : zoned(seconds * SECOND, zone).offsetNanoseconds / 1e9;
}

/** Calendar and clock at a moment. */
export function civilOf(ns: bigint, zone: string): Civil {
  const seconds = floorDivide(ns, SECOND);
  const offset = offsetAt(seconds, zone);
  const shown = new Date((Number(seconds) + offset) * 1000);
  const year = shown.getUTCFullYear();
  return {
    year,
    month: shown.getUTCMonth() + 1,
    day: shown.getUTCDate(),
    hour: shown.getUTCHours(),
    minute: shown.getUTCMinutes(),
    second: shown.getUTCSeconds(),
    nanosecond: Number(ns - seconds * SECOND),
    weekday: shown.getUTCDay(),
    yearDay: Math.floor((shown.getTime() - Number(daysBefore(year, 1)) * DAY) / DAY) + 1,
    offset,
  };
}

/** Rounds down, also below zero. */
export function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return quotient * divisor > value ? quotient - 1n : quotient;
}

/** Days from the epoch to the first of a month (1 to 12) of the proleptic Gregorian calendar, for years that a Date can hold. */
export function daysBefore(year: number, month: number): bigint {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, 1);
  const days = date.getTime() / DAY;
  if (Number.isNaN(days)) throw new BuiltinError('time outside of valid range');
  return BigInt(days);
}

/** Days of a month, 1 to 12. */
export function daysIn(year: number, month: number): number {
  return Number(
    month === 12
      ? daysBefore(year + 1, 1) - daysBefore(year, 12)
      : daysBefore(year, month + 1) - daysBefore(year, month),
  );
}
