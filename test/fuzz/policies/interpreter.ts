import type { RegoCompiler } from '../../../src/io/rego/compiler.ts';
import type { Diagnostic } from '../../../src/io/rego/diagnostic.ts';
import { CONFLICT, UNDEFINED, valueLine } from './answers.ts';
import type { Line } from './answers.ts';
import type { Generated } from './policy.ts';

/** What OPA's interpreter answers for every rule, by name. The package is asked at once; each rule by itself where one of them fails. */
export async function interpret(
  policy: Generated,
  inputJson: string,
  compiler: RegoCompiler,
): Promise<ReadonlyMap<string, Line>> {
  const { files, rules, dataJson } = policy;
  const all = await compiler.evaluate({ files, dataJson, inputJson, entrypoint: 'p' });
  if (all.ok) {
    const values = JSON.parse(all.value.resultJson ?? '{}') as Readonly<Record<string, unknown>>;
    return new Map(rules.map((rule) => [rule, Object.hasOwn(values, rule) ? valueLine(values[rule]) : UNDEFINED]));
  }
  const lines = new Map<string, Line>();
  for (const rule of rules) {
    const one = await compiler.evaluate({ files, dataJson, inputJson, entrypoint: `p/${rule}` });
    const json = one.ok ? one.value.resultJson : undefined;
    if (!one.ok) lines.set(rule, errorLine(one.error));
    else lines.set(rule, json === undefined ? UNDEFINED : valueLine(JSON.parse(json)));
  }
  return lines;
}

function errorLine(errors: readonly Diagnostic[]): Line {
  const first = errors[0];
  return first?.code === 'eval_conflict_error' ? CONFLICT : `!${first?.code}: ${first?.message}`;
}
