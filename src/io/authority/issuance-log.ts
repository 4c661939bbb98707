import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { err, ok } from '../../core/kernel/result.ts';
import { prevOf } from '../../core/record/chain.ts';
import { nextPrev } from '../../core/record/notice.ts';
import { bridge, readTail } from '../../core/record/tail.ts';
import { forgetRecords, pendingRecords } from './record-rows.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { Tail } from '../../core/record/tail.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { PendingRecord } from './record-rows.ts';

/** Name of the log within the folder of an authority: `sallyport log verify` checks it. */
export const LOG_FILE = 'issuance.jsonl';

/** Records moved in one transaction, so that other processes never wait long. */
const BATCH = 500;

/** How much of the end of the file is looked at: many times the longest line. */
const LOOK_BYTES = 65_536;

/** Append only, for its owner only. Not blocking, so that a named pipe cannot hang us. */
const FLAGS = constants.O_CREAT | constants.O_APPEND | constants.O_RDWR | constants.O_NONBLOCK;
const MODE = 0o600;

/**
 * Moves records from the database to the log file, in order, each exactly once: a record is forgotten by the database only after the file was
 * synced, and one that the file has already (the process died in between) is not written again. A line that was cut short is declared by a
 * `torn` notice and written anew. Several processes may do this at once. Gives how many were moved.
 */
export function moveRecordsToLog(store: AuthorityStore, atMs: number): Result<number, string> {
  let moved = 0;
  for (;;) {
    const batch = store.write(({ database }): Result<number, string> => {
      const pending = pendingRecords(database, BATCH);
      const last = pending.at(-1);
      if (last === undefined) return ok(0);
      const written = writePending(join(store.folder, LOG_FILE), pending, atMs);
      if (!written.ok) return written;
      forgetRecords(database, last.number);
      return ok(pending.length);
    });
    if (!batch.ok) return batch;
    if (!batch.value.ok) return batch.value;
    moved += batch.value.value;
    if (batch.value.value < BATCH) return ok(moved);
  }
}

function writePending(path: string, pending: readonly PendingRecord[], atMs: number): Result<void, string> {
  let file: number | undefined;
  try {
    file = openSync(path, FLAGS, MODE);
    const tail = tailOf(file);
    const lines = missingIn(tail, pending);
    const [first] = lines;
    if (first !== undefined) {
      const text = `${bridge(tail, prevOf(first), atMs)}${lines.join('\n')}\n`;
      writeAll(file, new TextEncoder().encode(text));
    }
    fsyncSync(file);
    return ok(undefined);
  } catch (error) {
    return err(`${path}: ${error instanceof Error ? error.message : 'cannot be written'}`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function missingIn(tail: Tail | undefined, pending: readonly PendingRecord[]): readonly string[] {
  const encoder = new TextEncoder();
  const last = pending.findLastIndex(({ line }) => nextPrev(encoder.encode(line)) === tail?.next);
  return pending.slice(last + 1).map(({ line }) => line);
}

function tailOf(file: number): Tail | undefined {
  const stats = fstatSync(file);
  if (!stats.isFile()) throw new Error('is no regular file');
  const bytes = new Uint8Array(Math.min(stats.size, LOOK_BYTES));
  const read = readSync(file, bytes, 0, bytes.length, stats.size - bytes.length);
  return readTail(bytes.subarray(0, read));
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) {
    const written = writeSync(file, bytes, offset);
    if (written === 0) throw new Error('nothing was written');
    offset += written;
  }
}
