import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import { loadPolicy } from '../../../src/core/policy/host.ts';
import { describeLoadProblem } from '../../../src/core/policy/load-problem.ts';
import { compilePolicyModuleSync } from '../../../src/core/policy/policy-module.ts';
import type { RegoCompiler } from '../../../src/io/rego/compiler.ts';
import { STILL_WORLD } from '../../support/policy-host.ts';
import { bagLine, evaluationLine, isBounded } from './answers.ts';
import type { Line } from './answers.ts';
import { compileSound } from './compile.ts';
import type { Compiled } from './compile.ts';
import { interpret } from './interpreter.ts';
import { KNOWN, isKnown } from './known-differences.ts';
import type { Known } from './known-differences.ts';
import type { Generated } from './policy.ts';
import { openSdk } from './sdk.ts';

/** One rule and input on which evaluators part. */
export type Difference = {
  readonly rule: string;
  readonly inputJson: string;
  readonly answers: Readonly<Record<string, Line>>;
};

/** What was compared and what came of it; `known` are differences of OPA's own (`known-differences.ts`). */
export type Comparison = {
  readonly compared: number;
  readonly bounded: number;
  readonly known: number;
  readonly differences: readonly Difference[];
};

/** Puts every rule and input of a policy to OPA's interpreter, to our host in its three ways, and to OPA's SDK where it has the built-ins. */
export async function compare(
  generated: Generated,
  compiler: RegoCompiler,
  expectedDifferences: readonly Known[] = KNOWN,
): Promise<Comparison> {
  const compiled = await compileSound(generated, compiler);
  if (compiled === undefined) return { compared: 0, bounded: 0, known: 0, differences: [] };
  const ask = openHosts(compiled);
  const differences: Difference[] = [];
  const text = Object.values(compiled.policy.files).join('\n');
  let [compared, bounded, known] = [0, 0, 0];
  for (const inputJson of generated.inputsJson) {
    const expected = await interpret(compiled.policy, inputJson, compiler);
    for (const rule of compiled.policy.rules) {
      const answers = { interpreter: expected.get(rule) ?? 'not asked', ...ask(rule, inputJson) };
      compared += 1;
      if (isBounded(answers.whole)) bounded += 1;
      else if (agree(answers)) continue;
      else if (isKnown(answers.whole, text, expectedDifferences)) known += 1;
      else differences.push({ rule, inputJson, answers });
    }
  }
  return { compared, bounded, known, differences };
}

type Answers = { readonly whole: Line; readonly projected: Line; readonly remembered: Line; readonly sdk?: Line };

function agree({ interpreter, whole, projected, remembered, sdk }: Answers & { readonly interpreter: Line }): boolean {
  if (interpreter !== whole || projected !== whole || remembered !== whole) return false;
  return sdk === undefined || bagLine(sdk) === bagLine(whole);
}

function openHosts({ policy, build }: Compiled): (rule: string, inputJson: string) => Answers {
  const module = compilePolicyModuleSync(build.policyWasm);
  if (!module.ok) throw new Error(describeLoadProblem(module.error));
  const plan: unknown = JSON.parse(build.planJson);
  const data: unknown = JSON.parse(policy.dataJson);
  const hosts = new Map(
    policy.rules.map((rule) => {
      const loaded = loadPolicy({ wasm: module.value, plan, data, entrypoint: `p/${rule}`, bundles: {} }, STILL_WORLD);
      if (!loaded.ok) throw new Error(describeLoadProblem(loaded.error));
      return [rule, loaded.value] as const;
    }),
  );
  const bare = [...hosts.values()].every(({ builtins }) => builtins.length === 0);
  const sdk = bare ? openSdk(build.policyWasm, policy.dataJson) : undefined;
  return (rule, inputJson) => {
    const entrypoint = `p/${rule}`;
    const host = hosts.get(rule);
    if (host === undefined) throw new Error(`no host for ${rule}`);
    // The host takes any object; the type is what the gate gives it.
    const input = JSON.parse(inputJson) as unknown as PolicyInput;
    const answers = {
      whole: evaluationLine(host.query(entrypoint, input)),
      projected: evaluationLine(host.evaluate(input)),
      remembered: evaluationLine(host.evaluate(input)),
    };
    return sdk === undefined ? answers : { ...answers, sdk: sdk(entrypoint, inputJson) };
  };
}
