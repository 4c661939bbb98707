import type { Tail } from '../../core/record/tail.ts';

/** What went wrong below a sink, as Node's system errors name it: `ENOSPC`, `EIO`, `EPIPE`. */
export type DeviceError = { readonly code: string; readonly message: string };

/** Where the bytes of one sink go. One call at a time. */
export interface Device {
  /** Writes some of `bytes`, at least one unless there is an error; calls back once, never before it returned. */
  write(bytes: Uint8Array, done: (error: DeviceError | undefined, written: number) => void): void;
  /** Gives the device back, after what was written to it has reached the disk as far as that can be had. Calls back once. */
  close(done: () => void): void;
}

/** A device as it was opened; `tail` is what it already ends with, undefined where it is empty or has no memory. */
export type Opened = { readonly device: Device; readonly tail: Tail | undefined };

/** Opens the device of a sink: at start, and again for `reopen`. Calls back once. */
export type OpenDevice = (done: (error: DeviceError | undefined, opened: Opened | undefined) => void) => void;

/** Turns whatever a callback of Node gave into a `DeviceError`. */
export function deviceError(error: unknown): DeviceError {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return { code: typeof code === 'string' ? code : 'EUNKNOWN', message: typeof message === 'string' ? message : '' };
}
