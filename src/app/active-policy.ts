import type { Config } from '../core/config/config.ts';
import type { Clock, Random } from '../core/kernel/clock.ts';
import { err, ok, type Result } from '../core/kernel/result.ts';
import type { LoadedPolicy } from '../core/policy/host.ts';
import { describeLoadProblem } from '../core/policy/load-problem.ts';
import { loadJudgedPolicy } from '../core/policy/second-opinion.ts';
import { loadDescriptors } from '../core/request/descriptors.ts';
import type { ProtoDescriptors } from '../core/request/grpc-body.ts';
import type { Source } from '../io/sources/follower.ts';
import { createPolicySource, type PolicyRevision } from '../io/sources/policy-source.ts';
import type { Problems } from '../io/sources/problem.ts';
import { createPolicyCompiler } from './policy-compiler.ts';

/** What decides now: a policy revision, and the descriptors that came with it. Swapped as one. */
export type ActivePolicy = { readonly policy: LoadedPolicy; readonly descriptors: ProtoDescriptors | undefined };

/** The policy of the configuration, followed. */
export type PolicyFollower = Source<ActivePolicy> & { stop(): void };

type Hooks = {
  readonly clock: Clock;
  readonly random: Random;
  readonly onChange: (active: ActivePolicy) => void;
  readonly onProblem: (problems: Problems | undefined) => void;
};

/** Follows `policy.bundle`: every revision is loaded into a new instance, judged against the reference evaluator, then swapped. */
export function followPolicy(config: Config['policy'], hooks: Hooks): PolicyFollower {
  if (config.bundle.kind !== 'path') throw new TypeError('configuration lets no policy.bundle pass that is not a path');
  const compiler = createPolicyCompiler(config.decision);
  const source = createPolicySource<ActivePolicy>(
    { bundle: config.bundle.path, protoDescriptors: config.protoDescriptors },
    {
      compile: compiler.compile,
      activate: (revision) => activate(revision, config, hooks),
      onChange: hooks.onChange,
      onProblem: hooks.onProblem,
    },
  );
  return {
    get current() {
      return source.current;
    },
    get problem() {
      return source.problem;
    },
    start: () => source.start(),
    reload: () => source.reload(),
    stop: () => {
      source.stop();
      void compiler.stop();
    },
  };
}

async function activate(
  revision: PolicyRevision,
  config: Config['policy'],
  { clock, random }: Pick<Hooks, 'clock' | 'random'>,
): Promise<Result<ActivePolicy, Problems>> {
  const descriptors = revision.descriptors === undefined ? ok(undefined) : await loadDescriptors(revision.descriptors);
  if (!descriptors.ok) return err([`${config.protoDescriptors}: ${descriptors.error}`]);
  const { wasm, plan, data, bundles } = revision;
  const policy = await loadJudgedPolicy(
    { wasm, plan, data, bundles, entrypoint: config.decision },
    { clock, random, memoryBytes: config.memory, budget: config.budget },
  );
  if (!policy.ok) return err([describeLoadProblem(policy.error)]);
  return ok(Object.freeze({ policy: policy.value, descriptors: descriptors.value }));
}
