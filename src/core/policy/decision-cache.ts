/**
 * A bounded map from what a policy read to what it answered. Two generations: when the young one is full the old one is forgotten, so that a peer
 * that varies its requests can push out entries but never grow memory, and each look-up costs the same.
 */
export class DecisionCache<V> {
  readonly #limit: number;
  readonly #keyLimit: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  /** `entries`: at most this many are kept (in each of two generations); `keyLimit`: longer keys are not kept, in UTF-16 units. */
  constructor(entries: number, keyLimit: number) {
    this.#limit = entries;
    this.#keyLimit = keyLimit;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    if (key.length > this.#keyLimit) return;
    if (this.#young.size >= this.#limit) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  /** Entries of both generations. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
