import { Composer, LineCounter, Parser } from 'yaml';

import { err, ok } from './result.ts';

import type { CST, Document } from 'yaml';
import type { Result } from './result.ts';

/** A fault of syntax, at a line and column counted from 1. */
export type YamlFault = { readonly line: number; readonly column: number; readonly message: string };

/** Where a byte offset of the text stands; lines and columns count from 1. */
export type Locate = (offset: number) => { readonly line: number; readonly column: number };

/** A document that parsed without faults or warnings, and how to find its nodes in the text. */
export type YamlText = { readonly document: Document.Parsed; readonly locate: Locate };

/** All documents of a text, in its order; an empty one is among them, as `null`. */
export type YamlStream = { readonly documents: readonly Document.Parsed[]; readonly locate: Locate };

/** Levels of nesting that are read. Enough for any sane document; the library's composer recurses, and would end the process far above. */
const MAX_DEPTH = 100;

/**
 * Reads one YAML 1.2 document (JSON is one as well). Duplicate keys, unknown tags, several documents and nesting deeper than 100 levels
 * are faults; all faults are reported together. `intAsBigInt` keeps every digit of whole numbers. Never throws. Bound the length of `text` before: time grows with it.
 */
export function parseBoundedYaml(
  text: string,
  options: { readonly intAsBigInt?: boolean } = {},
): Result<YamlText, readonly YamlFault[]> {
  const { documents, locate, faults } = compose(text, options);
  const [document, second] = documents;
  if (second !== undefined) {
    faults.push({ ...locate(second.range[0]), message: 'a second document begins here; one is expected' });
  }
  if (faults.length > 0 || document === undefined) return err(faults);
  return ok({ document, locate });
}

/** Reads a YAML 1.2 stream, which may hold several documents with `---` between them, by the same rules. */
export function parseBoundedYamlStream(text: string): Result<YamlStream, readonly YamlFault[]> {
  const { documents, locate, faults } = compose(text, {});
  return faults.length > 0 ? err(faults) : ok({ documents, locate });
}

type Composed = YamlStream & { readonly faults: YamlFault[] };

function compose(text: string, options: { readonly intAsBigInt?: boolean }): Composed {
  const lines = new LineCounter();
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const locate: Locate = (offset) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const deep = tooDeep(tokens, MAX_DEPTH);
  if (deep !== undefined) {
    return {
      documents: [],
      locate,
      faults: [{ ...locate(deep), message: `nesting is deeper than ${MAX_DEPTH} levels` }],
    };
  }
  const documents = [...new Composer({ prettyErrors: false, ...options }).compose(tokens, true, text.length)];
  const faults = documents
    .flatMap((document) => [...document.errors, ...document.warnings])
    .map((error) => ({ ...locate(error.pos[0]), message: error.message }));
  return { documents, locate, faults };
}

/** Offset of the first token found deeper than `limit` levels. Walks with a stack of its own: recursion is what it guards against. */
export function tooDeep(tokens: readonly CST.Token[], limit: number): number | undefined {
  const pending: { readonly token: CST.Token; readonly depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.depth > limit) return next.token.offset;
    for (const token of children(next.token)) pending.push({ token, depth: next.depth + 1 });
  }
  return undefined;
}

function children(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value === undefined ? [] : [token.value];
  if (!('items' in token)) return [];
  return token.items.flatMap((item) => [item.key, item.value].filter((part) => part !== undefined && part !== null));
}
