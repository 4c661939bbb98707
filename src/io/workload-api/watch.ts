import { backOffMs } from '../../core/kernel/back-off.ts';
import { openCall } from './call.ts';
import { parseEndpoint } from './endpoint.ts';
import { GRPC, showStatus } from './grpc-status.ts';
import { systemTimer } from './timer.ts';

import type { Clock, Random, Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Call, CallEnd } from './call.ts';
import type { Endpoint } from './endpoint.ts';

/** What a watch is to follow. */
export type WatchSubject<T> = {
  /** Address of the Workload API, as `parseEndpoint` reads it; undefined where none was named. */
  readonly socket: string | undefined;
  /** Path of the call. */
  readonly method: string;
  /** Reads and judges one message, at wall clock time. Never throws. */
  readonly read: (message: Uint8Array, atMs: number) => Result<T, string>;
};

export type WatchDeps<T> = {
  readonly clock: Clock;
  readonly random: Random;
  readonly timer?: Timer | undefined;
  /** The whole new state. */
  readonly onUpdate: (update: T) => void;
  /** Called with what is wrong whenever that changes, and with undefined when it is over. What came last stays in force meanwhile. */
  readonly onProblem: (problem: string | undefined) => void;
};

/** A stream of the Workload API that is followed for ever. */
export interface Watch {
  start(): void;
  /** Asks anew and at once, on a new connection; the way back after a fault that is not tried again. */
  reload(): void;
  stop(): Promise<void>;
}

/** Pauses between attempts that fail, milliseconds; go-spiffe's bounds. */
const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 30_000;

/** How long the first message may take, milliseconds; from then on silence is good news. */
const FIRST_MESSAGE_MS = 30_000;

/** A stream that gave a good message and lived this long is opened again at once; a shorter one would have us hammer a server that keeps ending it. */
const STEADY_MS = 1_000;

/** Asking again would not help (SPIFFE_Workload_Endpoint 6, SPIFFE_Workload_API 5): the caller or the server has to change first. */
const FINAL: ReadonlySet<number> = new Set([GRPC.invalidArgument, GRPC.unimplemented]);

/** Creates a watch without effects; `start` begins. */
export function createWatch<T>(subject: WatchSubject<T>, deps: WatchDeps<T>): Watch {
  return new Follower(subject, deps);
}

class Follower<T> implements Watch {
  readonly #subject: WatchSubject<T>;
  readonly #deps: WatchDeps<T>;
  readonly #timer: Timer;
  #call: Call | undefined;
  #cancelTimer: () => void = () => undefined;
  /** When the open stream began, on the monotonic clock, and whether anything good came on it. */
  #openedAtMs = 0;
  #gaveGood = false;
  #failures = 0;
  #problem: string | undefined;
  #stopped = true;

  constructor(subject: WatchSubject<T>, deps: WatchDeps<T>) {
    this.#subject = subject;
    this.#deps = deps;
    this.#timer = deps.timer ?? systemTimer;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#open();
  }

  reload(): void {
    if (this.#stopped) return;
    void this.#drop();
    this.#failures = 0;
    this.#open();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#drop();
  }

  #drop(): Promise<void> {
    this.#cancelTimer();
    const call = this.#call;
    this.#call = undefined;
    return call?.close() ?? Promise.resolve();
  }

  #open(): void {
    const { socket, method } = this.#subject;
    if (socket === undefined)
      return this.#report('no socket is named: set identity.workloadApi.socket or SPIFFE_ENDPOINT_SOCKET');
    const endpoint = parseEndpoint(socket);
    if (!endpoint.ok) return this.#report(endpoint.error);
    this.#openedAtMs = this.#deps.clock.monotonicMs();
    this.#gaveGood = false;
    this.#cancelTimer = this.#timer(FIRST_MESSAGE_MS, () => this.#silent(endpoint.value));
    this.#call = openCall(endpoint.value, method, {
      message: (bytes) => this.#message(endpoint.value, bytes),
      ended: (end) => this.#ended(endpoint.value, end),
    });
  }

  #silent({ shown }: Endpoint): void {
    void this.#drop();
    this.#pause(`${shown}: no message within ${FIRST_MESSAGE_MS / 1_000} s`);
  }

  #message({ shown }: Endpoint, bytes: Uint8Array): void {
    this.#cancelTimer();
    const update = this.#subject.read(bytes, this.#deps.clock.wallMs());
    if (!update.ok) {
      this.#report(`${shown}: a message was discarded, the last good one stays: ${update.error}`);
      return;
    }
    this.#gaveGood = true;
    this.#failures = 0;
    this.#report(undefined);
    this.#deps.onUpdate(update.value);
  }

  #ended({ shown }: Endpoint, end: CallEnd): void {
    this.#cancelTimer();
    this.#call = undefined;
    const livedMs = this.#deps.clock.monotonicMs() - this.#openedAtMs;
    const why = end.kind === 'broken' ? end.detail : showStatus(end.status);
    if (end.kind === 'status' && FINAL.has(end.status.code)) {
      this.#report(`${shown}: ${why}; this is not asked again before a reload`);
    } else if (this.#gaveGood && livedMs >= STEADY_MS && isOrdinary(end)) {
      this.#open();
    } else {
      this.#pause(end.kind === 'status' && end.status.code === 0 ? `${shown}: the stream ended` : `${shown}: ${why}`);
    }
  }

  #pause(problem: string): void {
    this.#failures += 1;
    this.#report(problem);
    if (this.#stopped) return;
    const ms = backOffMs(this.#failures, FIRST_PAUSE_MS, LAST_PAUSE_MS, this.#deps.random);
    this.#cancelTimer = this.#timer(ms, () => this.#open());
  }

  #report(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#deps.onProblem(problem);
  }
}

/** Ends of a stream that say nothing against opening it again at once: servers restart. A refusal waits. */
function isOrdinary(end: CallEnd): boolean {
  return end.kind === 'broken' || end.status.code === 0;
}
