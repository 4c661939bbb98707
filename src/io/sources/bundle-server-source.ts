import { backOffMs, between } from '../../core/kernel/back-off.ts';
import { err } from '../../core/kernel/result.ts';
import { newBundleState } from './bundle-state.ts';
import { revisionOf } from './policy-revision.ts';

import type { Clock, Random, Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { BundleState } from './bundle-state.ts';
import type { Source } from './follower.ts';
import type { JudgeArchive, JudgedBundle } from './judge-archive.ts';
import type { LastGood, LastGoodStore } from './last-good-copy.ts';
import type { CompileRego, PolicyRevision } from './policy-revision.ts';
import type { Problems } from './problem.ts';

/** What one download gave. `etag`: of what is there now; `longPolling`: the server can hold requests. */
export type Download =
  | {
      readonly kind: 'archive';
      readonly bytes: Uint8Array;
      readonly etag: string | undefined;
      readonly longPolling: boolean;
    }
  | { readonly kind: 'unchanged'; readonly etag: string | undefined; readonly longPolling: boolean }
  | {
      readonly kind: 'failed';
      readonly detail: string;
      readonly httpCode: number | undefined;
      readonly retryAfterMs: number | undefined;
    };

type Archive = Extract<Download, { readonly kind: 'archive' }>;

/** Who asks the bundle server. One call at a time; never throws. */
export interface BundleServer {
  fetch(ask: {
    readonly etag: string | undefined;
    readonly delta: boolean;
    readonly waitMs: number | undefined;
  }): Promise<Download>;
  stop(): Promise<void>;
}

/** Milliseconds. `longPollingMs`: how long the server may hold a request; undefined for no long polling. */
export type BundleServerPace = {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly longPollingMs: number | undefined;
};

export type BundleServerDeps<T> = {
  readonly server: BundleServer;
  readonly judge: JudgeArchive;
  readonly store: LastGoodStore | undefined;
  /** The protobuf descriptors that go with the policy, as they stand now; undefined where none are configured. */
  readonly descriptors: () => Promise<Result<Uint8Array | undefined, Problems>>;
  readonly compile: CompileRego;
  /** Loads, probes and swaps; where it fails, nothing may have changed. */
  readonly activate: (revision: PolicyRevision) => Promise<Result<T, Problems>>;
  /**
   * What stands for a bundle that the server says it does not have (404): then that is no problem, and what was in force is so no longer. Without it the last good
   * bundle stays, and the 404 is a problem.
   */
  readonly absent?: (() => T) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly timer: Timer;
  readonly onChange: (value: T) => void;
  readonly onProblem: (problems: Problems | undefined) => void;
  /** Something that changes nothing now: the last good copy cannot be kept or used. */
  readonly onWarning: (warning: string) => void;
  readonly onState?: ((state: BundleState) => void) | undefined;
};

/** A source of policy that tells how its bundle does. */
export type BundleServerSource<T> = Source<T> & { readonly state: BundleState };

/** Pauses between attempts that fail begin here, and a server that claims long polling but answers at once is asked no more often, milliseconds. */
const FIRST_RETRY_MS = 500;
const LEAST_GAP_MS = 1_000;

/**
 * Bundles are read on the event loop: after each the server is left alone for so many times as long as that took, so that one that always has another takes a fifth
 * of our time at most.
 */
const REST = 4;

/** After so many deltas, or so many bytes of them, a snapshot is asked for: a restart has to read them all, and they are held until then. */
const MAX_DELTAS = 32;
const MAX_DELTA_BYTES = 4_194_304;

/**
 * Creates the source of a policy from a bundle server (OPA documentation, "Bundles"). `start` asks once, and where the server gives no usable bundle, uses the last
 * good copy; it resolves in either case. Where neither is there, `current` stays undefined until the server gives one: nothing is allowed meanwhile.
 */
export function createBundleServerSource<T>(
  names: { readonly name: string; readonly where: string },
  pace: BundleServerPace,
  deps: BundleServerDeps<T>,
): BundleServerSource<T> {
  return new Poller(names, pace, deps);
}

class Poller<T> implements BundleServerSource<T> {
  readonly #names: { readonly name: string; readonly where: string };
  readonly #pace: BundleServerPace;
  readonly #deps: BundleServerDeps<T>;
  #current: T | undefined;
  #problem: Problems | undefined;
  #state: BundleState;
  /** What is in force. */
  #active: JudgedBundle | undefined;
  #descriptors: Uint8Array | undefined;
  #copy: LastGood = { etag: undefined, newest: undefined, archives: [] };
  /** Sent with the next request; forgotten after anything went wrong, so that the server sends all of it. */
  #etag: string | undefined;
  /** The server said that it can hold requests. */
  #longPolling = false;
  #failures = 0;
  /** Why it is not known what was in force last time: a problem until a bundle is in force, as an older one cannot be told from a newer. */
  #unknownPast: string | undefined;
  #stopped = false;
  #waiting: { readonly cancel: () => void; readonly end: () => void } | undefined;
  #asking: Promise<void> | undefined;

  constructor(
    names: { readonly name: string; readonly where: string },
    pace: BundleServerPace,
    deps: BundleServerDeps<T>,
  ) {
    this.#names = names;
    this.#pace = pace;
    this.#deps = deps;
    this.#state = newBundleState(names.name);
  }

  get current(): T | undefined {
    return this.#current;
  }

  get problem(): Problems | undefined {
    return this.#problem;
  }

  get state(): BundleState {
    return this.#state;
  }

  async start(): Promise<void> {
    await this.#loadCopy();
    const pauseMs = await this.#ask();
    if (this.#current === undefined && this.#copy.archives.length > 0) await this.#useCopy();
    void this.#follow(pauseMs);
  }

  /** Asks now, but for a long poll under way: that one is answered as soon as there is something new. */
  async reload(): Promise<void> {
    await this.#renewDescriptors();
    if (this.#waiting !== undefined) {
      this.#waiting.end();
      await Promise.resolve();
    }
    if (!this.#isHeld) await this.#asking;
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting?.end();
    void this.#deps.server.stop();
  }

  get #isHeld(): boolean {
    return this.#longPolling && this.#pace.longPollingMs !== undefined;
  }

  async #follow(firstPauseMs: number): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!this.#stopped) {
      // oxlint-disable-next-line no-await-in-loop -- one request after the other is the protocol
      await this.#pause(pauseMs);
      if (this.#stopped) return;
      const asked = this.#ask();
      this.#asking = asked.then(() => undefined);
      // oxlint-disable-next-line no-await-in-loop -- as above
      pauseMs = await asked;
    }
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const end = (): void => {
      this.#waiting?.cancel();
      this.#waiting = undefined;
      resolve(undefined);
    };
    this.#waiting = { cancel: this.#deps.timer(ms, end), end };
    return promise;
  }

  /** One request and what follows from it. Gives the pause before the next one, milliseconds. */
  async #ask(): Promise<number> {
    const { server, clock } = this.#deps;
    const asked = clock.monotonicMs();
    this.#tell({ lastRequestMs: clock.wallMs() });
    const isFirst = this.#state.lastSuccessfulRequestMs === undefined && this.#failures === 0;
    const delta = this.#active !== undefined && this.#etag !== undefined;
    const answer = await server.fetch({
      etag: this.#etag,
      delta,
      waitMs: this.#isHeld && !isFirst ? this.#pace.longPollingMs : undefined,
    });
    if (this.#stopped) return 0;
    const { absent } = this.#deps;
    if (absent !== undefined && answer.kind === 'failed' && answer.httpCode === 404)
      return this.#withdrawn(absent, clock.monotonicMs() - asked);
    if (answer.kind === 'failed') return this.#failed([answer.detail], answer.httpCode, answer.retryAfterMs);
    this.#longPolling = answer.longPolling;
    this.#tell({ lastSuccessfulRequestMs: clock.wallMs() });
    const answered = clock.monotonicMs();
    const problems = answer.kind === 'archive' ? await this.#take(answer, delta) : await this.#unchanged();
    const rest = REST * (clock.monotonicMs() - answered);
    if (problems !== undefined) return Math.max(rest, this.#failed(problems, undefined, undefined));
    this.#recovered();
    const pause = this.#isHeld
      ? LEAST_GAP_MS - (clock.monotonicMs() - asked)
      : between(this.#pace.minDelayMs, this.#pace.maxDelayMs, this.#deps.random);
    return Math.max(rest, pause, 0);
  }

  /** There is none now. A server that held the request until it knew is asked again at once, any other at its turn. */
  #withdrawn(absent: () => T, heldMs: number): number {
    const { clock, random, onChange } = this.#deps;
    const { minDelayMs, maxDelayMs } = this.#pace;
    const wasThere = this.#active !== undefined;
    this.#active = undefined;
    this.#etag = undefined;
    this.#copy = { etag: undefined, newest: undefined, archives: [] };
    this.#tell({ activeRevision: undefined, lastSuccessfulRequestMs: clock.wallMs() });
    this.#recovered();
    if (wasThere) {
      this.#current = absent();
      onChange(this.#current);
    }
    return heldMs >= minDelayMs ? LEAST_GAP_MS : between(minDelayMs, maxDelayMs, random);
  }

  /** 304: what is in force is still the newest; at start that is the copy. */
  async #unchanged(): Promise<Problems | undefined> {
    if (this.#etag === undefined) return [`${this.#names.where}: answered 304 to a request without ETag`];
    if (this.#current !== undefined) return undefined;
    return this.#activateCopy();
  }

  /** `delta`: whether one was asked for. A server that sends nothing else would have us keep them without end. */
  async #take({ bytes, etag }: Archive, delta: boolean): Promise<Problems | undefined> {
    this.#tell({ size: bytes.length });
    const judged = await this.#judge(bytes, this.#active?.bundle, this.#copy.newest);
    if (!judged.ok) return judged.error.map((problem) => `${this.#names.where}: ${problem}`);
    if (judged.value.type === 'delta' && !delta)
      return [`${this.#names.where}: delta_unexpected: a delta came, and a whole bundle was asked for`];
    this.#tell({ lastSuccessfulDownloadMs: this.#deps.clock.wallMs(), type: judged.value.type });
    const isNew = judged.value.bundle.digest !== this.#active?.bundle.digest;
    if (isNew) {
      const problems = await this.#activate(judged.value);
      if (problems !== undefined) return problems;
    }
    const archives = judged.value.type === 'delta' ? [...this.#copy.archives, bytes] : [bytes];
    this.#etag = isLong(archives) ? undefined : etag;
    this.#copy = { etag, newest: judged.value.sequence ?? this.#copy.newest, archives };
    await this.#keepCopy();
    return undefined;
  }

  /** What throws on content from outside is a fault of ours, and no reason to follow the server no longer. */
  async #judge(...content: Parameters<JudgeArchive>): ReturnType<JudgeArchive> {
    try {
      return await this.#deps.judge(...content);
    } catch (error) {
      return err([thrown(error)]);
    }
  }

  async #activate(judged: JudgedBundle): Promise<Problems | undefined> {
    try {
      return await this.#activateChecked(judged);
    } catch (error) {
      return [`${this.#names.where}: ${thrown(error)}`];
    }
  }

  async #activateChecked(judged: JudgedBundle): Promise<Problems | undefined> {
    const { descriptors, compile, activate, clock, onChange } = this.#deps;
    const read = await descriptors();
    if (!read.ok) return read.error;
    const revision = await revisionOf({ bundle: judged.bundle, descriptors: read.value, ...this.#names }, compile);
    if (!revision.ok) return revision.error;
    const activated = await activate(revision.value);
    if (!activated.ok) return activated.error;
    if (this.#stopped) return undefined;
    this.#active = judged;
    this.#unknownPast = undefined;
    this.#descriptors = read.value;
    this.#current = activated.value;
    this.#tell({ activeRevision: judged.bundle.revision, lastSuccessfulActivationMs: clock.wallMs() });
    onChange(activated.value);
    return undefined;
  }

  async #loadCopy(): Promise<void> {
    const loaded = await this.#deps.store?.load();
    if (loaded === undefined) return;
    if (!loaded.ok) {
      this.#unknownPast = `an older bundle would not be known for one: ${loaded.error}`;
      this.#report([], undefined);
    } else if (loaded.value !== undefined) {
      const { problem, ...copy } = loaded.value;
      this.#copy = copy;
      this.#etag = copy.etag;
      if (problem !== undefined) this.#deps.onWarning(problem);
    }
  }

  /** The server gave nothing usable at start: what was in force last time is better than nothing, and was judged when it came. */
  async #useCopy(): Promise<void> {
    const problems = await this.#activateCopy();
    for (const problem of problems ?? ['the last good copy of the policy is in force']) this.#deps.onWarning(problem);
  }

  /** Judges the copy again, signatures included: the folder may have been anybody's in between. */
  async #activateCopy(): Promise<Problems | undefined> {
    let judged: JudgedBundle | undefined;
    for (const archive of this.#copy.archives) {
      // oxlint-disable-next-line no-await-in-loop -- each delta changes what those before it gave
      const next = await this.#judge(archive, judged?.bundle, judged?.sequence);
      if (!next.ok) return this.#dropCopy(next.error.join('; '));
      judged = next.value;
    }
    const { newest } = this.#copy;
    if (judged === undefined) return ['there is no last good copy'];
    if (newest !== undefined && judged.sequence?.sequence !== newest.sequence)
      return this.#dropCopy('is not the newest that was in force');
    const problems = await this.#activate(judged);
    return problems === undefined ? undefined : this.#dropCopy(problems.join('; '));
  }

  #dropCopy(why: string): Problems {
    this.#copy = { etag: undefined, newest: this.#copy.newest, archives: [] };
    this.#etag = undefined;
    return [`the last good copy of ${this.#names.where} is not used: ${why}`];
  }

  async #keepCopy(): Promise<void> {
    const saved = await this.#deps.store?.save(this.#copy);
    if (saved !== undefined && !saved.ok)
      this.#deps.onWarning(`the policy in force could not be kept for a restart: ${saved.error}`);
  }

  /** Descriptors are a file of ours: the bundle in force is loaded anew with new ones. */
  async #renewDescriptors(): Promise<void> {
    const read = await this.#deps.descriptors();
    if (this.#active === undefined || (read.ok && same(read.value, this.#descriptors))) return;
    const problems = read.ok ? await this.#activate(this.#active) : read.error;
    if (problems !== undefined) this.#fail(problems);
  }

  #failed(problems: Problems, httpCode: number | undefined, retryAfterMs: number | undefined): number {
    // As OPA: after any failure all of the bundle is asked for.
    this.#etag = undefined;
    this.#failures += 1;
    this.#report(problems, httpCode);
    const pause = backOffMs(this.#failures, FIRST_RETRY_MS, this.#pace.maxDelayMs, this.#deps.random);
    return Math.max(pause, retryAfterMs ?? 0);
  }

  #report(problems: Problems, httpCode: number | undefined): void {
    const errors = this.#unknownPast === undefined ? problems : [...problems, this.#unknownPast];
    this.#tell({ problem: { message: errors[0] ?? '', errors, httpCode } });
    this.#fail(errors);
  }

  #fail(problems: Problems): void {
    if (this.#problem?.join('\n') === problems.join('\n')) return;
    this.#problem = problems;
    this.#deps.onProblem(problems);
  }

  #recovered(): void {
    this.#failures = 0;
    this.#tell({ problem: undefined });
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#deps.onProblem(undefined);
  }

  #tell(change: Partial<BundleState>): void {
    this.#state = { ...this.#state, ...change };
    this.#deps.onState?.(this.#state);
  }
}

function isLong([, ...deltas]: readonly Uint8Array[]): boolean {
  const bytes = deltas.reduce((sum, delta) => sum + delta.length, 0);
  return deltas.length >= MAX_DELTAS || bytes > MAX_DELTA_BYTES;
}

function thrown(error: unknown): string {
  return `could not be judged: ${error instanceof Error ? error.message : String(error)}`;
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}

/** The name of a bundle in records and status: the last part of its URL, as a folder or file gives its own. */
export function bundleName(url: string): string {
  const last = new URL(url).pathname.split('/').findLast((part) => part !== '') ?? 'bundle';
  return last.replace(/\.tar\.gz$/, '') || 'bundle';
}
