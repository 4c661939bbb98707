import { createHash } from 'node:crypto';

import type { Result } from '../../core/kernel/result.ts';
import type { BuildFault } from './settings.ts';

/** What is kept: `entries` answers, and of those that went well `bytes` in all. The least recently used leaves first. */
export type BuildCacheLimits = { readonly entries: number; readonly bytes: number };

type Kept<T> = { readonly answer: Promise<Result<T, BuildFault>>; bytes: number };

/** Answers of the compiler by what it was asked. Those that it may give otherwise another time are not kept. */
export class BuildCache<T> {
  readonly #limits: BuildCacheLimits;
  readonly #bytesOf: (value: T) => number;
  readonly #kept = new Map<string, Kept<T>>();
  #bytes = 0;

  /** `bytesOf`: what an answer weighs. Whoever writes policies chooses that: one of a hundred kilobytes compiles to megabytes. */
  constructor(limits: BuildCacheLimits, bytesOf: (value: T) => number) {
    this.#limits = limits;
    this.#bytesOf = bytesOf;
  }

  get size(): number {
    return this.#kept.size;
  }

  async get(key: string, make: () => Promise<Result<T, BuildFault>>): Promise<Result<T, BuildFault>> {
    const known = this.#kept.get(key) ?? { answer: make(), bytes: 0 };
    this.#kept.delete(key);
    this.#kept.set(key, known);
    this.#makeRoom();
    try {
      const result = await known.answer;
      if (!result.ok && result.error.again) this.#forget(key, known);
      else this.#weigh(key, known, result);
      return result;
    } catch (error) {
      this.#forget(key, known);
      throw error;
    }
  }

  #weigh(key: string, known: Kept<T>, result: Result<T, BuildFault>): void {
    if (!result.ok || known.bytes > 0 || this.#kept.get(key) !== known) return;
    known.bytes = this.#bytesOf(result.value);
    this.#bytes += known.bytes;
    this.#makeRoom();
  }

  #makeRoom(): void {
    for (const [key, kept] of this.#kept) {
      if (this.#kept.size <= this.#limits.entries && this.#bytes <= this.#limits.bytes) return;
      this.#forget(key, kept);
    }
  }

  #forget(key: string, known: Kept<T>): void {
    if (this.#kept.get(key) !== known) return;
    this.#kept.delete(key);
    this.#bytes -= known.bytes;
  }
}

/** SHA-256 of values that JSON can say, in lower-case hexadecimal. Files in any order are the same. */
export function digestOf(...content: readonly unknown[]): string {
  const text = JSON.stringify(content, (_key, value: unknown) =>
    value instanceof Map ? [...value].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)) : value,
  );
  return createHash('sha256').update(text).digest('hex');
}
