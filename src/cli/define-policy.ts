import { command } from './define.ts';
import { count, percent } from './option-values.ts';

import type { Command } from 'commander';
import type { Definer, Json } from './define.ts';

/** Which Rego: version 1 unless `--v0`. */
export type Language = { readonly v0?: true };

export type PolicyCheckOptions = Json & Language & { readonly strict: boolean; readonly schema: string | boolean };

export type PolicyFmtOptions = Language & { readonly write?: true; readonly diff?: true; readonly check?: true };

export type PolicyTestOptions = Json &
  Language & {
    readonly filter?: string;
    readonly watch?: true;
    readonly coverage?: true;
    readonly threshold?: number;
    readonly junit?: string;
    readonly budget?: number;
    readonly verbose?: true;
  };

export type PolicyEvalOptions = Json &
  Language & {
    readonly decision?: string;
    readonly input?: string;
    readonly record?: string;
  };

export type PolicyBenchOptions = Json & Language & { readonly filter?: string; readonly rules: number };

export type PolicyNewOptions = { readonly force?: true };

/** `sallyport policy …` for those who write policies; bundles are in `define-policy-bundle.ts`. */
export function definePolicy(program: Command, definer: Definer): Command {
  const policy = command(
    program,
    'policy',
    'Write, test, explain and ship policies.',
    'sallyport policy test policies',
  );
  defineNew(policy, definer);
  defineCheck(policy, definer);
  defineTest(policy, definer);
  defineFmt(policy, definer);
  defineEval(policy, definer);
  defineBench(policy, definer);
  return policy;
}

/** A command on Rego: folders, bundles and files, in either version of the language. */
export function regoCommand(policy: Command, name: string, description: string, example: string): Command {
  return command(policy, name, description, example)
    .argument('<paths...>', 'folders of Rego and data, bundles (.tar.gz), or single files')
    .option('--v0', 'the language as it was before OPA 1.0 (a manifest that says its version is heard first)');
}

function defineNew(policy: Command, { act, terminal }: Definer): void {
  command(policy, 'new', 'Write a working policy with tests, to start from.', 'sallyport policy new demo')
    .argument('<folder>', 'folder to make')
    .option('--force', 'write into a folder that has files already; none of them is replaced')
    .action(
      act(async (folder: string, options: PolicyNewOptions) => {
        return (await import('./commands/policy-new.ts')).policyNew(folder, options, terminal);
      }),
    );
}

function defineCheck(policy: Command, { act, terminal }: Definer): void {
  regoCommand(
    policy,
    'check',
    'Find mistakes: syntax, types, and inputs that do not exist.',
    'sallyport policy check policies',
  )
    .option('--no-strict', 'let pass what OPA refuses in strict mode only, such as unused variables')
    .option('--schema <file>', "JSON Schema of the input (default: that of Sallyport's input)")
    .option('--no-schema', 'do not check what is read of the input')
    .option('--json', 'print as JSON')
    .action(
      act(async (paths: readonly string[], options: PolicyCheckOptions) => {
        return (await import('./commands/policy-check.ts')).policyCheck(paths, options, terminal);
      }),
    );
}

function defineTest(policy: Command, { act, terminal }: Definer): void {
  const description = "Run `test_` rules in OPA's interpreter and as the sidecar runs them; both must pass and agree.";
  regoCommand(policy, 'test', description, 'sallyport policy test policies --coverage')
    .option('-f, --filter <regex>', 'only tests whose path (data.package.test_name) matches')
    .option('-w, --watch', 'run again whenever a file changes')
    .option('-c, --coverage', 'which lines no test reached')
    .option('--threshold <percent>', 'least coverage; below it the answer is no', percent)
    .option('--budget <steps>', 'most steps of a test (default: what .manifest says, metadata.sallyport.budget)', count)
    .option('--junit <file>', 'also write a JUnit report')
    .option('-v, --verbose', 'every test with its steps, and what passing tests print')
    .option('--json', 'print as JSON')
    .action(
      act(async (paths: readonly string[], options: PolicyTestOptions) => {
        return (await import('./commands/policy-test.ts')).policyTest(paths, options, terminal);
      }),
    );
}

function defineFmt(policy: Command, { act, terminal }: Definer): void {
  regoCommand(policy, 'fmt', 'Format Rego as `opa fmt` does.', 'sallyport policy fmt policies --write')
    .option('-w, --write', 'rewrite the files')
    .option('-d, --diff', 'print what would change')
    .option('--check', 'print the files that would change; exit 1 if there are any')
    .action(
      act(async (paths: readonly string[], options: PolicyFmtOptions) => {
        return (await import('./commands/policy-fmt.ts')).policyFmt(paths, options, terminal);
      }),
    );
}

function defineEval(policy: Command, { act, terminal }: Definer): void {
  const description =
    'Ask a policy, and see why it answers so: rules, inputs read, cost. Exit 1 for a denial, or where a record would be another now.';
  const example =
    'sallyport policy eval policies --input input.json\nsallyport policy eval policies --record decisions.ndjson';
  regoCommand(policy, 'eval', description, example)
    .option(
      '-d, --decision <entrypoint>',
      'rule that is asked (default: sallyport/authz/decision, or that of the record)',
    )
    .option('-i, --input <file>', 'input document, JSON; - is stdin')
    .option('-r, --record <file>', 'decision records, one a line: each is asked again; - is stdin')
    .option('--json', 'print as JSON')
    .action(
      act(async (paths: readonly string[], options: PolicyEvalOptions) => {
        return (await import('./commands/policy-eval.ts')).policyEval(paths, options, terminal);
      }),
    );
}

function defineBench(policy: Command, { act, terminal }: Definer): void {
  const description = 'What each test costs, and which rules cost most: steps (the same on every machine) and time.';
  regoCommand(policy, 'bench', description, 'sallyport policy bench policies')
    .option('-f, --filter <regex>', 'only tests whose path (data.package.test_name) matches')
    .option('--rules <count>', 'how many rules to show', count, 10)
    .option('--json', 'print as JSON')
    .action(
      act(async (paths: readonly string[], options: PolicyBenchOptions) => {
        return (await import('./commands/policy-bench.ts')).policyBench(paths, options, terminal);
      }),
    );
}
