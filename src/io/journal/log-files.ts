import { createReadStream } from 'node:fs';

import {
  createChainVerifier,
  type BrokenChain,
  type ChainVerifier,
  type SoundChain,
} from '../../core/record/verify.ts';

/** Longest line that is read back; a longer one is given in pieces, which no check accepts. */
const MAX_LINE_BYTES = 1_048_576;

const LINE_END = 10;

/** One line of a log file, as bytes without its line end. `ended` is false for what stands after the last line end. */
export type FileLine = { readonly bytes: Uint8Array; readonly ended: boolean };

/** Reads the lines of a log file in bounded memory, for `log show` and `log verify`. Throws what the file system throws. */
export async function* readLogLines(path: string): AsyncGenerator<FileLine> {
  let rest: Uint8Array = new Uint8Array();
  for await (const piece of createReadStream(path, { highWaterMark: 262_144 })) {
    let bytes: Uint8Array = rest.length === 0 ? (piece as Uint8Array) : Buffer.concat([rest, piece as Uint8Array]);
    for (let end = bytes.indexOf(LINE_END); end !== -1; end = bytes.indexOf(LINE_END)) {
      yield { bytes: bytes.subarray(0, end), ended: true };
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > MAX_LINE_BYTES) {
      yield { bytes, ended: true };
      bytes = new Uint8Array();
    }
    rest = bytes;
  }
  if (rest.length > 0) yield { bytes: rest, ended: false };
}

/** A verdict over files; a broken chain is placed in its file, by a line counted from 1 within it. */
export type FilesVerdict = SoundChain | (BrokenChain & { readonly file: string });

/**
 * Verifies the files of one decision log, oldest first. With `from`, the first line must follow the line with that hash. Throws what the file
 * system throws.
 */
export async function verifyLogFiles(paths: readonly string[], from?: string): Promise<FilesVerdict> {
  const verifier = createChainVerifier(from);
  for (const file of paths) {
    const before = verifier.lines;
    const broken = await verifyFile(verifier, file);
    if (broken !== undefined) return { ...broken, line: broken.line - before, file };
  }
  const verdict = verifier.verdict();
  return verdict.kind === 'sound' ? verdict : { ...verdict, file: paths.at(-1) ?? '' };
}

async function verifyFile(verifier: ChainVerifier, file: string): Promise<BrokenChain | undefined> {
  for await (const { bytes, ended } of readLogLines(file)) {
    if (!ended) return verifier.endFile(bytes);
    const broken = verifier.push(bytes);
    if (broken !== undefined) return broken;
  }
  return verifier.endFile(new Uint8Array());
}
