import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import type { Evaluation } from '../model/policy.ts';
import type { BuiltinCall } from './builtin-bridge.ts';
import { hiddenName, hideBuiltin } from './hide-builtin.ts';
import { loadPolicy } from './host.ts';
import { indexProbes } from './index-probes.ts';
import type { Constants } from './index-probes.ts';
import type { LoadedPolicy, PolicyOptions, PolicySource } from './host.ts';
import type { LoadProblem } from './load-problem.ts';
import { BUDGET_EXPORT, MAX_BUDGET } from './meter.ts';
import { compilePolicyModule } from './policy-module.ts';
import type { PolicyModule } from './policy-module.ts';
import { PROBES } from './probe-inputs.ts';
import type { Probe } from './probe-inputs.ts';

/** What is used of OPA's SDK. Its declarations leave out the default export, which is where these are. */
type Sdk = {
  readonly loadPolicySync: (
    module: WebAssembly.Module,
    memory: { initial: number; maximum: number },
    builtins: Readonly<Record<string, () => unknown>>,
  ) => ReferencePolicy;
};
type ReferencePolicy = {
  readonly wasmInstance: WebAssembly.Instance;
  setData(data: unknown): void;
  evaluate(input: unknown, entrypoint: string): unknown;
};

/** The reference evaluator for one revision; `answer` is given the built-in calls that our host made for the same input. */
type Reference = {
  readonly answer: (input: unknown, calls: readonly BuiltinCall[]) => unknown;
  readonly constants: Constants;
};

/**
 * Loads a revision and has it judged: our host and OPA's SDK answer every probe and must agree, and what the plan says is read must give the same answer as
 * the whole input. A revision on which they differ, or on which either fails, does not go live. This is what the rest of the program calls; compiling runs beside the event loop.
 */
export async function loadJudgedPolicy(
  source: PolicySource,
  options: PolicyOptions,
  probes: readonly Probe[] = PROBES,
): Promise<Result<LoadedPolicy, LoadProblem>> {
  const module = source.wasm instanceof Uint8Array ? await compilePolicyModule(source.wasm) : ok(source.wasm);
  if (!module.ok) return module;
  const policy = loadPolicy({ ...source, wasm: module.value }, options);
  if (!policy.ok) return policy;
  const opinion = await secondOpinion(policy.value, module.value, source.data, probes);
  return opinion.ok ? policy : opinion;
}

/**
 * Asks OPA's SDK about the probes. It is trusted with agreement only: it restores nothing after an error, so it is used once and dropped; it is given the
 * metered module without a rule index, so that it cannot run for ever and judges the index, and the answers that host built-ins gave to our host, in their order, so that both see the same.
 */
export async function secondOpinion(
  policy: LoadedPolicy,
  module: PolicyModule,
  data: unknown,
  probes: readonly Probe[],
): Promise<Result<undefined, LoadProblem>> {
  const answers: Answered[] = [];
  for (const probe of probes) {
    const { evaluation, calls } = policy.trace(probe.input);
    if (evaluation.kind === 'failed') {
      return err({
        kind: 'probe_failed',
        probe: probe.name,
        detail: `${evaluation.fault.code}: ${evaluation.fault.detail}`,
      });
    }
    if (policy.deterministic && !sameAnswer(policy.evaluate(probe.input), evaluation)) {
      const detail = 'what the plan says is read gives another answer than the whole input';
      return err({ kind: 'probe_disagrees', probe: probe.name, detail });
    }
    answers.push({ probe, evaluation, calls });
  }
  try {
    const reference = await openReference(policy, module, data);
    answers.push(...indexAnswers(policy, module, reference));
    for (const { probe, evaluation, calls } of answers) {
      if (!agrees(evaluation, reference.answer(probe.input, calls))) {
        return err({ kind: 'probe_disagrees', probe: probe.name, detail: 'the answers differ' });
      }
    }
    return ok(undefined);
  } catch (thrown) {
    return err({
      kind: 'probe_disagrees',
      probe: 'all',
      detail: `the reference evaluator failed: ${describe(thrown)}`,
    });
  }
}

type Answered = { readonly probe: Probe; readonly evaluation: Evaluation; readonly calls: readonly BuiltinCall[] };

