import { readFile } from 'node:fs/promises';

import type { DecisionRecord } from '../core/model/record.ts';

/** Which record: that of the request with this trace or, where no request was read, that of a connection refused to this peer. */
export type Wanted = {
  readonly traceId: string;
  readonly peer: string;
  readonly direction: DecisionRecord['sallyport']['direction'];
};

const POLL_MS = 20;

/** The record of one call, from the journal of the sidecar that was called; undefined when it is not there within `withinMs`. */
export async function findRecord(
  journal: string,
  { traceId, peer, direction }: Wanted,
  withinMs: number,
): Promise<DecisionRecord | undefined> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const records = await readRecords(journal);
    const found =
      records.find((record) => record.trace_id === traceId && record.sallyport.direction === direction) ??
      records.find((record) => record.trace_id === undefined && record.sallyport.peer === peer);
    if (found !== undefined || performance.now() > deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Whole lines only: the last one may be on its way. */
async function readRecords(journal: string): Promise<readonly DecisionRecord[]> {
  const text = await readFile(journal, 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line): DecisionRecord => JSON.parse(line));
}
