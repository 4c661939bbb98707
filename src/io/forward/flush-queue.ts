/** Something that holds back a write until the loop turn is over, in case the end comes with it. */
export interface Flushable {
  flush(): void;
}

/**
 * Collects what is held back in one turn of the event loop and flushes it in the check phase of the same turn: everything that one read of
 * the sockets brought has been handled by then, so a message and its end leave together, and nothing waits for a timer.
 * (Node runs nextTicks and microtasks between the DATA and the END_STREAM of one read, so those come too early.)
 */
export class FlushQueue {
  #due: Flushable[] = [];
  readonly #run = (): void => {
    const due = this.#due;
    this.#due = [];
    for (const item of due) item.flush();
  };

  add(item: Flushable): void {
    this.#due.push(item);
    if (this.#due.length === 1) setImmediate(this.#run);
  }
}
