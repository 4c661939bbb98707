import * as z from 'zod';

import { MAX_DURATION_MS, formatDuration, formatSize, parseDuration, parseSize } from '../kernel/units.ts';

/**
 * The kinds of values a configuration has. Each says in one noun phrase what it expects; every mistake shows that phrase, whatever was
 * wrong. A pattern stands beside the parser where JSON Schema (editors, Helm) can check the form too; the parser decides.
 */

/** Text with a form of its own, turned into a value by `parse`; undefined from `parse` is a mistake. */
export function text<T>(expected: string, parse: (text: string) => T | undefined, pattern?: RegExp) {
  const string = z.string({ error: expected });
  const base = pattern === undefined ? string : string.meta({ pattern: pattern.source });
  return base.transform((value, context): T => {
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

/** A duration in milliseconds. `none` allows `0s`, where nothing is bounded. */
export function duration(minMs: number, maxMs = MAX_DURATION_MS, none = false) {
  const range = `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}${none ? ', or 0s for no bound' : ''}`;
  const inRange = (ms: number | undefined) => bounded(ms, minMs, maxMs, none);
  return text(
    `a duration such as 500ms, 30s or 1h, ${range}`,
    (value) => inRange(parseDuration(value)),
    /^[0-9]+(ms|s|m|h|d)$/,
  );
}

/** A size in bytes. `none` allows `0B`, where nothing is bounded. */
export function size(minBytes: number, maxBytes: number, none = false) {
  const range = `from ${formatSize(minBytes)} to ${formatSize(maxBytes)}${none ? ', or 0B for no bound' : ''}`;
  const inRange = (bytes: number | undefined) => bounded(bytes, minBytes, maxBytes, none);
  return text(
    `a size such as 512B, 64KiB or 1MiB, ${range}`,
    (value) => inRange(parseSize(value)),
    /^[0-9]+(B|KiB|MiB|GiB)$/,
  );
}

function bounded(value: number | undefined, min: number, max: number, none: boolean): number | undefined {
  if (value === undefined || (none && value === 0)) return value;
  return value >= min && value <= max ? value : undefined;
}

/** A whole number; its digits as text are read too, because that is what `${NAME}` gives. */
export function count(min: number, max: number) {
  const error = `a whole number from ${min} to ${max}`;
  const digits = z.string().regex(/^(0|[1-9][0-9]{0,15})$/, { error });
  return z
    .union([z.int({ error }).min(min, { error }).max(max, { error }), digits], { error })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error });
}

/** `true` or `false`; as text too, because that is what `${NAME}` gives. */
export function flag() {
  const error = 'true or false';
  return z
    .union([z.boolean(), z.enum(['true', 'false'])], { error })
    .transform((value) => value === true || value === 'true');
}

/** One of a few words. */
export function oneOf<const T extends readonly [string, ...string[]]>(...words: T) {
  return z.enum(words, { error: words.join(' or ') });
}

/** Path of a file or folder; relative ones count from the folder of the configuration file. */
export function path(what: string) {
  const error = `the path of ${what}`;
  return z
    .string({ error })
    .min(1, { error })
    .max(4_096, { error })
    .refine((value) => !value.includes('\0'), { error });
}

/** A map with exactly these keys. */
export function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, { error: 'a map of settings' });
}

/** A list with at least `min` entries. */
export function list<Item extends z.ZodType>(what: string, item: Item, min = 0) {
  const error = min > 0 ? `a list of ${what}, at least ${min}` : `a list of ${what}`;
  return z.array(item, { error }).min(min, { error });
}

/** A map from names that match `pattern` to values; `name` says what such a name is. */
export function mapOf<Value extends z.ZodType>(name: string, pattern: RegExp, value: Value) {
  return z.record(z.string().regex(pattern, { error: `${name} as key` }), value, { error: `a map, each key ${name}` });
}
