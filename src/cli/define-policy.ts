import { command } from './define.ts';
import { list } from './option-values.ts';

import type { Command } from 'commander';
import type { Definer, Json } from './define.ts';

export type PolicyBuildOptions = Json & {
  readonly output: string;
  readonly decision?: readonly string[];
  readonly revision?: string;
};

/** `sallyport policy …`. */
export function definePolicy(program: Command, { act, terminal }: Definer): void {
  const policy = command(program, 'policy', 'Work with policies.', 'sallyport policy build policies -o policy.tar.gz');
  const example = 'sallyport policy build policies --decision envoy/authz/allow --output policy.tar.gz';
  command(policy, 'build', 'Compile Rego and data to a bundle that needs no compiler any more.', example)
    .argument('<folder>', 'folder of Rego and data, or a bundle of them')
    .option('-o, --output <file>', 'bundle to write', 'bundle.tar.gz')
    .option(
      '-d, --decision <entrypoint>',
      'rule that is asked; may be repeated (default: sallyport/authz/decision)',
      list,
    )
    .option('--revision <text>', "revision for the bundle's manifest")
    .option('--json', 'print as JSON')
    .action(
      act(async (folder: string, options: PolicyBuildOptions) => {
        return (await import('./commands/policy-build.ts')).policyBuild(folder, options, terminal);
      }),
    );
}
