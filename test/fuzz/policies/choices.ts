import fc from 'fast-check';

/**
 * A tape of small numbers that a generator reads its decisions from. The end of the tape reads as zeros, and zero is everywhere the simplest choice, so
 * every generator ends, and cutting or zeroing a tape, which is how fast-check shrinks, gives a simpler policy.
 */
export class Choices {
  readonly #tape: readonly number[];
  #at = 0;

  constructor(tape: readonly number[]) {
    this.#tape = tape;
  }

  /** A number from 0 to `below` - 1. */
  upTo(below: number): number {
    const drawn = this.#tape[this.#at] ?? 0;
    this.#at += 1;
    return drawn % below;
  }

  /** One of several, the first being the simplest. */
  of<T>(first: T, ...others: readonly T[]): T {
    return [first, ...others][this.upTo(others.length + 1)] ?? first;
  }

  /** True once in `times`; false at the end of the tape. */
  once(times: number): boolean {
    return this.upTo(times) === times - 1;
  }

  /** As many as are drawn, from `least` to `most`. */
  some<T>(least: number, most: number, make: (index: number) => T): T[] {
    return Array.from({ length: least + this.upTo(most - least + 1) }, (_, index) => make(index));
  }
}

/** Tapes for one policy with its inputs. */
export const tapes: fc.Arbitrary<number[]> = fc.noBias(fc.array(fc.nat(9999), { minLength: 100, maxLength: 600 }));
