import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';

/** Characters that a token stands for: ranges of code points, or any. */
type Ranges = readonly (readonly [number, number])[];
type Token = { readonly kind: 'character' | 'any' | 'set'; readonly ranges: Ranges; readonly flag: '' | '+' | '*' };
type Glob = readonly Token[];

/** Steps of matching one token with another, for each pair of ranges. */
const MATCH_STEPS = 1_000;
const DASH = '-';

/**
 * `regex.globs_match`: whether a text could match both of two globs, which have characters, `.`, sets `[a-z]`, `+`, `*` and `\`. As OPA answers, by a
 * search from the left that misses some texts: `a*b*` and `a` do not match here either. Its search takes exponential time; this one remembers
 * what it has found for each pair of places.
 */
export function globsIntersect(left: string, right: string, context: BuiltinContext): boolean {
  const globs = [simplified(readGlob(left)), simplified(readGlob(right))] as const;
  const trimmed = trim(globs[0], globs[1], context);
  return trimmed !== undefined && new Search(trimmed[0], trimmed[1], context).normal(0, 0, false);
}

/** One question of the search: do the rest of one glob and the rest of the other intersect. */
class Search {
  readonly #globs: readonly [Glob, Glob];
  readonly #context: BuiltinContext;
  readonly #known = new Map<string, boolean>();
  #depth = 0;

  constructor(left: Glob, right: Glob, context: BuiltinContext) {
    this.#globs = [left, right];
    this.#context = context;
  }

