import type { Result } from '../kernel/result.ts';
import { jsonFlaw } from '../kernel/json-flaw.ts';
import { err, ok } from '../kernel/result.ts';

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/**
 * Reads JSON (RFC 8259) in which no object names a key twice, since two readers may take different ones of two, nested at most `maxDepth` levels. Whole
 * numbers written as digits only are bigints, so that none is rounded; all others are numbers. Time grows with the length of `text`, which is to be bounded
 * before. Never throws.
 */
export function parseUniqueJson(text: string, maxDepth: number): Result<unknown, string> {
  const wrong = jsonFlaw(text, maxDepth);
  if (wrong !== undefined) return err(wrong);
  try {
    return ok(JSON.parse(text, exactIntegers as (key: string, value: unknown) => unknown));
  } catch {
    return err('not JSON');
  }
}

const exactIntegers: Reviver = (_key, value, { source = '' }) =>
  typeof value === 'number' && /^-?\d{1,40}$/.test(source) ? BigInt(source) : value;
