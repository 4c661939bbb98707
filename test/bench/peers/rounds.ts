import { measure } from './measure.ts';
import type { Stage } from './measure.ts';
import type { LeftOut } from './report.ts';
import type { Sample } from './stats.ts';
import type { Target } from './target.ts';
import type { Workload } from './workloads.ts';

/** What a start and an end take, and what a step takes beyond its window: warm-up, connections. For the estimate only. */
const START_SECONDS = 1.5;
const STEP_SECONDS = 1.5;

/** A target in a workload. */
type Turn = { readonly workload: Workload; readonly target: Target };

/** About how long one round takes. */
export function secondsOf(workloads: readonly Workload[], targets: readonly Target[], seconds: number): number {
  const turns = workloads.flatMap((workload) => turnsOf(workload, targets, 0));
  const each = turns.flatMap(({ workload: { steps } }) => {
    const loads = steps.filter(({ kind }) => kind !== 'start').length;
    const starts = steps.flatMap((step) => (step.kind === 'start' ? step.starts : []));
    return [
      ...starts.map((count) => count * START_SECONDS),
      loads === 0 ? 0 : START_SECONDS + loads * (seconds + STEP_SECONDS),
    ];
  });
  return each.reduce((sum, one) => sum + one, 0);
}

/** The targets of a workload in the order of a round: each round begins with the next. */
export function turnsOf(workload: Workload, targets: readonly Target[], round: number): readonly Turn[] {
  const able = targets.filter(
    ({ id, cannot }) => workload.targets.includes(id) && cannot(workload.policy) === undefined,
  );
  const first = able.length === 0 ? 0 : round % able.length;
  return [...able.slice(first), ...able.slice(0, first)].map((target) => ({ workload, target }));
}

/** All rounds. A target that fails is left out of that workload with the reason, and the run goes on; one that worked before is tried again in the next round. */
export async function runRounds(
  stage: Stage,
  workloads: readonly Workload[],
  targets: readonly Target[],
  rounds: number,
  over: AbortSignal,
  say: (line: string) => void,
): Promise<{ readonly samples: readonly Sample[]; readonly leftOut: readonly LeftOut[] }> {
  const samples: Sample[] = [];
  const leftOut: LeftOut[] = workloads.flatMap((workload) => unable(workload, targets));
  for (let round = 0; round < rounds; round += 1) {
    for (const { workload, target } of workloads.flatMap((one) => turnsOf(one, targets, round))) {
      if (over.aborted) return { samples, leftOut };
      const at = { workload: workload.id, target: target.id };
      const failedBefore = leftOut.some((one) => one.workload === at.workload && one.target === at.target);
      if (failedBefore && !samples.some((one) => one.workload === at.workload && one.target === at.target)) continue;
      say(`round ${round + 1} of ${rounds}: ${at.workload}, ${at.target}`);
      try {
        samples.push(...(await measure(stage, workload, target, round)));
      } catch (error) {
        const reason = `round ${round + 1}: ${(error as Error).message}`;
        say(`  left out: ${reason}`);
        if (!failedBefore) leftOut.push({ ...at, reason });
      }
    }
  }
  return { samples, leftOut };
}

function unable(workload: Workload, targets: readonly Target[]): readonly LeftOut[] {
  return targets.flatMap(({ id, cannot }) => {
    const reason = cannot(workload.policy);
    return reason === undefined || !workload.targets.includes(id)
      ? []
      : [{ target: id, workload: workload.id, reason }];
  });
}
