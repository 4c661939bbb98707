import type { Writable } from 'node:stream';

import { pino } from 'pino';

import { inert } from '../../core/record/json-text.ts';
import { withoutSecrets } from './secrets.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** The process log: fields for machines, a message for people. Secrets never. Other rooms declare the part of it that they use. */
export type Log = Readonly<
  Record<'debug' | 'info' | 'warn' | 'error', (fields: Readonly<Record<string, unknown>>, message: string) => void>
>;

/** A log that nobody reads. */
export const NULL_LOG: Log = Object.freeze({ debug: ignore, info: ignore, warn: ignore, error: ignore });

/** Bytes that may wait for a slow reader of the log; past that, lines are left out rather than memory filled or the process stopped. */
const BACKLOG_BYTES = 1_048_576;

/**
 * Creates the process log: one JSON object a line (pino) on `stream`, by default stderr, because stdout may carry decision records. `level` is
 * the least that is written.
 */
export function createLog(level: LogLevel, stream: Writable = process.stderr): Log {
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, boundedLines(stream));
  const at = (name: 'debug' | 'info' | 'warn' | 'error'): Log['info'] => {
    return (fields, message) => {
      if (logger.isLevelEnabled(name)) logger[name](withoutSecrets(fields), message);
    };
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Lines to a stream: nothing in them drives a terminal, a reader that is gone or slow costs lines, never the process. */
function boundedLines(stream: Writable): { write(line: string): void } {
  let skipped = 0;
  stream.on('error', () => {
    // A log whose reader is gone (EPIPE) must not end the process.
  });
  return {
    write: (line) => {
      if (stream.writableLength > BACKLOG_BYTES) {
        skipped += 1;
        return;
      }
      if (skipped > 0) stream.write(`{"level":40,"skipped":${skipped},"msg":"log lines were left out"}\n`);
      skipped = 0;
      stream.write(`${inert(line.trimEnd())}\n`);
    },
  };
}

function ignore(): void {
  // The null log says nothing.
}
