import { createRegoCompiler } from '../../src/io/rego/compiler.ts';
import { loadJudgedPolicy } from '../../src/core/policy/second-opinion.ts';
import { STILL_WORLD } from '../support/policy-host.ts';
import { DECISION, libraryFiles } from '../support/policy-library.ts';
import { table } from './policy-clock.ts';
import { median } from './process-cost.ts';

/** Wall-clock milliseconds from Rego to a judged policy: the starter library with a cold compiler (its worker starts) and a warm one. */
export async function compileTimes(rounds: number): Promise<void> {
  const times: Record<'cold' | 'warm' | 'load', number[]> = { cold: [], warm: [], load: [] };
  for (let round = 0; round < rounds; round += 1) {
    const compiler = createRegoCompiler();
    const build = () => compiler.build({ files: libraryFiles(), entrypoints: [DECISION] });
    times.cold.push(await milliseconds(build));
    await build();
    times.warm.push(await milliseconds(build), await milliseconds(build));
    const built = await build();
    if (!built.ok) throw new Error(JSON.stringify(built.error));
    const { policyWasm, planJson } = built.value;
    const source = {
      wasm: policyWasm,
      plan: JSON.parse(planJson) as unknown,
      data: {},
      entrypoint: DECISION,
      bundles: {},
    };
    times.load.push(await milliseconds(() => loadJudgedPolicy(source, STILL_WORLD)));
    await compiler.stop();
  }
  table(
    ['from Rego to a decision', 'ms, median', 'least', 'aim'],
    [
      ['starter library compiled, cold', ...summary(times.cold), '< 2,000'],
      ['starter library compiled, warm', ...summary(times.warm), '< 300'],
      ['module loaded and judged', ...summary(times.load), ''],
    ],
  );
}

async function milliseconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

function summary(times: readonly number[]): readonly [number, number] {
  return [Math.round(median(times)), Math.round(Math.min(...times))];
}