  /** From place `i` of one glob and `j` of the other; `swapped` says that `i` is a place of the right one. */
  normal(i: number, j: number, swapped: boolean): boolean {
    const [one, other] = this.#ordered(swapped);
    for (; i < one.length && j < other.length; i += 1, j += 1) {
      const a = one[i] as Token;
      const b = other[j] as Token;
      if (a.flag !== '') return this.#special(a.flag, i, j, swapped);
      if (b.flag !== '') return this.#special(b.flag, j, i, !swapped);
      if (!matches(a, b, this.#context)) return false;
    }
    return i === one.length && j === other.length;
  }

  /** From a token with a flag at `i`. */
  #special(flag: '+' | '*', i: number, j: number, swapped: boolean): boolean {
    const key = `${flag} ${i} ${j} ${swapped}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#depth += 1;
    if (this.#depth > 500) throw new BuiltinError('the globs are too long');
    const answer = flag === '+' ? this.#plus(i, j, swapped) : this.#star(i, j, swapped);
    this.#depth -= 1;
    this.#known.set(key, answer);
    return answer;
  }

  #plus(i: number, j: number, swapped: boolean): boolean {
    const [one, other] = this.#ordered(swapped);
    const next = other[j] as Token;
    if (!matches(one[i] as Token, next, this.#context)) return false;
    return this.#star(i, j + 1, swapped) || (next.flag !== '' && this.normal(i + 1, j, swapped));
  }

  #star(i: number, j: number, swapped: boolean): boolean {
    const [one, other] = this.#ordered(swapped);
    const star = one[i] as Token;
    const after = one[i + 1];
    for (let at = j; at < other.length; at += 1) {
      const token = other[at] as Token;
      const goesOn = after !== undefined && matches(token, after, this.#context);
      if (goesOn && this.normal(i + 1, at, swapped)) return true;
      if (!matches(token, star, this.#context)) return false;
    }
    return after === undefined;
  }

  #ordered(swapped: boolean): readonly [Glob, Glob] {
    return swapped ? [this.#globs[1], this.#globs[0]] : this.#globs;
  }
}

/** Takes away what is alike at both ends, up to the first flag, and leaves one token of it; undefined where the ends differ. */
function trim(left: Glob, right: Glob, context: BuiltinContext): readonly [Glob, Glob] | undefined {
  let from = 0;
  for (; plain(left[from]) && plain(right[from]); from += 1) {
    if (!matches(left[from] as Token, right[from] as Token, context)) return undefined;
  }
  if (from > 0) from -= 1;
  let a = left.length - 1;
  let b = right.length - 1;
  for (; a >= from && b >= from && plain(left[a]) && plain(right[b]); a -= 1, b -= 1) {
    if (!matches(left[a] as Token, right[b] as Token, context)) return undefined;
  }
  const kept = a < left.length - 1 ? 1 : 0;
  return [left.slice(from, a + kept + 1), right.slice(from, b + kept + 1)];
}

function plain(token: Token | undefined): boolean {
  return token?.flag === '';
}

function matches(a: Token, b: Token, context: BuiltinContext): boolean {
  context.charge(MATCH_STEPS * Math.max(a.ranges.length * b.ranges.length, 1));
  if (a.kind === 'any' || b.kind === 'any') return true;
  return a.ranges.some(([low, high]) => b.ranges.some(([from, to]) => low <= to && from <= high));
}

/** Tokens with a flag that stand for the same are one. */
function simplified(tokens: Glob): Glob {
  const simple: Token[] = [];
  for (const token of tokens) {
    const latest = simple.at(-1);
    if (latest !== undefined && latest.flag !== '' && token.flag !== '' && same(latest, token)) {
      simple[simple.length - 1] = { ...latest, flag: token.flag === '+' ? '+' : latest.flag };
    } else simple.push(token);
  }
  return simple;
}

function same(a: Token, b: Token): boolean {
  return a.kind === b.kind && JSON.stringify(normal(a.ranges)) === JSON.stringify(normal(b.ranges));
}

/** The same set in one way: in order, without overlaps or neighbours. */
function normal(ranges: Ranges): Ranges {
  const joined: [number, number][] = [];
  for (const [low, high] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const latest = joined.at(-1);
    if (latest !== undefined && low <= latest[1] + 1) latest[1] = Math.max(latest[1], high);
    else joined.push([low, high]);
  }
  return joined;
}

type Reader = { readonly chars: readonly string[]; at: number };

function readGlob(text: string): Glob {
  const reader: Reader = { chars: Array.from(text), at: 0 };
  const tokens: Token[] = [];
  while (reader.at < reader.chars.length) {
    const token = readToken(reader);
    const flag = reader.chars[reader.at];
    if (flag === '+' || flag === '*') reader.at += 1;
    else if (flag === '\\') escapeFits(reader);
    tokens.push({ ...token, flag: flag === '+' || flag === '*' ? flag : '' });
  }
  return tokens;
}

function readToken(reader: Reader): Omit<Token, 'flag'> {
  const { char, escaped } = readCharacter(reader);
  const code = char.codePointAt(0) ?? 0;
  if (escaped) return { kind: 'character', ranges: [[code, code]] };
  if (char === '.') return { kind: 'any', ranges: [] };
  if (char === '[') return { kind: 'set', ranges: readSet(reader) };
  if (char === ']' || char === '+' || char === '*') throw invalid(reader);
  return { kind: 'character', ranges: [[code, code]] };
}

/** What stands between brackets. A range has to have a character before and after it. */
function readSet(reader: Reader): Ranges {
  const ranges: [number, number][] = [];
  let before: number | undefined;
  while (reader.at < reader.chars.length) {
    const { char, escaped } = readCharacter(reader);
    if (!escaped && char === ']') return ranges;
    const code = char.codePointAt(0) ?? 0;
    if (escaped || char !== DASH) {
      ranges.push([code, code]);
      before = code;
      continue;
    }
    if (before === undefined || reader.at >= reader.chars.length - 1) throw invalid(reader);
    const end = readCharacter(reader);
    const last = end.char.codePointAt(0) ?? 0;
    if ((!end.escaped && (end.char === ']' || end.char === DASH)) || last < before) throw invalid(reader);
    ranges.push([before, last]);
    before = undefined;
  }
  throw invalid(reader);
}

function readCharacter(reader: Reader): { readonly char: string; readonly escaped: boolean } {
  const char = reader.chars[reader.at] ?? '';
  if (char !== '\\') {
    reader.at += 1;
    return { char, escaped: false };
  }
  escapeFits(reader);
  reader.at += 2;
  return { char: reader.chars[reader.at - 1] ?? '', escaped: true };
}

function escapeFits(reader: Reader): void {
  if (reader.at >= reader.chars.length - 1) throw invalid(reader);
}

function invalid(reader: Reader): BuiltinError {
  return new BuiltinError(`the glob is not valid at character ${reader.at}`);
}
