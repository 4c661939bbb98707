/** A JSON value whose numbers are exact: those that a double cannot hold are kept as their digits and written back as they were. */
export type ExactJson = unknown;

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
type RawJson = { rawJSON(source: string): unknown };

/** Deepest nesting of arrays and objects that is read. */
const MAX_DEPTH = 256;

/** Reads JSON text; undefined where it is none, or nested deeper than 256 levels. Write it back with `JSON.stringify` only. */
export function parseExactJson(text: string): { readonly value: ExactJson } | undefined {
  if (isTooDeep(text)) return undefined;
  try {
    const needsDigits = /[0-9]{16}|[0-9][eE.]/.test(text);
    return {
      value: needsDigits ? JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown) : JSON.parse(text),
    };
  } catch {
    return undefined;
  }
}

/** A whole number of any size as an exact JSON value. */
export function exactInteger(value: bigint): ExactJson {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : rawJson(String(value));
}

const keepDigits: Reviver = (_key, value, { source }) => {
  if (typeof value !== 'number' || source === undefined || isExact(value, source)) return value;
  return rawJson(source);
};

/** True where the double says the same number as its source: `1.10` is 1.1, but 12345678901234567890, 1e400 and 1e-400 are no doubles. */
function isExact(value: number, source: string): boolean {
  return Number.isFinite(value) && scientific(String(value)) === scientific(source);
}

/** The number without leading and trailing zeros, as `digits`e`exponent`. */
function scientific(source: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign}${significant}e${Number(power) - fraction.length + digits.length - significant.length}`;
}

function rawJson(source: string): unknown {
  return (JSON as unknown as RawJson).rawJSON(source);
}

/** True for text nested deeper than 256 levels. Counts brackets outside strings, before a recursive reader sees the text. */
export function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const char = text.charCodeAt(index);
    if (inString) {
      if (char === 0x5c) index += 1;
      else if (char === 0x22) inString = false;
    } else if (char === 0x22) inString = true;
    else if (char === 0x5b || char === 0x7b) {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (char === 0x5d || char === 0x7d) depth -= 1;
  }
  return false;
}