/** What our host says to inputs made of the rule index. They are artificial: where a policy ends in an error for one, nothing is held against it. */
function indexAnswers(policy: LoadedPolicy, module: PolicyModule, { constants }: Reference): readonly Answered[] {
  const [base] = PROBES;
  if (base === undefined) return [];
  return indexProbes(module.index, constants, base.input)
    .map((probe) => ({ probe, ...policy.trace(probe.input) }))
    .filter(({ evaluation }) => evaluation.kind !== 'failed');
}

async function openReference(policy: LoadedPolicy, module: PolicyModule, data: unknown): Promise<Reference> {
  const { default: sdk } = (await import('@open-policy-agent/opa-wasm')) as unknown as { default: Sdk };
  const replay = new Replay();
  const builtins = Object.fromEntries(
    policy.builtins.flatMap((name) => [name, hiddenName(name)].map((alias) => [alias, () => replay.next(name)])),
  );
  const pages = policy.memoryBytes / 65_536;
  const reference = sdk.loadPolicySync(
    withoutOwnBuiltins(policy, module),
    { initial: pages, maximum: pages },
    builtins,
  );
  const refill = (): void => {
    (reference.wasmInstance.exports[BUDGET_EXPORT] as WebAssembly.Global).value = MAX_BUDGET;
  };
  refill();
  const constants = constantsOf(reference.wasmInstance);
  reference.setData(data);
  const answer = (input: unknown, calls: readonly BuiltinCall[]): unknown => {
    refill();
    replay.begin(calls);
    const answered = reference.evaluate(input, policy.entrypoint);
    replay.end();
    return answered;
  };
  return { answer, constants };
}

/** Constants in the static data of a module, which is the same in every instance. */
function constantsOf({ exports }: WebAssembly.Instance): Constants {
  const bytes = (): Uint8Array => new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer);
  const read = (start: number, end: number): string => new TextDecoder().decode(bytes().subarray(start, end));
  const dump = exports['opa_json_dump'] as (address: number) => number;
  return {
    value: (address) => {
      const start = dump(address);
      return JSON.parse(read(start, bytes().indexOf(0, start)));
    },
    text: (address, length) => read(address, address + length),
  };
}

/** The module as delivered, metered. The SDK prefers its own `sprintf`, which is not Go's, to the host's. */
function withoutOwnBuiltins(policy: LoadedPolicy, module: PolicyModule): WebAssembly.Module {
  if (!policy.builtins.includes('sprintf'))
    return module.index.length === 0 ? module.module : new WebAssembly.Module(module.metered);
  return new WebAssembly.Module(hideBuiltin(module.metered, 'sprintf'));
}

/** Gives out recorded answers of built-ins in the order in which they were asked for; another order is a difference. */
class Replay {
  #calls: readonly BuiltinCall[] = [];
  #at = 0;

  begin(calls: readonly BuiltinCall[]): void {
    this.#calls = calls;
    this.#at = 0;
  }

  next(name: string): unknown {
    const call = this.#calls[this.#at];
    this.#at += 1;
    if (call?.name !== name) throw new Error(`it calls ${name} where this host called ${call?.name ?? 'nothing'}`);
    return call.result === undefined ? undefined : JSON.parse(call.result);
  }

  end(): void {
    if (this.#at !== this.#calls.length) throw new Error('it calls fewer built-ins than this host did');
  }
}

/** True where the SDK's result set, `[]` or `[{"result": value}]`, says what our evaluation says. */
function agrees(evaluation: Evaluation, answer: unknown): boolean {
  return JSON.stringify(withoutOrder(resultSet(evaluation))) === JSON.stringify(withoutOrder(answer));
}

/** The SDK gives the elements of a set in the order of their hashes, and what was a set cannot be told: arrays are compared as bags. */
function withoutOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => JSON.stringify(withoutOrder(item))).sort();
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, part]) => [key, withoutOrder(part)] as const);
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

function sameAnswer(left: Evaluation, right: Evaluation): boolean {
  return left.kind === right.kind && JSON.stringify(resultSet(left)) === JSON.stringify(resultSet(right));
}

function resultSet(evaluation: Evaluation): unknown {
  return evaluation.kind === 'defined' ? [{ result: evaluation.value }] : [];
}

/** The SDK throws strings and plain objects as well as errors. */
function describe(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown.slice(0, 300);
  const message = typeof thrown === 'object' && thrown !== null && 'message' in thrown ? thrown.message : undefined;
  return typeof message === 'string' ? message.slice(0, 300) : `threw ${typeof thrown}`;
}
