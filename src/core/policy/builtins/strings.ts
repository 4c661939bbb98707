import { BuiltinError, integerArg, stringArg, stringsArg } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { arr, bool, num, str } from '../term.ts';
import type { Term } from '../term.ts';

/** Steps of comparing one string with one affix, and one character of them. */
const COMPARE_STEPS = 400;
const AFFIX_STEPS = 4;
/** Steps of putting a backslash before one character. */
const QUOTE_STEPS = 3_000;
/** Steps of comparing one character where positions are sought. */
const SEEK_STEPS = 120;

/** `strings.any_prefix_match`, `strings.any_suffix_match`: one string or a collection against one affix or a collection. */
function anyMatch(matches: (text: string, affix: string) => boolean): Builtin['call'] {
  return (args, context) => {
    const texts = oneOrMore(args, 0);
    const affixes = oneOrMore(args, 1);
    const characters = Math.min(lengthOf(texts) * affixes.length, lengthOf(affixes) * texts.length);
    context.charge(texts.length * affixes.length * COMPARE_STEPS + characters * AFFIX_STEPS);
    return bool(texts.some((text) => affixes.some((affix) => matches(text, affix))));
  };
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

function oneOrMore(args: readonly Term[], index: number): string[] {
  return args[index]?.kind === 'string' ? [stringArg(args, index)] : stringsArg(args, index);
}

/** Go's `strings.Count`: without overlaps; the empty string occurs before each character and at the end. */
function count(args: readonly Term[]): Term {
  const text = stringArg(args, 0);
  const part = stringArg(args, 1);
  return num(part === '' ? Array.from(text).length + 1 : text.split(part).length - 1);
}

/** `indexof_n`: all positions, overlaps included, in characters (code points). */
function indexOfN(args: readonly Term[], context: BuiltinContext): Term {
  const text = Array.from(stringArg(args, 0));
  const part = Array.from(stringArg(args, 1));
  if (part.length === 0) throw new BuiltinError('empty search character');
  const positions: Term[] = [];
  for (let at = 0; at + part.length <= text.length; at += 1) {
    let same = 0;
    while (same < part.length && text[at + same] === part[same]) same += 1;
    context.charge((same + 1) * SEEK_STEPS);
    if (same === part.length) positions.push(num(at));
  }
  return arr(positions);
}

/** `strings.split_n`: the first `n` parts, or the last `-n`. */
function splitN(args: readonly Term[]): Term {
  const text = stringArg(args, 0);
  const delimiter = stringArg(args, 1);
  const limit = integerArg(args, 2);
  const parts = delimiter === '' ? Array.from(text) : text.split(delimiter);
  return arr((limit >= 0n ? parts.slice(0, Number(limit)) : parts.slice(Number(limit))).map(str));
}

/** Characters with a meaning in a glob get a backslash before them. */
function quoteMeta(args: readonly Term[], context: BuiltinContext): Term {
  const text = stringArg(args, 0);
  context.charge(text.length * QUOTE_STEPS);
  return str(text.replaceAll(/[*?\\[\]{}]/g, String.raw`\$&`));
}

/** String functions that OPA does not compile into the module. */
export const STRING_BUILTINS: Readonly<Record<string, Builtin>> = {
  'strings.any_prefix_match': { arity: 2, call: anyMatch((text, affix) => text.slice(0, affix.length) === affix) },
  'strings.any_suffix_match': {
    arity: 2,
    call: anyMatch((text, affix) => text.length >= affix.length && text.slice(text.length - affix.length) === affix),
  },
  'strings.count': { arity: 2, call: count },
  'strings.split_n': { arity: 3, call: splitN },
  indexof_n: { arity: 2, call: indexOfN },
  'glob.quote_meta': { arity: 1, call: quoteMeta },
  trace: { arity: 1, call: (args) => bool(stringArg(args, 0).length >= 0) },
};
