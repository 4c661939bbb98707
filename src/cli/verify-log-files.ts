import { createChainVerifier } from '../core/record/verify.ts';
import { logLines } from './log-lines.ts';

import type { BrokenChain, ChainVerifier, SoundChain } from '../core/record/verify.ts';

/** A verdict over files; a broken chain is placed in its file, by a line counted from 1 within it. */
export type FilesVerdict = SoundChain | (BrokenChain & { readonly file: string });

/**
 * Verifies the files of one decision log, oldest first (`-`: stdin). With `from`, the first line must follow the line with that hash. Rejects where a file
 * cannot be read.
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
  for await (const part of logLines(file)) {
    const broken = part.kind === 'line' ? verifier.push(part.bytes) : verifier.endFile(part.bytes);
    if (broken !== undefined) return broken;
  }
  return undefined;
}
