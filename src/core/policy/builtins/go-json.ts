import { compareStrings } from '../term-order.ts';
import type { Term } from '../term.ts';

/** How Go's `json.MarshalIndent` lays JSON out: each line but the first begins with `prefix`, then `indent` for each level. */
export type Layout = { readonly prefix: string; readonly indent: string };

const HTML = /[<>&\u2028\u2029]/g;

/** A value of JSON kinds as Go's `json.Marshal` writes it: keys in order, `<`, `>`, `&`, U+2028 and U+2029 escaped, numbers as they are. */
export function goJson(term: Term, layout?: Layout): string {
  return write(term, layout, 0);
}

/** A string as Go's `json.Marshal` writes it. */
export function goJsonString(value: string): string {
  return JSON.stringify(value).replaceAll(HTML, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function write(term: Term, layout: Layout | undefined, depth: number): string {
  switch (term.kind) {
    case 'string':
      return goJsonString(term.value);
    case 'number':
      return term.text;
    case 'array':
    case 'set':
      return group(
        '[',
        ']',
        term.items.map((item) => write(item, layout, depth + 1)),
        layout,
        depth,
      );
    case 'object':
      return group('{', '}', fields(term.entries, layout, depth), layout, depth);
    case 'boolean':
      return String(term.value);
    case 'null':
      return 'null';
    default:
      return term satisfies never;
  }
}

function fields(entries: readonly (readonly [Term, Term])[], layout: Layout | undefined, depth: number): string[] {
  const named = entries.flatMap(([key, value]) => (key.kind === 'string' ? [{ name: key.value, value }] : []));
  named.sort((a, b) => compareStrings(a.name, b.name));
  const colon = layout === undefined ? ':' : ': ';
  return named.map(({ name, value }) => `${goJsonString(name)}${colon}${write(value, layout, depth + 1)}`);
}

function group(open: string, close: string, parts: string[], layout: Layout | undefined, depth: number): string {
  if (layout === undefined || parts.length === 0) return `${open}${parts.join(',')}${close}`;
  const outer = `\n${layout.prefix}${layout.indent.repeat(depth)}`;
  return `${open}${outer}${layout.indent}${parts.join(`,${outer}${layout.indent}`)}${outer}${close}`;
}
