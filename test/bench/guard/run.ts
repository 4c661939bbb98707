/**
 * `npm run bench:guard`: counts what a request costs and compares it with `figures.json`; exit code 1 where something costs more (see README.md of this
 * folder). `--instructions` counts these as well, where valgrind is present. `--write` puts what was counted in place of the figures, if two countings agree. `--all` shows what is as committed, too.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';

import { compare, passes } from './compare.ts';
import { joined, type Counts } from './counts.ts';
import { readFigures, updated, writeFigures } from './figures.ts';
import { canCountInstructions, countInstructions } from './instructions.ts';
import { report } from './report.ts';
import { countSidecar } from './sidecar.ts';
import { STEADY_FLAGS } from './steady-flags.ts';

/** Kinds that come from proc(5), which only Linux has. */
const FROM_PROC: readonly string[] = ['reads', 'writes', 'bytesRead', 'bytesWritten'];

const { values } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    instructions: { type: 'boolean', default: false },
  },
});

async function count(): Promise<Counts> {
  const parts = await Promise.all([countInProcess(), countSidecar()]);
  return joined(values.instructions ? [...parts, await countInstructions()] : parts);
}

/** In a process of its own, for its flags. */
async function countInProcess(): Promise<Counts> {
  const args = [...STEADY_FLAGS, join(import.meta.dirname, 'in-process.ts')];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (child.exitCode !== 0) throw new Error('counting in process failed: see above');
  return JSON.parse(said) as Counts;
}

/** Kinds that were not counted; says why, where it was not a wish. */
function skippedOf(counts: Counts): readonly string[] {
  const skipped = FROM_PROC.filter((kind) => counts[kind] === undefined);
  if (skipped.length > 0) console.log(`not counted: ${skipped.join(', ')}: there is no /proc/self/io to read here`);
  return counts['instructions'] === undefined ? [...skipped, 'instructions'] : skipped;
}

/** Figures are only written where a second counting finds them again: a count that does not repeat would be a guard that cries wolf. */
async function write(): Promise<boolean> {
  const counts = await count();
  const figures = updated(readFigures(), counts, process.version, skippedOf(counts));
  console.log(report(compare(readFigures(), counts, skippedOf(counts)), values.all));
  const again = compare(figures, await count(), skippedOf(counts)).filter(({ verdict }) => verdict !== 'same' && verdict !== 'skipped'); // prettier-ignore
  if (again.length > 0) {
    console.log(`\nnot written: a second counting says something else\n${report(again, true)}`);
    return false;
  }
  writeFigures(figures);
  console.log('\nwritten, and the second counting agrees');
  return true;
}

async function check(): Promise<boolean> {
  const figures = readFigures();
  if (figures.node !== process.version) {
    console.log(`the figures are of Node ${figures.node}, this is ${process.version}: write them anew (--write) with the change of Node, and say what it changed`); // prettier-ignore
    return false;
  }
  const counts = await count();
  const rows = compare(figures, counts, skippedOf(counts));
  console.log(report(rows, values.all));
  return passes(rows);
}

if (values.instructions && !canCountInstructions()) {
  console.error('--instructions needs valgrind, which is not on the path: install it, or count without');
  process.exit(2);
}
process.exit((await (values.write ? write() : check())) ? 0 : 1);
