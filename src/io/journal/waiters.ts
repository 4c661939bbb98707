import type { Timer } from '../../core/kernel/clock.ts';

type Waiter = { readonly done: (reserved: boolean) => void; readonly until: number };

/** Requests that wait for room, first come, first served; all wait equally long, so one timer for the first of them is enough. */
export class Waiters {
  readonly #waitMs: number;
  readonly #most: number;
  readonly #timer: Timer;
  readonly #nowMs: () => number;
  /** In the order of arrival, which a `Set` keeps. */
  readonly #waiting = new Set<Waiter>();
  #cancel: (() => void) | undefined;

  /** `nowMs`: a monotonic clock. At most `most` wait; more are turned away at once. */
  constructor(waitMs: number, most: number, timer: Timer, nowMs: () => number) {
    this.#waitMs = waitMs;
    this.#most = most;
    this.#timer = timer;
    this.#nowMs = nowMs;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** Calls back once: from `serve`, with true, or with false when the wait is over. */
  add(done: (reserved: boolean) => void): void {
    if (this.#waiting.size >= this.#most || this.#waitMs === 0) {
      done(false);
      return;
    }
    this.#waiting.add({ done, until: this.#nowMs() + this.#waitMs });
    if (this.#cancel === undefined) this.#arm();
  }

  /** Serves those who wait for as long as `take` finds room for one more. */
  serve(take: () => boolean): void {
    for (const waiter of this.#waiting) {
      if (!take()) return;
      this.#answer(waiter, true);
    }
    this.#disarm();
  }

  /** Turns everybody away. */
  dismiss(): void {
    this.#disarm();
    for (const waiter of this.#waiting) this.#answer(waiter, false);
  }

  #answer(waiter: Waiter, reserved: boolean): void {
    this.#waiting.delete(waiter);
    waiter.done(reserved);
  }

  #arm(): void {
    for (const first of this.#waiting) {
      this.#cancel = this.#timer(Math.max(0, first.until - this.#nowMs()), () => this.#expire());
      return;
    }
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #expire(): void {
    this.#cancel = undefined;
    const now = this.#nowMs();
    for (const waiter of this.#waiting) {
      if (waiter.until > now) break;
      this.#answer(waiter, false);
    }
    if (this.#cancel === undefined) this.#arm();
  }
}
