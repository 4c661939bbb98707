import { createFolderWatch } from './folder-watch.ts';
import { systemTimer } from './timer.ts';

import type { Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Problems } from './problem.ts';

/** Something that is read from files, may change while running, and is replaced whole or not at all. */
export interface Source<T> {
  /** The last good value; undefined until there was one. */
  readonly current: T | undefined;
  /** What is wrong with the newest content; undefined where it is in force. */
  readonly problem: Problems | undefined;
  /** Reads for the first time and follows from then on. Resolves also where the first content is no good: see `problem`. */
  start(): Promise<void>;
  /** Reads now (SIGHUP). Content that did not change changes nothing; content that failed is tried again. */
  reload(): Promise<void>;
  /** Follows no longer. The last good value stays. */
  stop(): void;
}

/** What makes a source out of files. None of these throws for what stands in a file. */
export type SourceParts<C, T> = {
  /** Cheap; changes whenever content may have changed. */
  readonly fingerprint: () => Promise<string>;
  /** Folders whose events are worth a look. */
  readonly folders: () => readonly string[];
  readonly read: () => Promise<Result<C, Problems>>;
  readonly digest: (content: C) => string;
  /** Checks everything and puts it in force; nothing may have happened where it fails. */
  readonly apply: (content: C) => Promise<Result<T, Problems>>;
};

/** How a source is followed. Durations in milliseconds. */
export type FollowOptions<T> = {
  readonly onChange?: ((value: T) => void) | undefined;
  /** Called with what is wrong whenever that changes, and with undefined when it is over. */
  readonly onProblem?: ((problem: Problems | undefined) => void) | undefined;
  /** Between regular looks. Default 1,000. */
  readonly pollMs?: number | undefined;
  /** Quiet time after an event, and before a failure of changed content counts: key and certificate may be written one after the other. Default 100. */
  readonly settleMs?: number | undefined;
  /** Tries failed content again at every look: a certificate may become valid with time. Default false. */
  readonly retry?: boolean | undefined;
  readonly timer?: Timer | undefined;
};

/** Creates a source without effects; `start` begins. */
export function createSource<C, T>(parts: SourceParts<C, T>, options: FollowOptions<T> = {}): Source<T> {
  return new Follower(parts, options);
}

/** Most names that are remembered, each of them. */
const MAX_NAMES = 64;
const NOBODY: ReadonlySet<string> = new Set();

/** Reads of a file that changes all the time end here: the content is then judged as it is. */
const MAX_READS = 5;

class Follower<C, T> implements Source<T> {
  readonly #parts: SourceParts<C, T>;
  readonly #options: FollowOptions<T>;
  readonly #timer: Timer;
  readonly #watch = createFolderWatch((kind, name) => this.#heard(kind, name));
  #current: T | undefined;
  #problem: Problems | undefined;
  #good: string | undefined;
  #failed: string | undefined;
  #seen: string | undefined;
  /** Content failed once and is looked at again after the quiet time before it is reported. */
  #suspect: string | undefined;
  /** Names that were heard of since the last look, and those whose changes have meant nothing so far. */
  #names = new Set<string>();
  readonly #idle = new Set<string>();
  #queue: Promise<void> = Promise.resolve();
  #stopped = false;
  #cancelPoll: (() => void) | undefined;
  #cancelSettle: (() => void) | undefined;

  constructor(parts: SourceParts<C, T>, options: FollowOptions<T>) {
    this.#parts = parts;
    this.#options = options;
    this.#timer = options.timer ?? systemTimer;
  }

  get current(): T | undefined {
    return this.#current;
  }

  get problem(): Problems | undefined {
    return this.#problem;
  }

  async start(): Promise<void> {
    await this.reload();
    this.#poll();
  }

  reload(): Promise<void> {
    return this.#look(true);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelPoll?.();
    this.#cancelSettle?.();
    this.#watch.close();
  }

  #poll(): void {
    if (this.#stopped) return;
    this.#cancelPoll = this.#timer(this.#options.pollMs ?? 1_000, () => {
      void this.#look(false).then(() => this.#poll());
    });
  }

  /**
   * A log may be written beside certificates or policy, a thousand times a second: a file whose changes have meant nothing is not worth a look of its own any
   * more. Were it one of ours after all, the regular look finds that.
   */
  #heard(kind: 'change' | 'rename', name: string | null): void {
    if (name !== null) {
      if (kind === 'change' && this.#idle.has(name)) return;
      if (this.#names.size < MAX_NAMES) this.#names.add(name);
    }
    this.#settle();
  }

  /** One look after the quiet time, however many events ask for it. */
  #settle(): void {
    if (this.#stopped || this.#cancelSettle !== undefined) return;
    this.#cancelSettle = this.#timer(this.#options.settleMs ?? 100, () => {
      this.#cancelSettle = undefined;
      const names = this.#names;
      this.#names = new Set();
      void this.#look(false, names);
    });
  }

  #meantNothing(names: ReadonlySet<string>): void {
    for (const name of names) if (this.#idle.size < MAX_NAMES) this.#idle.add(name);
  }

  /** Looks one after another: a look never overlaps another. */
  #look(forced: boolean, names: ReadonlySet<string> = NOBODY): Promise<void> {
    this.#queue = this.#queue.then(() => this.#step(forced, names));
    return this.#queue;
  }

  async #step(forced: boolean, names: ReadonlySet<string>): Promise<void> {
    if (this.#stopped) return;
    try {
      const pending = this.#suspect !== undefined || (this.#problem !== undefined && this.#options.retry === true);
      const before = await this.#parts.fingerprint();
      if (!forced && !pending && before === this.#seen) {
        this.#meantNothing(names);
        return;
      }
      if (before !== this.#seen) this.#idle.clear();
      const content = await this.#readSettled(before);
      if (!this.#stopped) this.#watch.set(this.#parts.folders());
      await this.#judge(content, forced);
    } catch (error) {
      this.#fail([error instanceof Error ? error.message : 'failed']);
    }
  }

  /** Content during whose reading nothing changed. */
  async #readSettled(before: string): Promise<Result<C, Problems>> {
    let seen = before;
    for (let reads = 1; ; reads++) {
      const content = await this.#parts.read();
      this.#seen = await this.#parts.fingerprint();
      if (this.#seen === seen || reads === MAX_READS) return content;
      seen = this.#seen;
    }
  }

  async #judge(content: Result<C, Problems>, forced: boolean): Promise<void> {
    const digest = content.ok ? this.#parts.digest(content.value) : content.error.join('\n');
    if (content.ok && digest === this.#good) return this.#recovered();
    if (digest === this.#failed && !forced && this.#options.retry !== true) return;
    const applied = content.ok ? await this.#parts.apply(content.value) : content;
    if (this.#stopped) return;
    if (applied.ok) this.#accept(applied.value, digest);
    else if (forced || digest === this.#suspect || digest === this.#failed) this.#refuse(applied.error, digest);
    else {
      this.#suspect = digest;
      this.#settle();
    }
  }

  #accept(value: T, digest: string): void {
    this.#current = value;
    this.#good = digest;
    this.#recovered();
    this.#options.onChange?.(value);
  }

  #recovered(): void {
    this.#failed = undefined;
    this.#suspect = undefined;
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#options.onProblem?.(undefined);
  }

  #refuse(problem: Problems, digest: string): void {
    this.#failed = digest;
    this.#suspect = undefined;
    this.#fail(problem);
  }

  #fail(problem: Problems): void {
    if (this.#problem?.join('\n') === problem.join('\n')) return;
    this.#problem = problem;
    this.#options.onProblem?.(problem);
  }
}
