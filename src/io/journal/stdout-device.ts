import { fstat } from 'node:fs';
import type { Writable } from 'node:stream';

import { deviceError, type Device, type OpenDevice } from './device.ts';
import { fdDevice } from './file-device.ts';

const STDOUT = 1;

/**
 * Opens standard output. A pipe or socket is written through `process.stdout`, which never blocks there and says by its callback when the
 * system has taken the bytes: a blocking `write(2)` to a pipe that nobody reads would hold a thread for good, and the process at its exit.
 * Anything else (a file, a terminal) is written like a file: `process.stdout` would write those synchronously.
 */
export const openStdout: OpenDevice = (done) => {
  fstat(STDOUT, (error, stats) => {
    if (error) done(deviceError(error), undefined);
    else if (stats.isFIFO() || stats.isSocket())
      done(undefined, { device: streamDevice(process.stdout), tail: undefined });
    else done(undefined, { device: fdDevice(STDOUT, false), tail: undefined });
  });
};

/** Writes to a stream. Once the reader is gone (EPIPE), every write fails; the process goes on. */
export function streamDevice(stream: Writable): Device {
  stream.on('error', () => {
    // Each write hears of it by its callback; without a listener here, Node would end the process.
  });
  return {
    write: (bytes, done) => {
      stream.write(bytes, (error) => done(error ? deviceError(error) : undefined, error ? 0 : bytes.length));
    },
    close: (done) => setImmediate(done),
  };
}
