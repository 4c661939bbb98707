import type { Judge, PolicyName, RunningTarget, World } from '../target.ts';
import { answering, judging } from './knock.ts';
import type { ProxyProcess } from './proxy-process.ts';

/** What has been started of a target, and what it is to do. */
export type Begun = {
  readonly world: World;
  readonly policy: PolicyName;
  readonly judge: Judge;
  readonly port: number;
  /** In the order in which they were started. */
  readonly processes: readonly ProxyProcess[];
  /** When the first was started, on the clock of `performance`. */
  readonly begun: number;
  /** Processes that these have started, once they answer. */
  readonly others?: () => readonly number[];
  readonly revise?: RunningTarget['revise'];
};

/** Waits until a target answers, and sees that it does what it is measured for; ends it where it does not. */
export async function started(target: Begun): Promise<RunningTarget> {
  const { world, policy, judge, port, processes, begun, others = () => [], revise } = target;
  const stop = async (): Promise<void> => {
    for (const one of processes.toReversed()) await one.stop();
  };
  try {
    const readyMs = await answering(world, port, processes, begun);
    await judging(world, port, judge, policy);
    const pids = [...processes.map(({ pid }) => pid), ...others()];
    return { pids, port, readyMs, stop, ...(revise !== undefined && { revise }) };
  } catch (error) {
    await stop();
    throw error;
  }
}
