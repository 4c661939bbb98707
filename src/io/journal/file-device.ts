import { close, constants, fstat, fsync, open, read, write } from 'node:fs';

import { readTail, TAIL_BYTES } from '../../core/record/tail.ts';
import { deviceError, type Device, type OpenDevice } from './device.ts';

/** Append only, so that a second writer or a truncation (`copytruncate`) cannot make holes; not blocking, so that a named pipe cannot hang us. */
const FLAGS = constants.O_CREAT | constants.O_APPEND | constants.O_RDWR | constants.O_NONBLOCK;

/** Owner reads and writes, group reads: records hold what peers sent. The umask may narrow it. */
const MODE = 0o640;

/** Opens the file of a sink, creating it, and looks at how it ends. Refuses what is neither a regular file nor a character device. */
export function fileOpener(path: string): OpenDevice {
  return (done) => {
    open(path, FLAGS, MODE, (openError, fd) => {
      if (openError) {
        done(deviceError(openError), undefined);
        return;
      }
      fstat(fd, (statError, stats) => {
        const unfit = statError ?? (stats.isFile() || stats.isCharacterDevice() ? null : notAFile(path));
        if (unfit) close(fd, () => done(deviceError(unfit), undefined));
        else if (!stats.isFile()) done(undefined, { device: fdDevice(fd, true), tail: undefined });
        else lookAtEnd(fd, stats.size, done);
      });
    });
  };
}

/** Writes to a file descriptor. `owned`: it is ours to close. */
export function fdDevice(fd: number, owned: boolean): Device {
  return {
    // In the thread pool: a disk that stalls holds up one of its threads, never the event loop.
    write: (bytes, done) => {
      write(fd, bytes, 0, bytes.length, null, (error, written) => {
        if (error) done(deviceError(error), 0);
        else done(written === 0 ? { code: 'ENOPROGRESS', message: 'nothing was written' } : undefined, written);
      });
    },
    close: (done) => {
      fsync(fd, () => (owned ? close(fd, () => done()) : done()));
    },
  };
}

function lookAtEnd(fd: number, size: number, done: Parameters<OpenDevice>[0]): void {
  const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
  read(fd, bytes, 0, bytes.length, size - bytes.length, (error, count) => {
    if (error) close(fd, () => done(deviceError(error), undefined));
    else done(undefined, { device: fdDevice(fd, true), tail: readTail(bytes.subarray(0, count)) });
  });
}

function notAFile(path: string): Error & { code: string } {
  return Object.assign(new Error(`${path} is no regular file`), { code: 'ENOTFILE' });
}
