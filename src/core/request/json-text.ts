/**
 * A strict look at JSON text before `JSON.parse` makes values of it. `JSON.parse` alone takes the last of two equal keys, lets lone surrogates
 * through, rounds numbers and has no bound on depth; each of these makes policy and agent read different documents, or stops the evaluation.
 */

/** Arrays and objects within each other. The WASM evaluator has a stack of 64 KiB. */
export const MAX_JSON_DEPTH = 128;

/** Keys of one object; see `MAX_PARAMETER_NAMES` for what a larger object costs the evaluator. */
export const MAX_JSON_KEYS = 1000;

/** A JSON value, or why the text is refused. */
export type JsonReading = { readonly value: unknown } | { readonly refused: string };

/**
 * Reads JSON (RFC 8259), any value. Linear in the length of the text.
 *
 * Refused: what `JSON.parse` refuses; equal keys in one object, also where an escape hides it, or the case of letters (Go's `encoding/json` takes
 * `Name` for `name`, the last one counting); lone surrogates; more than `MAX_JSON_DEPTH` levels or
 * `MAX_JSON_KEYS` keys; numbers that a double cannot hold: beyond its range, not zero but read as zero, and integers beyond 2^53 whose
 * digits do not come back (9007199254740993 would be judged as ...992). Fractions are read as the nearest double, as every reader does.
 */
export function readJson(text: string): JsonReading {
  const refused = new JsonScan(text).run();
  if (refused !== undefined) return { refused };
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { refused: 'not well-formed JSON' };
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Walks over strings, numbers and brackets only; whether they stand in the right order is left to `JSON.parse`. */
class JsonScan {
  readonly #text: string;
  /** One entry a level: the keys seen, or undefined for an array. Sets hash with a seed, so chosen keys cost no more than others. */
  readonly #levels: (Set<string> | undefined)[] = [];
  #at = 0;
  #keyNext = false;

  constructor(text: string) {
    this.#text = text;
  }

  run(): string | undefined {
    while (this.#at < this.#text.length) {
      const refused = this.#token(this.#text.charCodeAt(this.#at));
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  #token(code: number): string | undefined {
    switch (code) {
      case 0x7b: // {
        return this.#open(new Set());
      case 0x5b: // [
        return this.#open(undefined);
      case 0x7d: // }
      case 0x5d: // ]
        this.#levels.pop();
        this.#keyNext = false;
        break;
      case 0x2c: // ,
        this.#keyNext = this.#levels.at(-1) !== undefined;
        break;
      case QUOTE:
        return this.#string();
      default:
        if (code === 0x2d || (code >= 0x30 && code <= 0x39)) return this.#number();
    }
    this.#at++;
    return undefined;
  }

  #open(keys: Set<string> | undefined): string | undefined {
    if (this.#levels.push(keys) > MAX_JSON_DEPTH) return `more than ${MAX_JSON_DEPTH} levels`;
    this.#keyNext = keys !== undefined;
    this.#at++;
    return undefined;
  }

  #string(): string | undefined {
    const start = this.#at;
    let escaped = false;
    let end = start + 1;
    for (; end < this.#text.length; end++) {
      const code = this.#text.charCodeAt(end);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        escaped = true;
        end++;
      }
    }
    this.#at = end + 1;
    if (!escaped && !this.#keyNext) return undefined;
    const value = escaped ? unescaped(this.#text.slice(start, end + 1)) : this.#text.slice(start + 1, end);
    if (value === undefined) return 'not well-formed JSON';
    if (!value.isWellFormed()) return 'a lone surrogate';
    return this.#keyNext ? this.#key(value) : undefined;
  }

  #key(key: string): string | undefined {
    this.#keyNext = false;
    const keys = this.#levels.at(-1);
    if (keys === undefined) return undefined;
    const folded = folds(key) ? key.toUpperCase().toLowerCase() : key;
    if (keys.has(folded)) return 'two equal keys in one object';
    keys.add(folded);
    return keys.size > MAX_JSON_KEYS ? `more than ${MAX_JSON_KEYS} keys in one object` : undefined;
  }

  #number(): string | undefined {
    const start = this.#at;
    while (isNumberCharacter(this.#text.charCodeAt(this.#at))) this.#at++;
    return survives(this.#text.slice(start, this.#at)) ? undefined : 'a number that a double cannot hold';
  }
}

/** True where a key may be the same as another in a reader that ignores case: Unicode folding, so that U+212A is `k` and U+017F is `s`. */
function folds(key: string): boolean {
  return /[^a-z0-9_.:/$@-]/.test(key);
}

function unescaped(quoted: string): string | undefined {
  try {
    const value: unknown = JSON.parse(quoted);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Digits, `+ - . E e`. */
function isNumberCharacter(code: number): boolean {
  if (code >= 0x30 && code <= 0x39) return true;
  return code === 0x2b || code === 0x2d || code === 0x2e || code === 0x45 || code === 0x65;
}

function survives(text: string): boolean {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value !== 0 || !/^-?[0.]*[1-9]/.test(text);
  // Not a number at all is for JSON.parse to say.
  if (Number.isNaN(value)) return true;
  if (!Number.isFinite(value)) return false;
  return Math.abs(value) < Number.MAX_SAFE_INTEGER || decimal(text) === decimal(String(value));
}

/** The value as digits and a power of ten, so that two spellings of one number are equal. */
function decimal(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = `${whole}${fraction}`.replace(/^(-?)0+/, '$1');
  const significant = withoutTrailingZeros(digits);
  return `${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end--;
  return digits.slice(0, end);
}
