import { backOffMs } from '../../core/kernel/back-off.ts';
import type { Clock, Random, Timer } from '../../core/kernel/clock.ts';
import type { Thread, ThreadHooks } from './thread.ts';

/** How one thread ended that nobody had told to. */
export type Ending = {
  readonly index: number;
  readonly reason: string;
  /** When another one takes its place, milliseconds from now. */
  readonly againMs: number;
};

export type SupervisorDeps<In, Out> = {
  readonly start: (index: number, hooks: ThreadHooks<Out>) => Thread<In>;
  /** A thread began, at first or in another's place: what it has to be told first. */
  readonly began: (index: number) => void;
  readonly message: (index: number, message: Out) => void;
  readonly ended: (ending: Ending) => void;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly random: Random;
};

/** The pause before a thread takes the place of one that ended: short, and longer the more often that happens in one place. */
const FIRST_AGAIN_MS = 100;
const LAST_AGAIN_MS = 30_000;

/** A thread that lived for so long did not end because it cannot start. */
const SOUND_MS = 60_000;

type Place<In> = { thread: Thread<In> | undefined; startedMs: number; failures: number };

/** Keeps a number of threads running: each has its place, and one that ends is replaced there. */
export class Supervisor<In, Out> {
  readonly #deps: SupervisorDeps<In, Out>;
  readonly #places: readonly Place<In>[];
  readonly #pauses = new Set<() => void>();
  #isStopping = false;

  constructor(count: number, deps: SupervisorDeps<In, Out>) {
    this.#deps = deps;
    this.#places = Array.from({ length: count }, () => ({ thread: undefined, startedMs: 0, failures: 0 }));
  }

  /** Starts the thread of one place; nothing where one runs there. */
  start(index: number): void {
    const place = this.#places[index];
    if (place === undefined || place.thread !== undefined || this.#isStopping) return;
    place.startedMs = this.#deps.clock.monotonicMs();
    try {
      place.thread = this.#deps.start(index, {
        message: (message) => this.#deps.message(index, message),
        ended: (reason) => this.#ended(index, place, reason),
      });
    } catch (error) {
      // The system has no thread to give (ERR_WORKER_INIT_FAILED): no reason to end those that run.
      this.#ended(index, place, String(error));
      return;
    }
    this.#deps.began(index);
  }

  /** To one thread, where it runs. */
  post(index: number, message: In): void {
    this.#places[index]?.thread?.post(message);
  }

  /** Places whose threads run. */
  get running(): readonly number[] {
    return this.#places.flatMap(({ thread }, index) => (thread === undefined ? [] : [index]));
  }

  /** From now on a thread that ends is not replaced. */
  stopReplacing(): void {
    this.#isStopping = true;
    for (const cancel of this.#pauses) cancel();
    this.#pauses.clear();
  }

  /** Ends one thread that does not do as it should. It is replaced, unless that is over. */
  async end(index: number): Promise<void> {
    await this.#places[index]?.thread?.end();
  }

  #ended(index: number, place: Place<In>, reason: string): void {
    place.thread = undefined;
    const lived = this.#deps.clock.monotonicMs() - place.startedMs;
    place.failures = lived >= SOUND_MS ? 1 : place.failures + 1;
    const againMs = backOffMs(place.failures, FIRST_AGAIN_MS, LAST_AGAIN_MS, this.#deps.random);
    this.#deps.ended({ index, reason, againMs });
    if (this.#isStopping) return;
    const cancel = this.#deps.timer(againMs, () => {
      this.#pauses.delete(cancel);
      this.start(index);
    });
    this.#pauses.add(cancel);
  }
}
