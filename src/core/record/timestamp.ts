/** The last moment that there is a date for (ECMA-262, "Time Values"). */
const MAX_TIME_MS = 8_640_000_000_000_000;

const MILLISECONDS: readonly string[] = Array.from({ length: 1_000 }, (_, ms) => `${String(ms).padStart(3, '0')}Z`);

/** The text of the second that was asked for last, up to its point. Records come by the thousand a second, and making a date is half a microsecond. */
let known = { second: -1, text: '' };

/** RFC 3339 in UTC with milliseconds. `atMs`: a whole number of at least 0, milliseconds since the epoch; what is after the last date is the last date. */
export function timestamp(atMs: number): string {
  const ms = Math.min(atMs, MAX_TIME_MS);
  const second = Math.floor(ms / 1_000);
  if (second !== known.second) known = { second, text: new Date(second * 1_000).toISOString().slice(0, -4) };
  return known.text + (MILLISECONDS[ms - second * 1_000] ?? '');
}
