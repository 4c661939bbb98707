import { RE2JS, RE2JSException } from 're2js';

import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { MeteredText } from './metered-text.ts';
import { patternSize } from './pattern-size.ts';

/** Where a match and its groups lie: `[start, end, start of group 1, end of group 1, …]` in UTF-16 units, -1 for a group that took no part. */
export type Match = readonly number[];

/** Steps of compiling one instruction of a program. */
const COMPILE_STEPS = 30_000;
/** Programs that are remembered, and the largest of these. A pure memo: what a call costs does not depend on it. */
const MAX_REMEMBERED = 64;
const MAX_REMEMBERED_SIZE = 2_000;
const MAX_MATCHES = 1_000_000;

const NAMED_GROUP = /(\(\?P?<)([\p{L}\p{Nd}_]+)>/gu;
const SUFFIX = '__again__';

const remembered = new Map<string, Regex>();

/**
 * A regular expression as Go's `regexp` has it: RE2 syntax, leftmost-first matches, linear time. The engine is a port of Go's; it reads text through
 * a `MeteredText`, so that what it does is charged while it does it. Its lazy DFA and its search for literals ahead are not used: the first takes up to
 * 8 MB a pattern, the second reads text that nobody counts.
 */
export class Regex {
  readonly #engine: ReturnType<RE2JS['re2']>;
  readonly #names: readonly (readonly [string, number])[];

  private constructor(pattern: string) {
    const unique = uniqueNames(pattern);
    const compiled = RE2JS.compile(unique);
    this.#engine = compiled.re2();
    this.#engine.prefilter = null;
    const original = (name: string): string => (unique === pattern ? name : (name.split(SUFFIX)[0] ?? name));
    this.#names = Object.entries(compiled.namedGroups()).map(([name, index]) => [original(name), index]);
  }

  /** Compiles a pattern; BuiltinError where RE2 refuses it. */
  static of(pattern: string, context: BuiltinContext): Regex {
    const size = patternSize(pattern);
    context.charge(size * COMPILE_STEPS);
    const known = remembered.get(pattern);
    if (known !== undefined) return known;
    const regex = compile(pattern);
    if (size <= MAX_REMEMBERED_SIZE) {
      if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value ?? '');
      remembered.set(pattern, regex);
    }
    return regex;
  }

  /** Compiles a pattern that is paid for; throws what the engine throws. */
  static open(pattern: string): Regex {
    return new Regex(pattern);
  }

  /** Instructions of the program. */
  get programSize(): number {
    return this.#engine.numberOfInstructions();
  }

  /** Numbers of the groups of that name: Go lets several have the same. */
  groups(name: string): readonly number[] {
    return this.#names.flatMap(([own, index]) => (own === name ? [index] : []));
  }

  /** The first match, without its groups. */
  test(text: string, context: BuiltinContext): boolean {
    return this.#first(new MeteredText(text, this.#engine, context), 0, 2) !== undefined;
  }

  /** Go's `FindAllStringSubmatchIndex`: successive matches; an empty one next to the one before is none. All where `limit` is negative. */
  all(text: string, limit: number, context: BuiltinContext): readonly Match[] {
    const input = new MeteredText(text, this.#engine, context);
    const found: Match[] = [];
    const most = limit < 0 ? MAX_MATCHES : limit;
    let at = 0;
    let before = -1;
    while (found.length < most && at <= text.length) {
      const match = this.#first(input, at, this.#engine.prog.numCap);
      if (match === undefined) break;
      const [start = 0, end = 0] = match;
      if (end !== at || start !== before) found.push(match);
      at = end === at ? at + input.width(at) : end;
      before = end;
    }
    return found;
  }

  #first(input: MeteredText, at: number, captures: number): Match | undefined {
    input.begin();
    const found: unknown = this.#engine.executeEngine(input, at, 0, captures);
    return Array.isArray(found) ? (found as Match) : undefined;
  }
}

/** The engine refuses two groups of one name, which Go allows: each but the first gets a suffix. */
function uniqueNames(pattern: string): string {
  const seen = new Map<string, number>();
  return pattern.replaceAll(NAMED_GROUP, (group, open: string, name: string) => {
    const before = seen.get(name) ?? 0;
    seen.set(name, before + 1);
    return before === 0 ? group : `${open}${name}${SUFFIX}${before}>`;
  });
}

function compile(pattern: string): Regex {
  try {
    return Regex.open(pattern);
  } catch (problem) {
    if (problem instanceof RE2JSException) throw new BuiltinError(`error parsing regexp: ${problem.message}`);
    throw problem;
  }
}
