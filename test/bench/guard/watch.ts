import { createHook } from 'node:async_hooks';
import { EventEmitter } from 'node:events';

/** What came into being while somebody watched. */
export type Seen = {
  promises: number;
  /** `process.nextTick`. */
  ticks: number;
  /** `setTimeout` and `setInterval`, and the timeouts of sockets. */
  timers: number;
  /** `setImmediate`. */
  immediates: number;
  /** What Node's own parts asked of the system: reads, writes, sockets, TLS, files, HTTP/2 streams. */
  operations: number;
  /** Streams, sockets, messages, and whatever else is an event emitter. */
  emitters: number;
  parses: number;
  stringifies: number;
};

/** `EventEmitter.init` is what every constructor of an emitter calls. */
type Emitters = { init: (this: EventEmitter, options?: unknown) => void };

/** Types of `async_hooks` that have a count of their own. */
const TYPES: Readonly<Record<string, keyof Seen>> = {
  PROMISE: 'promises',
  TickObject: 'ticks',
  Timeout: 'timers',
  Immediate: 'immediates',
};

/** Counts from now on, until the answer is called. Costs much: nothing else is to be measured meanwhile. */
export function watch(): () => Seen {
  const seen: Seen = { promises: 0, ticks: 0, timers: 0, immediates: 0, operations: 0, emitters: 0, parses: 0, stringifies: 0 }; // prettier-ignore
  const hook = createHook({ init: (_id, type) => (seen[TYPES[type] ?? 'operations'] += 1) });
  const emitters = EventEmitter as unknown as Emitters;
  const { init } = emitters;
  const { parse, stringify } = JSON;
  emitters.init = function counted(options) {
    seen.emitters += 1;
    init.call(this, options);
  };
  JSON.parse = (...args) => {
    seen.parses += 1;
    return parse(...args) as unknown;
  };
  JSON.stringify = ((...args: Parameters<typeof stringify>) => {
    seen.stringifies += 1;
    return stringify(...args);
  }) as typeof stringify;
  hook.enable();
  return () => {
    hook.disable();
    emitters.init = init;
    JSON.parse = parse;
    JSON.stringify = stringify;
    return seen;
  };
}

/** What comes into being while `run` runs. */
export function watched(run: () => void): Seen {
  const end = watch();
  run();
  return end();
}
