type Question<T> = {
  readonly awaited: Set<number>;
  readonly got: T[];
  readonly done: (answers: readonly T[]) => void;
};

/** Questions to several threads at once, each over when all have answered that are still there. */
export class Answers<T> {
  readonly #open = new Map<number, Question<T>>();
  #next = 0;

  /** Asks `threads` by `send`, with the number that their answers name. Resolves with what was answered; threads that end do not. */
  ask(threads: readonly number[], send: (thread: number, question: number) => void): Promise<readonly T[]> {
    const { promise, resolve } = Promise.withResolvers<readonly T[]>();
    const question = this.#next;
    this.#next += 1;
    this.#open.set(question, { awaited: new Set(threads), got: [], done: resolve });
    for (const thread of threads) send(thread, question);
    this.#settle(question);
    return promise;
  }

  answered(thread: number, question: number, answer: T): void {
    const open = this.#open.get(question);
    if (open?.awaited.delete(thread) !== true) return;
    open.got.push(answer);
    this.#settle(question);
  }

  /** A thread ended: nobody waits for it any more. */
  gone(thread: number): void {
    for (const [question, { awaited }] of this.#open) if (awaited.delete(thread)) this.#settle(question);
  }

  #settle(question: number): void {
    const open = this.#open.get(question);
    if (open === undefined || open.awaited.size > 0) return;
    this.#open.delete(question);
    open.done(open.got);
  }
}
