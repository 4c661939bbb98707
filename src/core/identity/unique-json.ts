import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/**
 * Reads JSON (RFC 8259) in which no object names a key twice, since two readers may take different ones of two, nested at most `maxDepth` levels. Whole
 * numbers written as digits only are bigints, so that none is rounded; all others are numbers. Time grows with the length of `text`, which is to be bounded
 * before. Never throws.
 */
export function parseUniqueJson(text: string, maxDepth: number): Result<unknown, string> {
  const wrong = flaw(text, maxDepth);
  if (wrong !== undefined) return err(wrong);
  try {
    return ok(JSON.parse(text, exactIntegers as (key: string, value: unknown) => unknown));
  } catch {
    return err('not JSON');
  }
}

const exactIntegers: Reviver = (_key, value, { source = '' }) =>
  typeof value === 'number' && /^-?\d{1,40}$/.test(source) ? BigInt(source) : value;

/** Too deep, or a key twice. Looked for before the text is parsed, as the parser's reviver recurses; what is no JSON is left to the parser. */
function flaw(text: string, maxDepth: number): string | undefined {
  const open: Set<string>[] = [];
  let string = '';
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (char === '"') {
      const end = endOfString(text, index);
      string = text.slice(index, end);
      index = end - 1;
    } else if (char === '{' || char === '[') {
      if (open.push(new Set()) > maxDepth) return `nested deeper than ${maxDepth} levels`;
    } else if (char === '}' || char === ']') open.pop();
    else if (char === ':' && !addKey(open.at(-1), string)) return 'a key stands twice in one object';
  }
  return undefined;
}

/** Index after the quote that ends the string that begins at `start`; after the text where there is none. */
function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index += 1) {
    const char = text.charCodeAt(index);
    if (char === 0x5c) index += 1;
    else if (char === 0x22) return index + 1;
  }
  return text.length;
}

/** False where the key is there. Keys are compared as they are meant: one may be written in several ways. */
function addKey(keys: Set<string> | undefined, token: string): boolean {
  const key = decoded(token);
  if (keys === undefined) return true;
  const fresh = !keys.has(key);
  keys.add(key);
  return fresh;
}

function decoded(token: string): string {
  try {
    return JSON.parse(token) as string;
  } catch {
    return token;
  }
}
