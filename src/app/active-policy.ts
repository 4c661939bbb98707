import { basename } from 'node:path';

import type { Config } from '../core/config/config.ts';
import type { Clock, Random } from '../core/kernel/clock.ts';
import { err, ok, type Result } from '../core/kernel/result.ts';
import { callPlaces } from '../core/policy/call-places.ts';
import { describeLoadProblem, type LoadProblem } from '../core/policy/load-problem.ts';
import { compilePolicyModule } from '../core/policy/policy-module.ts';
import { loadJudgedPolicy } from '../core/policy/second-opinion.ts';
import { loadDescriptors } from '../core/request/descriptors.ts';
import type { OwnIdentity } from '../io/control/peer-connection.ts';
import { newBundleState, type BundleState } from '../io/sources/bundle-state.ts';
import type { Source } from '../io/sources/follower.ts';
import type { CompileRego, PolicyRevision } from '../io/sources/policy-revision.ts';
import { createPolicySource } from '../io/sources/policy-source.ts';
import type { Problems } from '../io/sources/problem.ts';
import { readVerification } from '../io/sources/verification-keys.ts';
import { createPolicyCompiler } from './policy-compiler.ts';
import { policyDelivery, type ActivePolicy } from './policy-delivery.ts';
import { followServedPolicy } from './served-policy.ts';

export type { ActivePolicy } from './policy-delivery.ts';

/** A policy of the configuration, followed. */
export type Followed<T> = Source<T> & {
  /** Ends the compiler too. */
  stop(): void;
  /** True where a first policy that is no good yet is no reason not to start: a bundle server may give one at any time. */
  readonly mayComeLater: boolean;
  /** How its bundle does, for status reports. */
  readonly bundle: BundleState;
};

export type PolicyFollower = Followed<ActivePolicy>;

/** Undefined where there is none at present. */
export type CandidateFollower = Followed<ActivePolicy | undefined>;

type Hooks<T> = {
  readonly clock: Clock;
  readonly random: Random;
  readonly onChange: (active: T) => void;
  readonly onProblem: (problems: Problems | undefined) => void;
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** The state of the bundle changed. */
  readonly onState?: (() => void) | undefined;
  /** For a bundle server that has to prove a SPIFFE ID: without it such a server is not asked. */
  readonly identity?: OwnIdentity | undefined;
  /** Whether other threads are to have it, too (`ActivePolicy.delivery`). Default false. */
  readonly deliver?: boolean | undefined;
};

/** Follows `policy.bundle`: every revision is loaded into a new instance, judged against the reference evaluator, then swapped. */
export function followPolicy(config: Config['policy'], hooks: Hooks<ActivePolicy>): PolicyFollower {
  return follow<never>(config, hooks, undefined);
}

/**
 * Follows `policy.candidate`, as `policy.bundle` is followed, but that it may be absent, and that nothing of it is kept for a restart: what is on trial has
 * to be offered. Undefined without that key.
 */
export function followCandidate(
  config: Config['policy'],
  hooks: Hooks<ActivePolicy | undefined>,
): CandidateFollower | undefined {
  const { candidate } = config;
  if (candidate === undefined) return undefined;
  const { bundle, decision = config.decision } = candidate;
  const bundleServer = { ...config.bundleServer, persist: undefined };
  return follow<undefined>({ ...config, bundle, decision, bundleServer }, hooks, () => undefined);
}

/** What a policy that may be absent is followed with besides: what stands for it then. */
type Absent<None extends undefined> = (() => None) | undefined;

function follow<None extends undefined>(
  config: Config['policy'],
  hooks: Hooks<ActivePolicy | None>,
  absent: Absent<None>,
): Followed<ActivePolicy | None> {
  const compiler = createPolicyCompiler(config.decision);
  const { source, bundle } = sourceOf(config, hooks, compiler.compile, absent);
  return {
    get current() {
      return source.current;
    },
    get problem() {
      return source.problem;
    },
    get bundle() {
      return bundle();
    },
    mayComeLater: config.bundle.kind !== 'path',
    start: () => source.start(),
    reload: () => source.reload(),
    stop: () => {
      source.stop();
      void compiler.stop();
    },
  };
}

type Sourced<T> = { readonly source: Source<T>; readonly bundle: () => BundleState };

function sourceOf<None extends undefined>(
  config: Config['policy'],
  hooks: Hooks<ActivePolicy | None>,
  compile: CompileRego,
  absent: Absent<None>,
): Sourced<ActivePolicy | None> {
  const { onWarning = ignore, onState = ignore, ...world } = hooks;
  const activated = (revision: PolicyRevision): ReturnType<typeof activate> => activate(revision, config, hooks);
  const parts = { ...world, compile, activate: activated, ...(absent !== undefined && { absent }) };
  if (config.bundle.kind !== 'path') {
    const served = followServedPolicy<ActivePolicy | None>(config, config.bundle, { ...parts, onWarning, onState });
    return { source: served, bundle: () => served.state };
  }
  const { path } = config.bundle;
  const source = createPolicySource<ActivePolicy | None>(
    {
      bundle: path,
      protoDescriptors: config.protoDescriptors,
      verification: () => readVerification(config.verification),
    },
    parts,
  );
  return { source, bundle: () => localState(path, source) };
}

/** A folder or file tells less of itself than a server's bundle. */
function localState(path: string, source: Source<ActivePolicy | undefined>): BundleState {
  const [name = basename(path), bundle] = Object.entries(source.current?.policy.bundles ?? {})[0] ?? [];
  const errors = source.problem;
  return {
    ...newBundleState(name),
    activeRevision: bundle?.revision,
    problem: errors && { message: errors[0] ?? '', errors, httpCode: undefined },
  };
}

function ignore(): void {
  // Nobody asked.
}

async function activate(
  revision: PolicyRevision,
  config: Config['policy'],
  { clock, random, deliver = false }: Pick<Hooks<never>, 'clock' | 'random' | 'deliver'>,
): Promise<Result<ActivePolicy, Problems>> {
  const descriptors = revision.descriptors === undefined ? ok(undefined) : await loadDescriptors(revision.descriptors);
  if (!descriptors.ok) return err([`${config.protoDescriptors}: ${descriptors.error}`]);
  const { plan, data, bundles } = revision;
  const module = await compilePolicyModule(revision.wasm);
  if (!module.ok) return err([describeLoadProblem(module.error)]);
  const source = { wasm: module.value, plan, data, bundles, entrypoint: config.decision };
  const bounds = { memoryBytes: config.memory, budget: config.budget };
  const policy = await loadJudgedPolicy(source, { clock, random, ...bounds });
  if (!policy.ok) return err([describeLoadProblem(policy.error), ...callsOfMissing(policy.error, revision)]);
  const delivery = deliver ? policyDelivery(source, module.value, revision.descriptors) : undefined;
  return ok(Object.freeze({ policy: policy.value, descriptors: descriptors.value, delivery }));
}

/** Where a delivered policy calls what is not here, one line for each built-in whose call is found in the Rego beside it. */
function callsOfMissing(problem: LoadProblem, { rego }: PolicyRevision): Problems {
  if (problem.kind !== 'builtins_missing') return [];
  return problem.names.flatMap((name) => {
    const places = callPlaces(rego, name);
    return places.length === 0 ? [] : [`${name} is called in ${places.join(', ')}`];
  });
}
