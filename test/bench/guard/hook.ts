/**
 * `node --import hook.ts …/main.ts run`: answers over the process's channel (`child_process`, `ipc`) what the process has used so far, from inside it.
 * Does nothing until it is asked, and keeps nothing alive.
 */
import { readFileSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import { isMainThread } from 'node:worker_threads';

import { watch, type Seen } from './watch.ts';

/** What can be asked. `still`: from now on nothing is done by the clock alone. `watch` begins to count what comes into being, `seen` ends it. */
export type Question = 'still' | 'used' | 'watch' | 'seen';

/** All since the start of the process, but for the heap. */
export type Used = {
  /** proc(5), `io`: calls of read(2) and write(2) and their kin, of all threads, and the bytes of them; undefined where the system does not tell. */
  readonly io: { readonly reads: number; readonly writes: number; readonly bytesRead: number; readonly bytesWritten: number } | undefined; // prettier-ignore
  /** What lies on V8's heap: nothing is collected between two forced collections (`STEADY_FLAGS`), so that the difference is what was allocated. */
  readonly heapBytes: number;
  /** Timers, sockets, files, and whatever else is open or under way. */
  readonly handles: number;
};

export type Answer = { readonly used?: Used; readonly seen?: Seen };

/** What is due no sooner than this is not done for a request: files that are looked at, sweeps, gauges. Milliseconds. */
const SLOW_MS = 400;

let still = false;
let end: (() => Seen) | undefined;

function answer(question: Question): Answer {
  switch (question) {
    case 'still':
      still = true;
      globalThis.gc?.();
      return {};
    case 'used':
      return { used: used() };
    case 'watch':
      end = watch();
      return {};
    case 'seen':
      return { seen: (end as () => Seen)() };
    default:
      return question satisfies never;
  }
}

function used(): Used {
  const handles = process.getActiveResourcesInfo().length;
  return { io: io(), handles, heapBytes: getHeapStatistics().used_heap_size };
}

function io(): Used['io'] {
  try {
    const text = readFileSync('/proc/self/io', 'latin1');
    const of = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1]);
    return { reads: of('syscr'), writes: of('syscw'), bytesRead: of('rchar'), bytesWritten: of('wchar') };
  } catch {
    return undefined;
  }
}

type Timers = { setTimeout: Arm; setInterval: Arm };
type Arm = (action: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => NodeJS.Timeout;

/**
 * Puts slow timers off while it has to be still: how many of them come due during a request depends on how busy the machine is, and what they do is no part
 * of what a request costs.
 */
function stillable(timers: Timers, name: keyof Timers): void {
  const arm = timers[name];
  const putOff: Arm = (action, ms = 0, ...args) => {
    if (ms < SLOW_MS) return arm(action, ms, ...args);
    const timer = arm((...given) => (still ? void timer.refresh() : action(...given)), ms, ...args);
    return timer;
  };
  timers[name] = Object.defineProperties(putOff, Object.getOwnPropertyDescriptors(arm));
}

if (isMainThread && process.channel !== undefined) {
  stillable(globalThis, 'setTimeout');
  stillable(globalThis, 'setInterval');
  process.on('message', (question: Question) => process.send?.(answer(question)));
  process.channel.unref();
}
