/** The longest duration a timer can hold (2^31 - 1 ms, 24.8 days): beyond it `setTimeout` fires at once. */
export const MAX_DURATION_MS = 2_147_483_647;

const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const satisfies Units;
const SIZE_UNITS = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 } as const satisfies Units;

type Units = Readonly<Record<string, number>>;

/** Milliseconds of `500ms`, `30s`, `5m`, `1h`, `2d`: a whole number and one unit. Undefined for anything else or above 24.8 days. */
export function parseDuration(text: string): number | undefined {
  return quantity(text, DURATION_UNITS, MAX_DURATION_MS);
}

/** Bytes of `512B`, `64KiB`, `8MiB`, `1GiB`: a whole number and one unit of 1024. Undefined for anything else. */
export function parseSize(text: string): number | undefined {
  return quantity(text, SIZE_UNITS, Number.MAX_SAFE_INTEGER);
}

/** Milliseconds as the shortest text that `parseDuration` reads back. */
export function formatDuration(ms: number): string {
  return format(ms, DURATION_UNITS, 'ms');
}

/** Bytes as the shortest text that `parseSize` reads back. */
export function formatSize(bytes: number): string {
  return format(bytes, SIZE_UNITS, 'B');
}

function quantity(text: string, units: Units, max: number): number | undefined {
  const match = /^(0|[1-9][0-9]{0,15})([A-Za-z]{1,3})$/.exec(text);
  if (match === null) return undefined;
  const [, digits = '', unit = ''] = match;
  if (!Object.hasOwn(units, unit)) return undefined;
  const value = Number(digits) * (units[unit] ?? Number.NaN);
  return value <= max ? value : undefined;
}

function format(value: number, units: Units, smallest: string): string {
  let text = `${value}${smallest}`;
  for (const [unit, factor] of Object.entries(units))
    if (value !== 0 && value % factor === 0) text = `${value / factor}${unit}`;
  return text;
}
