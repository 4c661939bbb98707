import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { verifyChain } from '../../../src/core/identity/verify-chain.ts';
import { err, ok } from '../../../src/core/kernel/result.ts';
import { readVectors } from './vector.ts';

import type { Verdict } from '../../../src/core/identity/verify.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { Vector } from './vector.ts';

/** A vector with what we say. */
export type Judged = { readonly vector: Vector; readonly verdict: Verdict; readonly agrees: boolean };

/** Judges every vector of the `*.json` files of a folder, in the order of their names. The error names the file that cannot be read. */
export async function judgeFolder(folder: string): Promise<Result<readonly Judged[], string>> {
  let names: readonly string[];
  try {
    names = (await readdir(folder)).filter((name) => name.endsWith('.json')).toSorted();
  } catch {
    return err(`${folder}: no folder that can be read`);
  }
  const judged: Judged[] = [];
  for (const name of names) {
    const vectors = readVectors(await readFile(join(folder, name), 'utf8'));
    if (!vectors.ok) return err(`${name}: ${vectors.error}`);
    judged.push(...vectors.value.map(judge));
  }
  return judged.length > 0 ? ok(judged) : err(`${folder}: no vectors; they are in files *.json`);
}

function judge(vector: Vector): Judged {
  const verdict = verifyChain(vector.question);
  const accepted = verdict.kind === 'identified';
  const otherFault = verdict.kind === 'rejected' && vector.fault !== undefined && verdict.fault.code !== vector.fault;
  return { vector, verdict, agrees: accepted === (vector.expect === 'accept') && !otherFault };
}

/** One line a vector, those that differ last, and the count. Control characters of names and details are shown as U+FFFD. */
export function table(judged: readonly Judged[]): string {
  const width = Math.max(...judged.map(({ vector }) => vector.name.length));
  const lines = judged
    .toSorted((one, other) => Number(other.agrees) - Number(one.agrees))
    .map(({ vector, verdict, agrees }) => {
      const said = verdict.kind === 'identified' ? `accept  ${verdict.spiffeId}` : `reject  ${reasonOf(verdict)}`;
      const wanted = agrees
        ? ''
        : `  (expected ${vector.expect}${vector.fault === undefined ? '' : ` ${vector.fault}`})`;
      return `${agrees ? 'agrees ' : 'DIFFERS'}  ${vector.name.padEnd(width)}  ${said}${wanted}`;
    });
  const differing = judged.filter(({ agrees }) => !agrees).length;
  const count = `${judged.length} vectors, ${judged.length - differing} agree, ${differing} differ`;
  return [...lines, count].map((line) => line.replaceAll(/\p{Cc}/gu, '\u{FFFD}')).join('\n');
}

function reasonOf({ fault }: Extract<Verdict, { kind: 'rejected' }>): string {
  return `${fault.code}: ${fault.detail}`;
}
