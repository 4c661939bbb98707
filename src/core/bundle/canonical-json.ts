import { err, ok } from '../kernel/result.ts';
import { isTooDeep } from './exact-json.ts';
import { endOfString, endOfWord, skipSpace } from './json-scan.ts';

import type { Result } from '../kernel/result.ts';

/**
 * The text that OPA hashes for a JSON document (v1/bundle/hash.go): no spaces, keys in the order of their UTF-8 bytes, the last of equal keys,
 * numbers as they were written, strings with the escapes of Go's encoder without those for HTML, a lone surrogate as U+FFFD. A text says what is wrong.
 */
export function canonicalJson(text: string): Result<string, string> {
  if (isTooDeep(text)) return err('nested deeper than 256 levels');
  try {
    JSON.parse(text);
    return ok(new Canonicaliser(text).value());
  } catch (error) {
    return err(error instanceof Error ? error.message : 'not JSON');
  }
}

/** Walks text that is known to be sound: no value is built, so that large data costs little more than its text. */
class Canonicaliser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): string {
    this.#skip();
    const char = this.#text[this.#at];
    if (char === '{') return this.#object();
    if (char === '[') return this.#array();
    return char === '"' ? this.#string() : this.#word();
  }

  #object(): string {
    const members = new Map<string, string>();
    while (this.#next('}')) {
      const key = this.#string();
      this.#skip();
      this.#at += 1;
      members.set(key, this.value());
    }
    return canonicalObject(members);
  }

  #array(): string {
    const items: string[] = [];
    while (this.#next(']')) items.push(this.value());
    return `[${items.join(',')}]`;
  }

  /** Steps over what opens or separates, and stands before a member; false after the end. */
  #next(end: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== end) this.#at += 1;
    this.#skip();
    if (this.#text[this.#at] !== end) return true;
    this.#at += 1;
    return false;
  }

  #string(): string {
    const raw = this.#text.slice(this.#at, endOfString(this.#text, this.#at));
    this.#at += raw.length;
    return /[\\\u2028\u2029]/.test(raw) ? goString(JSON.parse(raw) as string) : raw;
  }

  #word(): string {
    const word = this.#text.slice(this.#at, endOfWord(this.#text, this.#at));
    this.#at += word.length;
    return word;
  }

  #skip(): void {
    this.#at = skipSpace(this.#text, this.#at);
  }
}

/** An object of canonical keys (as `goString` writes them) and values. */
export function canonicalObject(members: ReadonlyMap<string, string>): string {
  const sorted =
    members.size < 2
      ? [...members]
      : Array.from(members, ([key, value]) => ({ key, value, name: unquoted(key) }))
          .sort((a, b) => byCodePoint(a.name, b.name))
          .map(({ key, value }) => [key, value] as const);
  return `{${sorted.map(([key, value]) => `${key}:${value}`).join(',')}}`;
}

function unquoted(key: string): string {
  return key.includes('\\') ? (JSON.parse(key) as string) : key.slice(1, -1);
}

/** A string as Go's `json.Encoder` writes it with HTML escapes off: as `JSON.stringify`, but for two line separators. */
export function goString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

/** Order of UTF-8 bytes, which is that of code points: a surrogate stands for one above all others. */
function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}
