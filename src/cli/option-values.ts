import { InvalidArgumentError } from 'commander';

import { parseDuration } from '../core/kernel/units.ts';

/** Days are counted apart: a root lives longer than the longest timer of a configuration. */
const DAYS = /^([1-9][0-9]{0,4})d$/;
const DAY_MS = 86_400_000;

/** A duration of an option, in milliseconds: `90s`, `24h`, `365d`. */
export function duration(text: string): number {
  const days = DAYS.exec(text)?.[1];
  const ms = days === undefined ? parseDuration(text) : Number(days) * DAY_MS;
  if (ms === undefined || ms === 0) throw new InvalidArgumentError('It is no duration such as 90s, 24h or 365d.');
  return ms;
}

/** A whole number of an option, from 1 on. */
export function count(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('It is no whole number from 1 on.');
  return Number(text);
}

/** A percentage of an option, 0 to 100. */
export function percent(text: string): number {
  if (!/^\d{1,3}(?:\.\d{1,9})?$/.test(text) || Number(text) > 100)
    throw new InvalidArgumentError('It is no percentage from 0 to 100.');
  return Number(text);
}

/** Collects an option that may be repeated. */
export function list(text: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, text];
}
