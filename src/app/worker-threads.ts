import type { Clock, Random, Timer } from '../core/kernel/clock.ts';
import type { Recorder } from '../core/record/recorder.ts';
import type { Journal } from '../io/journal/journal.ts';
import type { Problems } from '../io/sources/problem.ts';
import type { Log } from '../io/telemetry/log.ts';
import { Answers } from '../io/workers/answers.ts';
import { RecordDesk } from '../io/workers/record-desk.ts';
import { Remains } from '../io/workers/record-messages.ts';
import { Supervisor, type Ending } from '../io/workers/supervisor.ts';
import { startThread, type Thread, type ThreadHooks } from '../io/workers/thread.ts';
import { ListenFault, type BoundPorts } from './data-plane.ts';
import type { Change, FromWorker, Opening, ToWorker, WorkerReport, WorkerSetup } from './worker-messages.ts';

export type WorkerThreadsDeps = {
  readonly setup: Omit<WorkerSetup, 'remains'>;
  /** What is in force now. */
  readonly opening: () => Opening;
  readonly journal: Pick<Journal, 'reserve' | 'reserveLater' | 'release' | 'write' | 'writeUnreserved' | 'lost'>;
  /** The one chain of all. */
  readonly recorder: () => Pick<Recorder, 'seal' | 'head'>;
  readonly log: Log;
  /** The last report of a worker that has ended. */
  readonly leftBehind: (report: WorkerReport) => void;
  readonly clock: Clock;
  /** Keeps the process alive: a worker that ended is replaced also where it was the last. */
  readonly timer: Timer;
  readonly random: Random;
  /** Default: `worker.ts` in a thread. */
  readonly start?:
    | ((index: number, setup: WorkerSetup, hooks: ThreadHooks<FromWorker>) => Thread<ToWorker>)
    | undefined;
};

/** How much longer than asked a worker may take to stop before its thread is ended, milliseconds. */
const STOP_MORE_MS = 1_000;

/** How long whoever reads metrics waits for workers, milliseconds; for one that is late its last report counts. */
const REPORT_MS = 1_000;

/**
 * A thread that answers nothing for so long, milliseconds, will not: it is ended and replaced, or it would keep its connections and its room in the journal for ever,
 * and its share of new connections would wait for nobody.
 */
const STUCK_MS = 30_000;

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const SCRIPT = new URL(`./worker.${extension}`, import.meta.url);

/** One worker from its start to its end. */
type Life = {
  readonly desk: RecordDesk;
  readonly remains: Remains;
  /** Resolves with its addresses, or with why it has none. */
  readonly opened: PromiseWithResolvers<BoundPorts | Problems>;
  readonly over: PromiseWithResolvers<void>;
  isServing: boolean;
  report: WorkerReport | undefined;
  unwatch: (() => void) | undefined;
};

/** The worker threads of a sidecar, as the thread sees them that owns keys, policies and the journal. */
export class WorkerThreads {
  readonly #deps: WorkerThreadsDeps;
  readonly #supervisor: Supervisor<ToWorker, FromWorker>;
  readonly #lives: (Life | undefined)[];
  readonly #adopted = new Answers<Problems>();
  readonly #told = new Answers<undefined>();
  #isRetired = false;
  #isStopping = false;
  #ended = 0;

