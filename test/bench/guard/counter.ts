import { median } from '../process-cost.ts';
import type { Used } from './hook.ts';
import type { Lane } from './lanes.ts';
import type { MeasuredSidecar } from './measured-sidecar.ts';
import type { Seen } from './watch.ts';

/** Requests before the first that counts. */
const WARM = 50;
const BATCHES = 5;
const BATCH = 20;
const WATCHED_BATCHES = 3;

/**
 * Counts by batches of requests, one request at a time: no two share a write or a wake-up, however busy the machine is. Of all batches the least counts, as what
 * happens beside requests only adds; less what asking for the counts costs.
 */
export class Counter {
  readonly counts: Record<string, Record<string, number>> = {};
  readonly #sidecar: MeasuredSidecar;
  /** Records that there have to be. */
  #records = 0;

  constructor(sidecar: MeasuredSidecar) {
    this.#sidecar = sidecar;
  }

  /** Counts under `name`. `recorded`: whether each request leaves a record, which is then waited for. */
  async count(name: string, connect: () => Promise<Lane>, { recorded = true } = {}): Promise<void> {
    const lane = await connect();
    const batch = (): Promise<void> => this.#ask(lane, recorded, BATCH);
    await this.#ask(lane, recorded, WARM);
    await this.#sidecar.still();
    const start = this.#sidecar.recordBytes;
    this.#putUsed(name, await this.#usedBy(batch), await this.#usedBy(() => Promise.resolve()));
    if (recorded) {
      const bytes = this.#sidecar.recordBytes - start;
      this.#put('recordBytes', name, Math.round(bytes / (BATCHES * BATCH)));
    }
    this.#putSeen(name, await this.#seenIn(batch), await this.#seenIn(() => Promise.resolve()));
    lane.close();
  }

  async #ask(lane: Lane, recorded: boolean, times: number): Promise<void> {
    for (let turn = 0; turn < times; turn += 1) {
      await lane.ask();
      if (recorded) await this.#sidecar.recorded((this.#records += 1));
    }
  }

  async #usedBy(run: () => Promise<void>): Promise<readonly Used[]> {
    const all: Used[] = [];
    for (let turn = 0; turn < BATCHES; turn += 1) {
      const before = await this.#sidecar.used();
      await run();
      all.push(difference(before, await this.#sidecar.used()));
    }
    return all;
  }

  async #seenIn(batch: () => Promise<void>): Promise<readonly Seen[]> {
    const all: Seen[] = [];
    for (let turn = 0; turn < WATCHED_BATCHES; turn += 1) {
      await this.#sidecar.watch();
      await batch();
      all.push(await this.#sidecar.seen());
    }
    return all;
  }

  #putUsed(name: string, batches: readonly Used[], asking: readonly Used[]): void {
    const each = (figure: (used: Used) => number | undefined): number | undefined => {
      const counted = batches.flatMap((used) => figure(used) ?? []);
      if (counted.length === 0) return undefined;
      return (Math.min(...counted) - Math.min(...asking.flatMap((used) => figure(used) ?? []))) / BATCH;
    };
    this.#put('reads', name, tenths(each(({ io }) => io?.reads)));
    this.#put('writes', name, tenths(each(({ io }) => io?.writes)));
    this.#put('bytesRead', name, whole(each(({ io }) => io?.bytesRead)));
    this.#put('bytesWritten', name, whole(each(({ io }) => io?.bytesWritten)));
    this.#put('heapBytes', name, whole(each(({ heapBytes }) => heapBytes)));
    this.#put('handlesLeft', name, median(batches.map(({ handles }) => handles)));
  }

  #putSeen(name: string, batches: readonly Seen[], asking: readonly Seen[]): void {
    const each = (key: keyof Seen): number | undefined => tenths((least(batches, key) - least(asking, key)) / BATCH);
    this.#put('promises', name, each('promises'));
    this.#put('ticks', name, each('ticks'));
    this.#put('timers', name, each('timers'));
    this.#put('immediates', name, each('immediates'));
    this.#put('operations', name, each('operations'));
    this.#put('emitters', name, each('emitters'));
    this.#put('jsonParse', name, each('parses'));
    this.#put('jsonStringify', name, each('stringifies'));
  }

  #put(kind: string, name: string, value: number | undefined): void {
    if (value !== undefined) (this.counts[kind] ??= {})[name] = value;
  }
}

function least(all: readonly Seen[], key: keyof Seen): number {
  return Math.min(...all.map((seen) => seen[key]));
}

function difference(before: Used, after: Used): Used {
  const [from, to] = [before.io, after.io];
  return {
    io: from &&
      to && {
        reads: to.reads - from.reads,
        writes: to.writes - from.writes,
        bytesRead: to.bytesRead - from.bytesRead,
        bytesWritten: to.bytesWritten - from.bytesWritten,
      },
    heapBytes: after.heapBytes - before.heapBytes,
    handles: after.handles - before.handles,
  };
}

function tenths(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 10) / 10;
}

function whole(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value);
}
