import { backOffMs, between } from '../../core/kernel/back-off.ts';
import { keyOf } from './api-resource.ts';
import { listAll, tooMany } from './list-all.ts';

import type { Clock, Random, Timer } from '../../core/kernel/clock.ts';
import type { ApiClient, Selection } from './api-client.ts';
import type { ApiFault } from './api-fault.ts';
import type { KubeObject, Resource } from './api-resource.ts';
import type { WatchEvent } from './watch-event.ts';

export type WatchSettings = Selection & {
  /** A collection. */
  readonly resource: Resource;
  /** Most objects that are held. Default 20,000. More is a problem: what was held before stays. */
  readonly maxObjects?: number | undefined;
  /** Largest page of a list, and longest line of a watch, bytes. Default 16 MiB. */
  readonly maxBytes?: number | undefined;
};

export type WatchDeps<T> = {
  readonly api: Pick<ApiClient, 'list' | 'watch'>;
  /** What is kept of an object; undefined keeps nothing of it. Must not throw. */
  readonly read: (object: KubeObject) => T | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly timer: Timer;
};

/** The objects of one resource, followed for as long as it runs. Objects are told apart by `NAMESPACE/NAME`, or `NAME`. */
export interface ObjectWatch<T> {
  /** Begins; what goes wrong is told by `problem`, and tried again. */
  start(): void;
  stop(): Promise<void>;
  /** As they were last known. While the API server is away nothing is dropped. */
  current(): ReadonlyMap<string, T>;
  /** True once all objects that were there at some moment are known, for good. */
  readonly synced: boolean;
  /** Why what is known may be old; undefined while it is followed. */
  readonly problem: ApiFault | undefined;
  /** Since when it may be old, milliseconds since the epoch; undefined while it is followed, and before it was known at all. */
  readonly staleSinceMs: number | undefined;
  /** Calls `listener` with the keys that changed; the function it gives ends that. */
  onChange(listener: (keys: ReadonlySet<string>) => void): () => void;
}

const DEFAULT_MAX_OBJECTS = 20_000;
const DEFAULT_MAX_BYTES = 16_777_216;
const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 30_000;
/** A watch without events counts as one that follows after this long, milliseconds. */
const OPEN_MS = 1_000;
/** A watch that lasted this long, milliseconds, was a good one: the next failure is the first. */
const LASTING_MS = 10_000;
/** How long a watch lasts: between these, so that many watches do not begin anew together. Seconds. */
const WATCH_S = [240, 300] as const;

/** Follows a collection by list and watch, without effects until it is started. */
export function watchObjects<T>(settings: WatchSettings, deps: WatchDeps<T>): ObjectWatch<T> {
  return new ListAndWatch(settings, deps);
}

class ListAndWatch<T> implements ObjectWatch<T> {
  readonly #settings: WatchSettings;
  readonly #deps: WatchDeps<T>;
  readonly #listeners = new Set<(keys: ReadonlySet<string>) => void>();
  readonly #stopping = new AbortController();
  #objects = new Map<string, T>();
  /** Undefined: list first. */
  #resourceVersion: string | undefined;
  #synced = false;
  #problem: ApiFault | undefined;
  #staleSinceMs: number | undefined;
  #failures = 0;
  #running: Promise<void> | undefined;

  constructor(settings: WatchSettings, deps: WatchDeps<T>) {
    this.#settings = settings;
    this.#deps = deps;
  }

  start(): void {
    this.#running ??= this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  current(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  get synced(): boolean {
    return this.#synced;
  }

  get problem(): ApiFault | undefined {
    return this.#problem;
  }

  get staleSinceMs(): number | undefined {
    return this.#staleSinceMs;
  }

  onChange(listener: (keys: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const fault = this.#resourceVersion === undefined ? await this.#list() : await this.#watch(this.#resourceVersion);
      if (signal.aborted) return;
      if (fault !== undefined) await this.#failed(fault);
    }
  }

