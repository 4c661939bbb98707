import type { DeviceError, OpenDevice } from '../../src/io/journal/device.ts';
import { readTail } from '../../src/core/record/tail.ts';

/** What a call of a device comes to: so many bytes, all of them, or an error. */
export type WriteResult = number | 'all' | { readonly error: string };

/**
 * A disk in memory with one path, for journals: files are made at opening, and a rename leaves the open file where it is. Every call waits
 * until the test answers it, so that any interleaving can be played.
 */
export interface MemoryDisk {
  readonly open: OpenDevice;
  /** Answers the oldest open call; false where none waits. With an error, nothing is opened. */
  answerOpen(error?: string): boolean;
  /** Answers the write under way; false where there is none. A count is cut to what was to be written. */
  answerWrite(result: WriteResult): boolean;
  /** Bytes of the write under way; 0 where there is none. */
  readonly writing: number;
  /** Takes the file at the path away (as `mv` does); the next opening makes a new one. */
  rename(): void;
  /** Puts a file at the path, as an earlier process left it. */
  place(text: string): void;
  /** What all files hold, oldest first. */
  texts(): readonly string[];
  readonly closed: number;
}

type File = { bytes: Buffer };

export function createMemoryDisk(): MemoryDisk {
  const files: File[] = [];
  const opens: ((error: DeviceError | undefined) => void)[] = [];
  let atPath: File | undefined;
  let write:
    | {
        readonly file: File;
        readonly bytes: Uint8Array;
        readonly done: (error: DeviceError | undefined, written: number) => void;
      }
    | undefined;
  let closed = 0;

  function fileAtPath(): File {
    if (atPath === undefined) {
      atPath = { bytes: Buffer.alloc(0) };
      files.push(atPath);
    }
    return atPath;
  }

  return {
    open: (done) => {
      opens.push((error) => {
        if (error !== undefined) {
          done(error, undefined);
          return;
        }
        const file = fileAtPath();
        const device = {
          write: (bytes: Uint8Array, written: (error: DeviceError | undefined, count: number) => void) => {
            if (write !== undefined) throw new Error('two writes at once');
            write = { file, bytes, done: written };
          },
          close: (given: () => void) => {
            closed += 1;
            given();
          },
        };
        done(undefined, { device, tail: readTail(file.bytes) });
      });
    },
    answerOpen: (error) => {
      const next = opens.shift();
      next?.(error === undefined ? undefined : { code: error, message: 'no' });
      return next !== undefined;
    },
    answerWrite: (result) => {
      const current = write;
      if (current === undefined) return false;
      write = undefined;
      if (typeof result === 'object') {
        current.done({ code: result.error, message: 'no' }, 0);
        return true;
      }
      const count = Math.min(result === 'all' ? Infinity : Math.max(1, result), current.bytes.length);
      current.file.bytes = Buffer.concat([current.file.bytes, current.bytes.subarray(0, count)]);
      current.done(undefined, count);
      return true;
    },
    get writing() {
      return write?.bytes.length ?? 0;
    },
    rename: () => {
      atPath = undefined;
    },
    place: (text) => {
      atPath = { bytes: Buffer.from(text) };
      files.push(atPath);
    },
    texts: () => files.map((file) => file.bytes.toString()),
    get closed() {
      return closed;
    },
  };
}
