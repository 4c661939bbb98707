import { createHash } from 'node:crypto';

import type { Result } from '../../core/kernel/result.ts';
import type { BuildFault } from './settings.ts';

/** Answers of the compiler by what it was asked. Those that it may give otherwise another time are not kept. */
export class BuildCache<T> {
  readonly #limit: number;
  readonly #kept = new Map<string, Promise<Result<T, BuildFault>>>();

  /** `limit`: entries; the least recently used leaves first. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#kept.size;
  }

  async get(key: string, make: () => Promise<Result<T, BuildFault>>): Promise<Result<T, BuildFault>> {
    const known = this.#kept.get(key) ?? make();
    this.#kept.delete(key);
    this.#kept.set(key, known);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#limit && oldest !== undefined) this.#kept.delete(oldest);
    const result = await known;
    if (!result.ok && result.error.again) this.#kept.delete(key);
    return result;
  }
}

/** SHA-256 of values that JSON can say, in lower-case hexadecimal. Files in any order are the same. */
export function digestOf(...content: readonly unknown[]): string {
  const text = JSON.stringify(content, (_key, value: unknown) =>
    value instanceof Map ? [...value].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)) : value,
  );
  return createHash('sha256').update(text).digest('hex');
}
