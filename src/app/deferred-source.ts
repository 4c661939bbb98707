import type { Source } from '../io/sources/follower.ts';
import { reasonOf, type Problems } from '../io/sources/problem.ts';

/** A source whose maker has to read something first: it is made when it is started. What the maker throws is its problem, until a reload goes well. */
export function deferredSource<T>(
  make: () => Promise<Source<T>>,
  onProblem: (problem: Problems | undefined) => void,
): Source<T> {
  return new DeferredSource(make, onProblem);
}

class DeferredSource<T> implements Source<T> {
  readonly #make: () => Promise<Source<T>>;
  readonly #onProblem: (problem: Problems | undefined) => void;
  #inner: Source<T> | undefined;
  #problem: Problems | undefined;
  #stopped = false;
  #starting: Promise<void> | undefined;

  constructor(make: () => Promise<Source<T>>, onProblem: (problem: Problems | undefined) => void) {
    this.#make = make;
    this.#onProblem = onProblem;
  }

  get current(): T | undefined {
    return this.#inner?.current;
  }

  get problem(): Problems | undefined {
    return this.#inner?.problem ?? this.#problem;
  }

  /** One start at a time: a second source would go on, unknown to whoever stops this one. */
  start(): Promise<void> {
    this.#starting ??= this.#start().finally(() => (this.#starting = undefined));
    return this.#starting;
  }

  async #start(): Promise<void> {
    try {
      const inner = await this.#make();
      if (this.#stopped) return;
      this.#inner = inner;
      if (this.#problem !== undefined) this.#onProblem((this.#problem = undefined));
      await inner.start();
    } catch (error) {
      this.#onProblem((this.#problem = [reasonOf(error)]));
    }
  }

  reload(): Promise<void> {
    return this.#inner === undefined ? this.start() : this.#inner.reload();
  }

  stop(): void {
    this.#stopped = true;
    this.#inner?.stop();
  }
}
