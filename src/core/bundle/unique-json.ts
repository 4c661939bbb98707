import { err, ok } from '../kernel/result.ts';
import { parseExactJson } from './exact-json.ts';
import { show } from './fault.ts';
import { endOfString, skipSpace } from './json-scan.ts';

import type { Result } from '../kernel/result.ts';
import type { ExactJson } from './exact-json.ts';

/**
 * Reads JSON in which no object names a key twice (RFC 7515 section 4, RFC 7519 section 4: two readers may take different ones of two). A text says what is wrong.
 * Nesting deeper than 256 levels is refused. Numbers are exact.
 */
export function parseUniqueJson(text: string): Result<ExactJson, string> {
  const parsed = parseExactJson(text);
  if (parsed === undefined) return err('not JSON, or nested deeper than 256 levels');
  const twice = duplicateKey(text);
  return twice === undefined ? ok(parsed.value) : err(`the key ${show(twice)} stands twice in one object`);
}

/** The first key that an object has twice; `text` is sound JSON. */
function duplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(undefined);
    else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const end = endOfString(text, index);
      const keys = isKey(text, end) ? open.at(-1) : undefined;
      const key = keys === undefined ? '' : (JSON.parse(text.slice(index, end)) as string);
      if (keys?.has(key) === true) return key;
      keys?.add(key);
      index = end - 1;
    }
  }
  return undefined;
}

/** True where a colon follows: in sound JSON only a key has one. */
function isKey(text: string, end: number): boolean {
  return text[skipSpace(text, end)] === ':';
}
