import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { fault } from '../model/faults.ts';
import type { Evaluation } from '../model/policy.ts';
import { DEFAULT_INPUT_DEPTH, NO_INPUT, instanceOptions } from './host.ts';
import type { PolicyOptions } from './host.ts';
import { inputText } from './input-text.ts';
import { PolicyInstance } from './instance.ts';
import type { LoadProblem } from './load-problem.ts';
import { compilePolicyModuleSync } from './policy-module.ts';
import { RULE_ENTERED, profileModule } from './profile-module.ts';
import type { ProfiledModule } from './profile-module.ts';
import { indexModule } from './rule-index.ts';

/** What one rule took in one evaluation. */
export type RuleCost = {
  /** `data.package.rule`. */
  readonly rule: string;
  readonly calls: number;
  /** Steps of the rule and of the runtime and built-ins on its behalf, without the rules that it calls. */
  readonly steps: number;
};

/** One evaluation and where its steps went. */
export type Profile = {
  /** `steps` are those of the evaluation as it is without a profile. */
  readonly evaluation: Evaluation;
  /** Most expensive first. */
  readonly rules: readonly RuleCost[];
  /** Steps outside of any rule: reading the input and writing the answer. */
  readonly outside: number;
};

/** A policy that tells where its steps go. For authors: several times slower than a `LoadedPolicy`, and not meant to decide. */
export type PolicyProfile = {
  /** As `LoadedPolicy.query`: an object, or `undefined` for no input. */
  profile(entrypoint: string, input: unknown): Profile;
};

/** Loads a module for profiling. */
export function openProfile(
  source: { readonly wasm: Uint8Array; readonly data: unknown },
  options: PolicyOptions,
): Result<PolicyProfile, LoadProblem> {
  const profiled = profileModule(indexModule(source.wasm)?.wasm ?? source.wasm);
  if (!profiled.ok) return err({ kind: 'module_invalid', detail: profiled.error });
  const module = compilePolicyModuleSync(profiled.value.wasm);
  if (!module.ok) return module;
  const data = inputText(source.data, JSON.stringify, DEFAULT_INPUT_DEPTH * 4);
  if (!data.ok) return err({ kind: 'data_invalid', detail: data.error.detail });
  const account = new Account(profiled.value);
  const bounds = { ...instanceOptions(options), tell: account.hear.bind(account) };
  const instance = PolicyInstance.open(module.value.module, data.value, bounds);
  if (!instance.ok) return instance;
  return ok({ profile: (entrypoint, input) => profile(instance.value, account, bounds.budget, entrypoint, input) });
}

function profile(
  instance: PolicyInstance,
  account: Account,
  budget: number,
  entrypoint: string,
  input: unknown,
): Profile {
  const id = instance.entrypoints.get(entrypoint);
  const text = input === undefined ? ok(NO_INPUT) : inputText(input, JSON.stringify, DEFAULT_INPUT_DEPTH);
  if (id === undefined || !text.ok) {
    const reason = text.ok ? fault('policy_failed', `no entrypoint ${entrypoint}`) : text.error;
    return { evaluation: { kind: 'failed', fault: reason, steps: 0 }, rules: [], outside: 0 };
  }
  account.begin(budget);
  const evaluation = instance.evaluate(id, text.value);
  account.end(budget - evaluation.steps);
  return {
    evaluation: { ...evaluation, steps: evaluation.steps - account.telling },
    rules: account.rules(),
    outside: account.outside,
  };
}

/** Books of one evaluation: whom the steps since the last event belong to. */
class Account {
  /** Steps that telling took. */
  telling = 0;
  outside = 0;
  readonly #module: ProfiledModule;
  readonly #costs: { calls: number; steps: number }[];
  readonly #open: number[] = [];
  #left = 0;

  constructor(module: ProfiledModule) {
    this.#module = module;
    this.#costs = module.rules.map(() => ({ calls: 0, steps: 0 }));
  }

  begin(budget: number): void {
    this.telling = 0;
    this.outside = 0;
    this.#left = budget;
    this.#open.length = 0;
    for (const cost of this.#costs) cost.calls = cost.steps = 0;
  }

  hear(event: number, rule: number, left: number): void {
    this.#book(left);
    if (event !== RULE_ENTERED) {
      this.#open.pop();
      return;
    }
    // The wrapper was paid for by whoever called.
    const overhead = this.#module.overhead[rule] ?? 0;
    this.telling += overhead;
    this.#add(-overhead);
    this.#open.push(rule);
    const cost = this.#costs[rule];
    if (cost !== undefined) cost.calls += 1;
  }

  end(left: number): void {
    this.#book(left);
  }

  /** One line for each name, variants together, most expensive first. */
  rules(): readonly RuleCost[] {
    const byName = new Map<string, { calls: number; steps: number }>();
    this.#costs.forEach(({ calls, steps }, number) => {
      if (calls === 0) return;
      const name = this.#module.rules[number] ?? '';
      const known = byName.get(name) ?? { calls: 0, steps: 0 };
      byName.set(name, { calls: known.calls + calls, steps: known.steps + steps });
    });
    return [...byName].map(([rule, cost]) => ({ rule, ...cost })).sort((a, b) => b.steps - a.steps);
  }

  #book(left: number): void {
    this.#add(this.#left - left);
    this.#left = left;
  }

  #add(steps: number): void {
    const cost = this.#costs[this.#open.at(-1) ?? -1];
    if (cost === undefined) this.outside += steps;
    else cost.steps += steps;
  }
}
