import { err, ok } from '../kernel/result.ts';

import type { Result } from '../kernel/result.ts';

/**
 * JSON values with every lone surrogate (`"\ud800"`, which no UTF-8 can hold) replaced by U+FFFD, as OPA's reader does. Two keys of one object
 * that become one by that are refused with a text: which of them counts would depend on the reader.
 */
export function wellFormed(value: unknown): Result<unknown, string> {
  try {
    return ok(replaced(value));
  } catch (error) {
    return err(error instanceof Error ? error.message : 'not well-formed');
  }
}

function replaced(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(replaced);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) === null) return value;
  const members = Object.entries(value).map(([key, inner]) => [key.toWellFormed(), replaced(inner)] as const);
  const object: unknown = Object.fromEntries(members);
  if (Object.keys(object as object).length < members.length)
    throw new SyntaxError(
      'two keys of one object are read alike, because they hold lone surrogates; write whole characters',
    );
  return object;
}