  constructor(count: number, deps: WorkerThreadsDeps) {
    this.#deps = deps;
    this.#lives = Array.from({ length: count });
    const { clock, timer, random } = deps;
    this.#supervisor = new Supervisor(count, {
      clock,
      timer,
      random,
      start: (index, hooks) => this.#start(index, hooks),
      began: (index) => this.#began(index),
      message: (index, message) => this.#heard(index, message),
      ended: (ending) => this.#endedOne(ending),
    });
  }

  get count(): number {
    return this.#lives.length;
  }

  /** How many have their listeners open. */
  get serving(): number {
    return this.#lives.filter((life) => life?.isServing === true).length;
  }

  /** How many ended since the start that nobody had told to. */
  get ended(): number {
    return this.#ended;
  }

  /** What those that run said last. */
  get reports(): readonly WorkerReport[] {
    return this.#lives.flatMap((life) => life?.report ?? []);
  }

  /** Open connections of each, as it said last. */
  get connections(): readonly number[] {
    return this.#lives.map((life) => life?.report?.figures.connections ?? 0);
  }

  /** Starts one. Resolves with its addresses; rejects with `ListenFault`. */
  async open(index: number): Promise<BoundPorts> {
    this.#supervisor.start(index);
    const opened = (await this.#lives[index]?.opened.promise) ?? ['it was stopped'];
    if ('inbound' in opened) return opened;
    throw new ListenFault(opened);
  }

  /** Tells all of a change. Resolves when they have taken it, with what of it they cannot use. */
  async change(change: Change): Promise<Problems> {
    const problems = await this.#adopted.ask(this.#supervisor.running, (index, number) => {
      this.#supervisor.post(index, { kind: 'change', number, change });
    });
    return [...new Set(problems.flat())];
  }

  retire(): void {
    this.#isRetired = true;
    for (const index of this.#supervisor.running) this.#supervisor.post(index, { kind: 'retire' });
  }

  /** Brings `reports` up to date, but for workers that do not answer in time. */
  async refresh(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#deps.timer(REPORT_MS, resolve);
    await Promise.race([this.#ask(this.#supervisor.running), late]);
    cancel();
  }

  #ask(workers: readonly number[]): Promise<unknown> {
    return this.#told.ask(workers, (index, question) => this.#supervisor.post(index, { kind: 'tell', question }));
  }

  #began(index: number): void {
    this.#supervisor.post(index, this.#deps.opening());
    if (this.#isRetired) this.#supervisor.post(index, { kind: 'retire' });
    const life = this.#lives[index];
    if (life !== undefined) this.#watch(index, life);
  }

  #watch(index: number, life: Life): void {
    let hasAnswered = false;
    void this.#ask([index]).then(() => (hasAnswered = true));
    life.unwatch = this.#deps.timer(STUCK_MS, () => {
      if (hasAnswered) this.#watch(index, life);
      else this.#endStuck(index);
    });
  }

  #endStuck(index: number): void {
    this.#deps.log.error({ worker: index, silent_ms: STUCK_MS }, 'a worker does not answer; its thread is ended');
    void this.#supervisor.end(index);
  }

  /** Lets requests finish within `graceMs`. When it resolves, the threads are gone and all their lines are with the journal. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#supervisor.stopReplacing();
    await Promise.all(this.#supervisor.running.map((index) => this.#stopOne(index, graceMs)));
  }

  async #stopOne(index: number, graceMs: number): Promise<void> {
    const life = this.#lives[index];
    this.#supervisor.post(index, { kind: 'stop', graceMs });
    const late = this.#deps.timer(graceMs + STOP_MORE_MS, () => life?.over.resolve());
    await life?.over.promise;
    late();
    await this.#supervisor.end(index);
  }

  #start(index: number, hooks: ThreadHooks<FromWorker>): Thread<ToWorker> {
    const memory = new SharedArrayBuffer(Remains.BYTES);
    const { journal, recorder, setup } = this.#deps;
    this.#lives[index] = {
      desk: new RecordDesk({
        journal,
        lost: (records) => journal.lost(records, recorder().head),
        seal: (line) => recorder().seal(line),
        post: (message) => this.#supervisor.post(index, message),
      }),
      remains: new Remains(memory),
      opened: Promise.withResolvers(),
      over: Promise.withResolvers(),
      isServing: false,
      report: undefined,
      unwatch: undefined,
    };
    return (this.#deps.start ?? startWorker)(index, { ...setup, remains: memory }, hooks);
  }

  #heard(index: number, message: FromWorker): void {
    const life = this.#lives[index];
    if (life === undefined) return;
    switch (message.kind) {
      case 'records':
      case 'want':
        life.desk.heard(message);
        return;
      case 'opened':
        life.isServing = true;
        life.opened.resolve(message.bound);
        return;
      case 'failed':
        this.#failed(index, life, message.problems);
        return;
      case 'adopted':
        this.#adopted.answered(index, message.change, message.problems);
        return;
      case 'told':
        life.report = message.report;
        this.#told.answered(index, message.question, undefined);
        return;
      case 'problem':
        this.#deps.log.error({ worker: index, error: message.error }, 'a fault of ours cost a connection');
        return;
      case 'stopped':
        life.over.resolve();
        return;
      default:
        message satisfies never;
    }
  }

  /** One that cannot listen: at the start that is a reason not to start, later it is tried again. */
  #failed(index: number, life: Life, problems: Problems): void {
    life.opened.resolve(problems);
    for (const problem of problems) this.#deps.log.error({ worker: index }, problem);
    void this.#supervisor.end(index);
  }

  #endedOne({ index, reason, againMs }: Ending): void {
    const life = this.#lives[index];
    this.#lives[index] = undefined;
    if (life === undefined) return;
    life.unwatch?.();
    life.desk.close();
    const lost = life.remains.records;
    if (lost > 0) this.#deps.journal.lost(lost, this.#deps.recorder().head);
    this.#adopted.gone(index);
    this.#told.gone(index);
    life.opened.resolve([`worker ${index}: ${reason}`]);
    life.over.resolve();
    if (life.report !== undefined) this.#deps.leftBehind(life.report);
    if (this.#isStopping) return;
    this.#ended += 1;
    const fields = { worker: index, reason, records_lost: lost, again_ms: Math.round(againMs) };
    this.#deps.log.error(fields, 'a worker ended; another takes its place');
  }
}

function startWorker(index: number, setup: WorkerSetup, hooks: ThreadHooks<FromWorker>): Thread<ToWorker> {
  return startThread(SCRIPT, `sallyport-worker-${index}`, setup, hooks);
}
