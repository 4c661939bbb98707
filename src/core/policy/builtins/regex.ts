import { BuiltinError, MAX_TEXT, integerArg, stringArg } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { EvaluationHalt } from '../abort.ts';
import { arr, bool, str } from '../term.ts';
import type { Term } from '../term.ts';
import { globsIntersect } from './glob-intersection.ts';
import { Regex } from './re2.ts';
import type { Match } from './re2.ts';

/** A reference in a replacement: `$$`, `$name`, `${name}`; names are letters, digits and underscores (Go `Regexp.Expand`). */
const REFERENCE = /\$(?:(\$)|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu;

/** Go's `Regexp.FindAllString`. */
function findN(args: readonly Term[], context: BuiltinContext): Term {
  const pattern = stringArg(args, 0);
  const text = stringArg(args, 1);
  const limit = Number(integerArg(args, 2));
  const found = Regex.of(pattern, context).all(text, limit, context);
  return arr(found.map(([start, end]) => str(text.slice(start, end))));
}

/** Go's `Regexp.Split` without a limit. */
function split(args: readonly Term[], context: BuiltinContext): Term {
  const pattern = stringArg(args, 0);
  const text = stringArg(args, 1);
  const found = Regex.of(pattern, context).all(text, -1, context);
  if (pattern !== '' && text === '') return arr([str('')]);
  const parts: string[] = [];
  let from = 0;
  let to = 0;
  for (const [start = 0, end = 0] of found) {
    to = start;
    if (end !== 0) parts.push(text.slice(from, to));
    from = end;
  }
  if (to !== text.length) parts.push(text.slice(from));
  return arr(parts.map(str));
}

/** Go's `Regexp.ReplaceAllString`. Text first, pattern second. */
function replace(args: readonly Term[], context: BuiltinContext): Term {
  const text = stringArg(args, 0);
  const pattern = stringArg(args, 1);
  const replacement = stringArg(args, 2);
  const regex = Regex.of(pattern, context);
  let result = '';
  let from = 0;
  for (const match of regex.all(text, -1, context)) {
    const [start = 0, end = 0] = match;
    context.charge(replacement.length * 400);
    result += text.slice(from, start) + expand(replacement, regex, match, text);
    if (result.length > MAX_TEXT)
      throw new EvaluationHalt('policy_memory_exceeded', 'the result of regex.replace is too large');
    from = end;
  }
  return str(result + text.slice(from));
}

function expand(replacement: string, regex: Regex, match: Match, text: string): string {
  if (!replacement.includes('$')) return replacement;
  return replacement.replaceAll(REFERENCE, (_, dollar?: string, plain?: string, braced?: string) => {
    if (dollar !== undefined) return '$';
    const name = plain ?? braced ?? '';
    const groups = /^(?:0|[1-9][0-9]{0,8})$/.test(name) ? [Number(name)] : regex.groups(name);
    const group = groups.find((index) => (match[2 * index] ?? -1) >= 0);
    return group === undefined ? '' : text.slice(match[2 * group], match[2 * group + 1]);
  });
}

/** `regex.template_match`: a text with patterns between delimiters, each of one byte, against the whole of another. */
function templateMatch(args: readonly Term[], context: BuiltinContext): Term {
  const [template, text, open, close] = [0, 1, 2, 3].map((index) => stringArg(args, index)) as [
    string,
    string,
    string,
    string,
  ];
  for (const delimiter of [open, close]) {
    if (delimiter.length !== 1 || delimiter > '\u007f')
      throw new BuiltinError('a delimiter has to be one character long');
  }
  let pattern = '^';
  let from = 0;
  for (const [start, end] of delimited(template, open, close)) {
    const part = template.slice(start + 1, end - 1);
    Regex.of(`^${part}$`, context);
    pattern += `${quoteMeta(template.slice(from, start))}(${part})`;
    from = end;
  }
  return bool(Regex.of(`${pattern}${quoteMeta(template.slice(from))}$`, context).test(text, context));
}

/** Outermost pairs of delimiters. Where both are the same character it only ever opens, and is never balanced. */
function delimited(template: string, open: string, close: string): (readonly [number, number])[] {
  const found: [number, number][] = [];
  let level = 0;
  let from = 0;
  for (let at = 0; at < template.length; at += 1) {
    if (template[at] === open) {
      level += 1;
      if (level === 1) from = at;
    } else if (template[at] === close) {
      level -= 1;
      if (level === 0) found.push([from, at + 1]);
      if (level < 0) break;
    }
  }
  if (level !== 0) throw new BuiltinError('unbalanced braces');
  return found;
}

/** Go's `regexp.QuoteMeta`. */
function quoteMeta(text: string): string {
  return text.replaceAll(/[\\.+*?()|[\]{}^$]/g, String.raw`\$&`);
}

/** Regular expressions that OPA does not compile into the module. RE2 (golang.org/s/re2syntax), without back-tracking. */
export const REGEX_BUILTINS: Readonly<Record<string, Builtin>> = {
  'regex.find_n': { arity: 3, call: findN },
  'regex.split': { arity: 2, call: split },
  'regex.replace': { arity: 3, call: replace },
  'regex.template_match': { arity: 4, call: templateMatch },
  'regex.globs_match': {
    arity: 2,
    call: (args, context) => bool(globsIntersect(stringArg(args, 0), stringArg(args, 1), context)),
  },
};
