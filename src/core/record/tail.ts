import { nextPrev, noticeLine } from './notice.ts';

/** How a log that is not empty ends. */
export type Tail = {
  /** What the next line's `prev` must be for the chain to go on; undefined where no intact line was found. */
  readonly next: string | undefined;
  /** True when something after the last intact line is none: it was cut short. */
  readonly torn: boolean;
  /** True when the last line has no line end. */
  readonly open: boolean;
};

/** How many bytes at the end of a file are looked at: more than any line has. */
export const TAIL_BYTES = 1_048_576;

const LINE_END = 10;

/** Reads how a log ends from its last bytes; undefined where there are none. */
export function readTail(bytes: Uint8Array): Tail | undefined {
  if (bytes.length === 0) return undefined;
  const open = bytes.at(-1) !== LINE_END;
  let end = open ? bytes.length : bytes.length - 1;
  let torn = false;
  for (;;) {
    const begin = end === 0 ? 0 : bytes.lastIndexOf(LINE_END, end - 1) + 1;
    const next = nextPrev(bytes.subarray(begin, end));
    if (next !== undefined) return { next, torn, open };
    torn = true;
    if (begin === 0) return { next: undefined, torn, open };
    end = begin - 1;
  }
}

/** What has to stand between the end of a log and a first line with that `prev`, so that the whole verifies: nothing, a line end, a notice. */
export function bridge(tail: Tail | undefined, prev: string, atMs: number): string {
  if (tail === undefined) return '';
  const glue = tail.open ? '\n' : '';
  if (!tail.torn && tail.next === prev) return glue;
  // Where nothing intact was found, the line after the notice may well continue an older file: then so does the notice.
  const seam = { prev: tail.next ?? prev, next: prev };
  return `${glue}${noticeLine({ kind: tail.torn ? 'torn' : 'joined' }, seam, atMs).line}\n`;
}
