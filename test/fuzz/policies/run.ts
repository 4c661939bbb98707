import { randomInt } from 'node:crypto';

import fc from 'fast-check';

import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';
import { tapes } from './choices.ts';
import { compare } from './differences.ts';
import type { Difference } from './differences.ts';
import { USAGE, readOptions } from './options.ts';
import type { Options } from './options.ts';
import { generatePolicy } from './policy.ts';
import type { Generated } from './policy.ts';
import { usableCalls } from './usable-calls.ts';

const asked = readOptions(process.argv.slice(2), () => randomInt(2 ** 31));
if (asked === undefined) console.error(USAGE);
process.exitCode = asked === undefined ? 2 : await main(asked);

async function main(options: Options): Promise<number> {
  const compiler = createRegoCompiler();
  const calls = await usableCalls(compiler);
  const counts = { policies: 0, compared: 0, bounded: 0, known: 0, found: 0 };
  const until = performance.now() + options.minutes * 60_000;
  const differ = async (tape: readonly number[]): Promise<boolean> => {
    const { compared, bounded, known, differences } = await compare(generatePolicy(tape, calls), compiler);
    counts.policies += 1;
    counts.compared += compared;
    counts.bounded += bounded;
    counts.known += known;
    return differences.length === 0;
  };
  for (let seed = options.seed; performance.now() < until; seed += 1) {
    const tape = await firstDifference(differ, { ...options, seed }, until - performance.now());
    if (tape === undefined) continue;
    counts.found += 1;
    const generated = generatePolicy(tape, calls);
    const { differences } = await compare(generated, compiler);
    console.log(describe(generated, differences, seed));
  }
  await compiler.stop();
  const { policies, compared, bounded, known, found } = counts;
  console.log(
    `seed ${options.seed}, ${calls.length} built-ins: ${policies} policies, ${compared} answers compared, ${bounded} ended by their bounds, ${known} known differences of OPA's own, ${found} new differences`,
  );
  return found === 0 ? 0 : 1;
}

/** A tape on which evaluators part, as small as could be made; undefined where the time was up before. */
async function firstDifference(
  holds: (tape: readonly number[]) => Promise<boolean>,
  { seed, shrink }: Options,
  ms: number,
): Promise<readonly number[] | undefined> {
  const settings = { seed, numRuns: 500, endOnFailure: !shrink, interruptAfterTimeLimit: ms };
  const found = await fc.check(fc.asyncProperty(tapes, holds), settings);
  if (found.errorInstance instanceof Error && found.counterexample === null) throw found.errorInstance;
  if (!found.failed) return undefined;
  return found.counterexample?.[0];
}

function describe({ files, dataJson }: Generated, differences: readonly Difference[], seed: number): string {
  const shown = differences.slice(0, 2).map(({ rule, inputJson, answers }) => {
    const lines = Object.entries(answers).map(([who, line]) => `  ${who.padEnd(12)} ${line.slice(0, 300)}`);
    return `rule ${rule}, input ${inputJson}\n${lines.join('\n')}`;
  });
  const modules = Object.values(files).map((text) => text.replace('package p\n\n', ''));
  return [`--- seed ${seed}`, ...modules, `data ${dataJson}`, ...shown].join('\n');
}
