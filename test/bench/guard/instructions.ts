import { execFile, spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import type { Counts } from './counts.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const LOOP = 'test/bench/guard/instructions-loop';
/** What the loop imports, and what that imports. */
const SOURCES = ['src/core/**/*.ts', 'test/support/fake-exchange.ts', 'test/support/fake-gate-world.ts', `${LOOP}.ts`];

/** Nothing of V8 depends on time, on other threads or on chance: two runs differ by less than one instruction in a thousand. */
const FLAGS = ['--jitless', '--single-threaded', '--predictable', '--random-seed=1', '--hash-seed=1'];

/** Requests of two runs; what start-up costs is in both. */
const FEW = 100;
const MANY = 400;

/** Whether instructions can be counted on this machine. */
export function canCountInstructions(): boolean {
  return spawnSync('valgrind', ['--version']).status === 0;
}

/** Instructions that V8's interpreter and all it calls execute for a request in the gate, by callgrind. */
export async function countInstructions(): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-guard-'));
  try {
    strip(folder);
    const loop = join(folder, `${LOOP}.mjs`);
    const [few, many] = await Promise.all([executed(loop, FEW), executed(loop, MANY)]);
    return { instructions: { 'gate, GET, policy left out': Math.round((many - few) / (MANY - FEW)) } };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The sources as JavaScript: Node's own stripper is WebAssembly, which is not there without a compiler. */
function strip(folder: string): void {
  for (const path of globSync(SOURCES, { cwd: ROOT })) {
    const script = stripTypeScriptTypes(readFileSync(join(ROOT, path), 'utf8'));
    const to = join(folder, path.replace(/\.ts$/, '.mjs'));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, script.replace(/((?:from|import\() *'\.[^']*)\.ts'/g, "$1.mjs'"));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

async function executed(loop: string, times: number): Promise<number> {
  const args = ['--tool=callgrind', '--callgrind-out-file=/dev/null', process.execPath, ...FLAGS, loop, String(times)];
  const { stderr } = await promisify(execFile)('valgrind', args, { maxBuffer: 16 * 1_024 * 1_024 });
  const found = /Collected : (\d+)/.exec(stderr)?.[1];
  if (found === undefined) throw new Error(`callgrind did not say what it counted\n${stderr.slice(-2_000)}`);
  return Number(found);
}
