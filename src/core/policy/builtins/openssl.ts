import { BuiltinError } from '../builtin.ts';

/**
 * Does what node:crypto does with keys that somebody sent: what OpenSSL refuses (a key that is too short for a hash, say) is an error of the built-in, never
 * the end of the decision, and its text, which may tell of the key, is dropped.
 */
export function byOpenssl<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch {
    throw new BuiltinError(what);
  }
}
