import { BuiltinError } from '../builtin.ts';
import { compareStrings, sorted, sortedEntries } from '../term-order.ts';
import { NULL, arr, bool, num, str } from '../term.ts';
import type { Term } from '../term.ts';
import { goJson } from './go-json.ts';

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** Deepest nesting of JSON text that is read: as deep as an argument may be. */
const MAX_DEPTH = 512;

/** Text that is no JSON. */
export class JsonError extends BuiltinError {}

/** A number of JSON text, with its digits. */
class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The value as JSON has it (OPA's `ast.JSON`): sets are arrays in order, keys that are no strings are their JSON text; of equal keys the last in order wins. */
export function jsonTerm(term: Term): Term {
  if (term.kind === 'array') return arr(term.items.map(jsonTerm));
  if (term.kind === 'set') return arr(sorted(term.items).map(jsonTerm));
  return term.kind === 'object' ? jsonObject(term.entries) : term;
}

function jsonObject(entries: readonly (readonly [Term, Term])[]): Term {
  const found = new Map<string, Term>();
  for (const [key, value] of entries.every(([name]) => name.kind === 'string') ? entries : sortedEntries(entries)) {
    found.set(key.kind === 'string' ? key.value : goJson(jsonTerm(key)), jsonTerm(value));
  }
  return record(found);
}

/** An object with these string keys. */
export function record(fields: Iterable<readonly [string, Term]>): Term {
  return { kind: 'object', entries: Array.from(fields, ([key, value]) => [str(key), value] as const) };
}

/** The members of an object whose keys are strings, in order of keys: where OPA walks a Go map its order is chance, and here it is this one. */
export function members(term: Term): ReadonlyMap<string, Term> {
  if (term.kind !== 'object') return new Map();
  const entries = term.entries.flatMap(([key, value]) => (key.kind === 'string' ? [[key.value, value] as const] : []));
  return new Map(entries.toSorted(([a], [b]) => compareStrings(a, b)));
}

/** Reads JSON text as Go's decoder does: of equal keys the last wins, half a surrogate pair is U+FFFD, every digit of a number is kept. */
export function parseJson(text: string): Term {
  if (isTooDeep(text)) throw new BuiltinError('JSON is nested too deeply');
  let value: unknown;
  try {
    value = JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown);
  } catch {
    throw new JsonError('invalid JSON string');
  }
  return termOf(value);
}

const keepDigits: Reviver = (_key, value, { source }) =>
  typeof value === 'number' ? new NumberText(source ?? String(value)) : value;

function termOf(value: unknown): Term {
  if (value === null) return NULL;
  if (typeof value === 'boolean') return bool(value);
  if (typeof value === 'string') return str(value.toWellFormed());
  if (value instanceof NumberText) return num(value.text);
  if (Array.isArray(value)) return arr(value.map(termOf));
  return record(Object.entries(value as object).map(([key, member]) => [key.toWellFormed(), termOf(member)]));
}

/** Counts brackets outside strings, before a recursive reader sees the text. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"?|[[\]{}]/gs)) {
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}