  async #list(): Promise<ApiFault | undefined> {
    const { resource, maxObjects = DEFAULT_MAX_OBJECTS, maxBytes = DEFAULT_MAX_BYTES } = this.#settings;
    const found = new Map<string, T>();
    const listed = await listAll(this.#deps.api, resource, { ...this.#settings, maxObjects, maxBytes }, (object) => {
      const kept = this.#deps.read(object);
      if (kept !== undefined) found.set(keyOf(object), kept);
    });
    if (!listed.ok) return listed.error;
    const before = this.#objects;
    this.#objects = found;
    this.#resourceVersion = listed.value;
    this.#synced = true;
    this.#isFresh();
    // What a relist finds may have changed in any way, so all of it counts; names that went are among them.
    this.#tell(new Set([...before.keys(), ...found.keys()]));
    return undefined;
  }

  async #watch(resourceVersion: string): Promise<ApiFault | undefined> {
    const { resource, maxBytes = DEFAULT_MAX_BYTES } = this.#settings;
    const timeoutSeconds = Math.floor(between(...WATCH_S, this.#deps.random));
    const begun = this.#deps.clock.monotonicMs();
    const full = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, full.signal]);
    // One that opens and ends at once with nonsense has followed nothing.
    let cancel: (() => void) | undefined;
    const opened = (): void => {
      cancel = this.#deps.timer(OPEN_MS, () => this.#isFresh());
    };
    const ask = { ...this.#settings, resourceVersion, timeoutSeconds, maxBytes, signal, opened };
    const ended = await this.#deps.api.watch(resource, ask, (event) => {
      this.#hear(event);
      if (this.#objects.size > (this.#settings.maxObjects ?? DEFAULT_MAX_OBJECTS)) full.abort();
    });
    cancel?.();
    const fault = full.signal.aborted ? tooMany(resource, this.#objects.size - 1) : ended;
    const lasted = this.#deps.clock.monotonicMs() - begun >= LASTING_MS;
    if (lasted) this.#failures = 0;
    // A server that ends each watch at once is asked no more often than one that fails.
    if (fault === undefined) return lasted ? undefined : { kind: 'unavailable', detail: 'watch: ended too soon' };
    // After whatever is not a mere loss of the connection it is not known where the watch stands: list again.
    if (fault.kind !== 'unavailable') this.#resourceVersion = undefined;
    return fault;
  }

  #hear(event: WatchEvent): void {
    if (event.kind === 'error') return;
    this.#isFresh();
    if (event.kind === 'bookmark') {
      this.#resourceVersion = event.resourceVersion;
      return;
    }
    const { object } = event;
    const key = keyOf(object);
    this.#resourceVersion = object.metadata.resourceVersion;
    const kept = event.kind === 'deleted' ? undefined : this.#deps.read(object);
    if (kept === undefined) this.#objects.delete(key);
    else this.#objects.set(key, kept);
    this.#tell(new Set([key]));
  }

  #isFresh(): void {
    this.#problem = undefined;
    this.#staleSinceMs = undefined;
  }

  /** Remembers why, and waits; not at all for the first relist after a resourceVersion that was too old, which is the ordinary course of things. */
  async #failed(fault: ApiFault): Promise<void> {
    this.#failures += 1;
    if (fault.kind === 'gone' && this.#failures === 1) return;
    this.#problem = fault;
    if (this.#synced) this.#staleSinceMs ??= this.#deps.clock.wallMs();
    const ms = backOffMs(this.#failures, FIRST_WAIT_MS, LAST_WAIT_MS, this.#deps.random);
    await this.#wait(Math.max(ms, fault.retryAfterMs ?? 0));
  }

  async #wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { signal } = this.#stopping;
    const wake = (): void => resolve();
    const cancel = this.#deps.timer(ms, wake);
    signal.addEventListener('abort', wake);
    await promise;
    signal.removeEventListener('abort', wake);
    cancel();
  }

  #tell(keys: ReadonlySet<string>): void {
    for (const listener of this.#listeners) listener(keys);
  }
}
