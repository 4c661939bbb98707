import { runLoad } from './load-job.ts';
import type { LoadResult } from './load-job.ts';
import { loadAverage, memoryOf } from './machine.ts';
import type { Sample } from './stats.ts';
import type { RunningTarget, Target, World } from './target.ts';
import { calling, slowPipe } from './trouble.ts';
import type { End } from './trouble.ts';
import type { Step, Workload } from './workloads.ts';

/** What the harness has around the targets. */
export type Stage = {
  readonly world: World;
  readonly renew: () => Promise<void>;
  /** Processes of the harness that are no foreign load. */
  readonly helpers: readonly number[];
  readonly pinOther: readonly string[];
  readonly seconds: number;
};

/** Each connection is open and the compilers have seen the path. */
const WARMUP_SECONDS = 1;
/** A target that gets more answers wrong than this is not doing what is measured. */
const MOST_WRONG = 0.001;

/** All steps of a workload on one target in one round. Throws with the reason where the target cannot do it, or does it wrong. */
export async function measure(
  stage: Stage,
  workload: Workload,
  target: Target,
  round: number,
): Promise<readonly Sample[]> {
  const slow = workload.trouble?.slowLog ? await slowPipe(stage.world.folder, stage.pinOther) : undefined;
  try {
    const world: World = slow === undefined ? stage.world : { ...stage.world, slowLog: slow.path };
    const samples: Sample[] = [];
    for (const step of workload.steps) {
      const at = { workload: workload.id, step: step.id, target: target.id, round };
      if (step.kind !== 'start') continue;
      for (let start = 0; start < step.starts; start += 1)
        samples.push({ ...at, figures: await startOnce(world, workload, target) });
    }
    return [...samples, ...(await underLoad({ ...stage, world }, workload, target, round))];
  } finally {
    await slow?.end();
  }
}

async function startOnce(world: World, workload: Workload, target: Target): Promise<Sample['figures']> {
  const load = loadAverage();
  const running = await target.start(world, workload.policy);
  const { rssMiB } = memoryOf(running.pids);
  await running.stop();
  return { readyMs: running.readyMs, rssMiB, loadAverage: load };
}

async function underLoad(stage: Stage, workload: Workload, target: Target, round: number): Promise<readonly Sample[]> {
  const steps = workload.steps.filter((step) => step.kind !== 'start');
  if (steps.length === 0) return [];
  const running = await target.start(stage.world, workload.policy);
  try {
    const samples: Sample[] = [];
    for (const step of steps) {
      const figures = await measureStep(stage, workload, step, running);
      samples.push({ workload: workload.id, step: step.id, target: target.id, round, figures });
    }
    return samples;
  } finally {
    await running.stop();
  }
}

type LoadStep = Exclude<Step, { readonly kind: 'start' }>;

async function measureStep(
  stage: Stage,
  workload: Workload,
  step: LoadStep,
  running: RunningTarget,
): Promise<Sample['figures']> {
  const { world, renew, pinOther, helpers, seconds } = stage;
  const before = loadAverage();
  const scene = { world, running, renew, pinOther, seconds: seconds + WARMUP_SECONDS + 1 };
  const end: End | undefined = await workload.trouble?.make?.(scene);
  let result: LoadResult;
  try {
    const job = { ...calling(world, running, 'client'), ...step.load(world), warmupSeconds: WARMUP_SECONDS, seconds };
    result = await runLoad({ ...job, pids: running.pids, helpers }, pinOther);
  } finally {
    await end?.();
  }
  if (workload.trouble === undefined) refuseWrong(result);
  const { cpuMicros, ...others } = figuresOf(result, step);
  const cpu = workload.trouble?.hasOtherRequests ? {} : { cpuMicros };
  return { ...cpu, ...others, ...memoryOf(running.pids), readyMs: running.readyMs, loadAverage: before };
}

/** In calm every answer is the right one; what cannot do that is not compared. */
function refuseWrong({ requests, unexpected, failed, firstUnexpected, firstFailure, idleClosed }: LoadResult): void {
  if (requests === 0)
    throw new Error(`no request was answered: ${firstFailure ?? firstUnexpected ?? 'no reason given'}`);
  const wrong = unexpected + failed;
  if (wrong > requests * MOST_WRONG) {
    throw new Error(
      `${wrong} of ${requests + failed} requests went wrong, the first: ${firstUnexpected ?? firstFailure ?? 'no reason given'}`,
    );
  }
  if (idleClosed > 0) throw new Error(`${idleClosed} idle connections were closed`);
}

function figuresOf(result: LoadResult, step: LoadStep): Sample['figures'] & { readonly cpuMicros: number } {
  const { requests, unexpected, failed, perSecond, cpuMicrosPerRequest, latencyMicros, otherLoad } = result;
  const { p50, p90, p99, p999 } = latencyMicros;
  const common = {
    cpuMicros: cpuMicrosPerRequest,
    perSecond,
    otherLoad,
    refusedShare: (unexpected + failed) / Math.max(1, requests + failed),
  };
  return step.kind === 'rate' ? { ...common, p50, p90, p99, p999 } : common;
}
