import { command } from './define.ts';
import { regoCommand } from './define-policy.ts';
import { count, list } from './option-values.ts';

import type { Command } from 'commander';
import type { Definer, Json } from './define.ts';
import type { Language } from './define-policy.ts';

/** The key that a bundle is signed or verified with. */
export type KeyOptions = {
  readonly key?: string;
  readonly algorithm: string;
  readonly keyId?: string;
  readonly scope?: string;
};

export type PolicyBuildOptions = Json &
  Language &
  KeyOptions & {
    readonly output: string;
    readonly decision?: readonly string[];
    readonly revision?: string;
    readonly sequence?: number;
    readonly budget?: number;
  };

export type PolicyInspectOptions = Json & Language;

export type PolicySignOptions = Json & KeyOptions & { readonly key: string; readonly output?: string };

export type PolicyVerifyOptions = Json & KeyOptions & { readonly key: string };

/** `sallyport policy …` for those who ship policies. */
export function definePolicyBundle(policy: Command, definer: Definer): void {
  defineBuild(policy, definer);
  defineInspect(policy, definer);
  defineSign(policy, definer);
  defineVerify(policy, definer);
}

function defineBuild(policy: Command, { act, terminal }: Definer): void {
  const example =
    'sallyport policy build policies --decision envoy/authz/allow --output policy.tar.gz\nsallyport policy build policies --key key.pem --key-id ci --sequence 42';
  regoCommand(policy, 'build', 'Compile Rego and data to a bundle that needs no compiler any more.', example)
    .option('-o, --output <file>', 'bundle to write', 'bundle.tar.gz')
    .option(
      '-d, --decision <entrypoint>',
      'rule that is asked; may be repeated (default: sallyport/authz/decision)',
      list,
    )
    .option('--revision <text>', "revision for the bundle's manifest")
    .option('--sequence <number>', 'number that grows with each bundle: a sidecar refuses an older one', count)
    .option('--budget <steps>', 'most steps that a test of this policy may take; stands in the manifest', count)
    .option('--key <file>', 'sign the bundle with this private key (PEM), or secret')
    .option('--algorithm <name>', 'of the key: ES256, RS256, PS256, HS256 and so on', 'ES256')
    .option('--key-id <id>', 'name under which sidecars know the key')
    .option('--scope <text>', 'scope that the signature is for')
    .option('--json', 'print as JSON')
    .action(
      act(async (paths: readonly string[], options: PolicyBuildOptions) => {
        return (await import('./commands/policy-build.ts')).policyBuild(paths, options, terminal);
      }),
    );
}

function defineInspect(policy: Command, { act, terminal }: Definer): void {
  const description =
    'What a policy or bundle holds: entrypoints, annotations, what it reads, built-ins, sizes, signature.';
  regoCommand(policy, 'inspect', description, 'sallyport policy inspect policy.tar.gz')
    .option('--json', 'print as JSON')
    .action(
      act(async (paths: readonly string[], options: PolicyInspectOptions) => {
        return (await import('./commands/policy-inspect.ts')).policyInspect(paths, options, terminal);
      }),
    );
}

function keyCommand(policy: Command, name: string, description: string, example: string): Command {
  return command(policy, name, description, example)
    .argument('<bundle>', 'bundle (.tar.gz)')
    .requiredOption(
      '-k, --key <file>',
      name === 'sign' ? 'private key (PEM), or secret' : 'public key or certificate (PEM), or secret',
    )
    .option('-a, --algorithm <name>', 'of the key: ES256, RS256, PS256, HS256 and so on', 'ES256')
    .option('--key-id <id>', 'name of the key')
    .option('--scope <text>', 'scope of the signature')
    .option('--json', 'print as JSON');
}

function defineSign(policy: Command, { act, terminal }: Definer): void {
  keyCommand(
    policy,
    'sign',
    'Sign a bundle, in the format of OPA.',
    'sallyport policy sign policy.tar.gz --key key.pem --key-id ci',
  )
    .option('-o, --output <file>', 'signed bundle to write (default: the bundle itself)')
    .action(
      act(async (bundle: string, options: PolicySignOptions) => {
        return (await import('./commands/policy-sign.ts')).policySign(bundle, options, terminal);
      }),
    );
}

function defineVerify(policy: Command, { act, terminal }: Definer): void {
  const description = 'Is the bundle signed by this key, and is every file the one that was signed? Exit 1 if not.';
  keyCommand(policy, 'verify', description, 'sallyport policy verify policy.tar.gz --key public.pem').action(
    act(async (bundle: string, options: PolicyVerifyOptions) => {
      return (await import('./commands/policy-verify.ts')).policyVerify(bundle, options, terminal);
    }),
  );
}
