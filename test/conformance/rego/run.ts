import { readFile, writeFile } from 'node:fs/promises';

import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';
import { differencesText } from '../known-differences.ts';
import { homesOfBuiltins, homesText, readBuiltinNames } from './built-in-homes.ts';
import type { Case } from './case.ts';
import { USAGE, readOptions } from './options.ts';
import type { Options } from './options.ts';
import { outcomeOf, summary } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { tables, withPart } from './report.ts';
import { runCase } from './run-case.ts';
import { findSuite, readSuite } from './suite.ts';

const DOCUMENT = new URL('../../../policies/conformance.md', import.meta.url);
/** Compilers beside each other: each is a process. */
const LANES = 2;

const options = readOptions(process.argv.slice(2));
process.exitCode = options === undefined ? refuse() : await main(options);

function refuse(): number {
  console.error(USAGE);
  return 2;
}

async function main(asked: Options): Promise<number> {
  const suite = await findSuite(asked.suite);
  if (suite.kind === 'missing') {
    console.error(`SKIPPED: ${suite.reason}`);
    return asked.suite === undefined ? 0 : 2;
  }
  const cases = (await readSuite(suite.folder)).filter((one, index) => isAsked(one, index, asked));
  const outcomes = await runAll(cases);
  console.log(summary(outcomes));
  if (asked.write) await writeDocument(outcomes, suite.opa);
  return outcomes.some((one) => one.kind === 'failed' || one.kind === 'stale') ? 1 : 0;
}

/** Only what all cases gave may stand in the documentation. */
async function writeDocument(outcomes: readonly Outcome[], opa: string): Promise<void> {
  const compiler = createRegoCompiler();
  const homes = homesText(await homesOfBuiltins(await readBuiltinNames(), compiler));
  await compiler.stop();
  const before = await readFile(DOCUMENT, 'utf8');
  const known = withPart(before, 'differences', differencesText());
  await writeFile(DOCUMENT, withPart(withPart(known, 'suite', tables(outcomes, opa)), 'built-ins', homes));
}

function isAsked({ group, note }: Case, index: number, { filter, every }: Options): boolean {
  return index % every === 0 && (filter === undefined || `${group}/${note}`.includes(filter));
}

async function runAll(cases: readonly Case[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    const compiler = createRegoCompiler();
    for (let at = next++; at < cases.length; at = next++) {
      const one = cases[at];
      if (one !== undefined) outcomes[at] = outcomeOf(one, await runCase(one, compiler));
    }
    await compiler.stop();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return outcomes;
}
