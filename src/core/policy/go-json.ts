import { compareStrings, sorted } from './term-order.ts';
import type { Term } from './term.ts';

/**
 * A value as Go's `encoding/json` writes what OPA makes of it (`ast.JSON`): without white space, keys in order of their bytes, a set as an array, a key
 * that is no string as its own JSON, and `<`, `>`, `&`, U+2028 and U+2029 escaped.
 */
export function goJson(term: Term): string {
  switch (term.kind) {
    case 'null':
      return 'null';
    case 'boolean':
      return String(term.value);
    case 'number':
      return term.text;
    case 'string':
      return goJsonString(term.value);
    case 'array':
      return `[${term.items.map(goJson).join(',')}]`;
    case 'set':
      return `[${sorted(term.items).map(goJson).join(',')}]`;
    case 'object':
      return objectJson(term.entries);
    default:
      return term satisfies never;
  }
}

function objectJson(entries: readonly (readonly [Term, Term])[]): string {
  const named = new Map(entries.map(([key, value]) => [key.kind === 'string' ? key.value : goJson(key), value]));
  const ordered = [...named].toSorted(([a], [b]) => compareStrings(a, b));
  return `{${ordered.map(([key, value]) => `${goJsonString(key)}:${goJson(value)}`).join(',')}}`;
}

/** A string as Go's encoder writes it. */
export function goJsonString(value: string): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
