import { BuiltinError } from './builtin.ts';
import { NULL, arr, bool, num, str } from './term.ts';
import type { Term } from './term.ts';

const MAX_DEPTH = 512;
const NUMBER = /-?\.?[0-9][0-9.eE+-]*/y;
/** A literal `.5` of a policy keeps its spelling, which the module writes but does not read. */
const BARE_FRACTION = /^-?(?=\.)/;
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y;

/**
 * Reads what `opa_value_dump` writes: JSON, and beside it `set()`, `{1, 2}` and object keys of any kind. The text comes from the module, so it is read
 * like any input: bounded in depth, and a BuiltinError where it is something else.
 */
export function parseTerm(text: string): Term {
  const reader = new TermReader(text);
  const term = reader.term(0);
  if (reader.at !== text.length) throw new BuiltinError('an argument is no value');
  return term;
}

class TermReader {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  term(depth: number): Term {
    if (depth > MAX_DEPTH) throw new BuiltinError('an argument is nested too deeply');
    switch (this.text.charAt(this.at)) {
      case '"':
        return str(JSON.parse(this.match(STRING)) as string);
      case '[':
        return this.array(depth);
      case '{':
        return this.braces(depth);
      case 'n':
        return this.word('null', NULL);
      case 't':
        return this.word('true', bool(true));
      case 'f':
        return this.word('false', bool(false));
      case 's':
        return this.word('set()', { kind: 'set', items: [] });
      default:
        return num(this.match(NUMBER));
    }
  }

  /** `{}` is the empty object, `{a, b}` a set, `{a: b}` an object. */
  private braces(depth: number): Term {
    if (this.text[this.at + 1] === '}') return this.word('{}', { kind: 'object', entries: [] });
    this.at += 1;
    const first = this.term(depth + 1);
    if (this.text[this.at] !== ':') return { kind: 'set', items: this.rest([first], '}', depth) };
    const entries: [Term, Term][] = [[first, this.value(depth)]];
    while (this.text[this.at] !== '}') {
      this.take(', ');
      entries.push([this.term(depth + 1), this.value(depth)]);
    }
    this.at += 1;
    return { kind: 'object', entries };
  }

  private value(depth: number): Term {
    this.take(': ');
    return this.term(depth + 1);
  }

  private array(depth: number): Term {
    if (this.text[this.at + 1] === ']') return this.word('[]', arr([]));
    this.at += 1;
    return arr(this.rest([this.term(depth + 1)], ']', depth));
  }

  /** The elements after the first, up to `close`. */
  private rest(items: Term[], close: string, depth: number): Term[] {
    while (this.text[this.at] !== close) {
      this.take(', ');
      items.push(this.term(depth + 1));
    }
    this.at += 1;
    return items;
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) throw new BuiltinError('an argument is no value');
    this.at += found.length;
    return found;
  }

  private word(word: string, term: Term): Term {
    this.take(word);
    return term;
  }

  private take(text: string): void {
    if (!this.text.startsWith(text, this.at)) throw new BuiltinError('an argument is no value');
    this.at += text.length;
  }
}

/** Writes a value for `opa_value_parse`. */
export function termText(term: Term): string {
  switch (term.kind) {
    case 'null':
      return 'null';
    case 'boolean':
      return String(term.value);
    case 'number':
      return term.text.replace(BARE_FRACTION, '$&0');
    case 'string':
      if (!term.value.isWellFormed()) throw new BuiltinError('the result holds text that is no Unicode');
      return JSON.stringify(term.value);
    case 'array':
      return `[${term.items.map(termText).join(',')}]`;
    case 'set':
      return term.items.length === 0 ? 'set()' : `{${term.items.map(termText).join(',')}}`;
    case 'object':
      return `{${term.entries.map(([key, value]) => `${termText(key)}:${termText(value)}`).join(',')}}`;
    default:
      return term satisfies never;
  }
}
