import { randomFillSync } from 'node:crypto';

/** Thrown through the instance when it ends itself: a fatal error of the Go runtime. */
export class InstanceExit extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`it ended itself with code ${exitCode}`);
    this.name = 'InstanceExit';
    this.exitCode = exitCode;
  }
}

/** WASI preview 1 error numbers (`errno` in its specification). */
const ERRNO = { success: 0, badFile: 8, notSupported: 52 } as const;
const CLOCK_MONOTONIC = 1;
const FILE_TYPE_CHARACTER_DEVICE = 2;
const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
/** How much of what the instance writes is kept for the message of a crash. */
const OUTPUT_LIMIT = 4096;

type WasiFunction = (...args: number[]) => unknown;

/** The functions of one instance. Its memory is known only once it exists, so it is asked for at every call. */
export interface WasiShim {
  readonly imports: WebAssembly.Imports;
  /** The first 4 KiB of what the instance wrote: the Go runtime's last words, where it ended or trapped. */
  output(): string;
}

/**
 * As much of WASI preview 1 as a Go reactor needs to compute: clocks, randomness, an output for crash messages. There are
 * no files, no network, no arguments and no environment; every other function of `module` answers "not supported".
 * `memory` must give the current buffer: growth replaces it.
 */
export function createWasiShim(module: WebAssembly.Module, memory: () => ArrayBuffer): WasiShim {
  const output = { text: '' };
  const known: Readonly<Record<string, WasiFunction>> = {
    ...clockFunctions(memory),
    ...outputFunctions(memory, output),
    ...emptyEnvironment(memory),
    random_get: (address = 0, length = 0) => fillRandom(memory(), address, length),
    sched_yield: succeed,
    proc_exit: (code = 0) => {
      throw new InstanceExit(code);
    },
  };
  const imports: Record<string, Record<string, WasiFunction>> = {};
  for (const wanted of WebAssembly.Module.imports(module)) {
    (imports[wanted.module] ??= {})[wanted.name] = known[wanted.name] ?? (() => ERRNO.notSupported);
  }
  return { imports, output: () => output.text.trim() };
}

function succeed(): number {
  return ERRNO.success;
}

function fillRandom(buffer: ArrayBuffer, address: number, length: number): number {
  randomFillSync(new Uint8Array(buffer, address >>> 0, length >>> 0));
  return ERRNO.success;
}

function clockFunctions(memory: () => ArrayBuffer): Record<string, WasiFunction> {
  return {
    clock_time_get: (clock = 0, _precision = 0, address = 0) => {
      const ms = clock === CLOCK_MONOTONIC ? performance.now() : Date.now();
      // Microseconds are the finest that a double holds exactly for today's dates.
      new DataView(memory()).setBigUint64(address >>> 0, BigInt(Math.round(ms * 1000)) * 1000n, true);
      return ERRNO.success;
    },
    poll_oneoff: (subscriptions = 0, events = 0, count = 0, occurred = 0) =>
      wakeAtOnce(new DataView(memory()), subscriptions >>> 0, events >>> 0, count >>> 0, occurred >>> 0),
  };
}

/** Reports every subscription as due: Go's scheduler looks at the clock again and, if it was early, asks again. */
function wakeAtOnce(view: DataView, subscriptions: number, events: number, count: number, occurred: number): number {
  for (let i = 0; i < count; i += 1) {
    const event = events + i * EVENT_BYTES;
    const subscription = subscriptions + i * SUBSCRIPTION_BYTES;
    view.setBigUint64(event, view.getBigUint64(subscription, true), true);
    view.setUint16(event + 8, ERRNO.success, true);
    view.setUint8(event + 10, view.getUint8(subscription + 8));
  }
  view.setUint32(occurred, count, true);
  return ERRNO.success;
}

function outputFunctions(memory: () => ArrayBuffer, output: { text: string }): Record<string, WasiFunction> {
  return {
    fd_write: (_fd = 0, vectors = 0, count = 0, written = 0) => {
      const view = new DataView(memory());
      let total = 0;
      for (let i = 0; i < count >>> 0; i += 1) {
        const address = view.getUint32((vectors >>> 0) + i * 8, true);
        const length = view.getUint32((vectors >>> 0) + i * 8 + 4, true);
        const kept = Math.min(length, OUTPUT_LIMIT - output.text.length);
        if (kept > 0) output.text += Buffer.from(view.buffer, address, kept).toString('latin1');
        total += length;
      }
      view.setUint32(written >>> 0, total, true);
      return ERRNO.success;
    },
    fd_fdstat_get: (fd = 0, address = 0) => {
      if (fd > 2) return ERRNO.badFile;
      new Uint8Array(memory(), address >>> 0, 24).fill(0);
      new DataView(memory()).setUint8(address >>> 0, FILE_TYPE_CHARACTER_DEVICE);
      return ERRNO.success;
    },
    fd_prestat_get: () => ERRNO.badFile,
  };
}

function emptyEnvironment(memory: () => ArrayBuffer): Record<string, WasiFunction> {
  const noneOf: WasiFunction = (countAddress = 0, bytesAddress = 0) => {
    const view = new DataView(memory());
    view.setUint32(countAddress >>> 0, 0, true);
    view.setUint32(bytesAddress >>> 0, 0, true);
    return ERRNO.success;
  };
  return { args_sizes_get: noneOf, environ_sizes_get: noneOf, args_get: succeed, environ_get: succeed };
}
