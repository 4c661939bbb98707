import { InvalidArgumentError } from 'commander';

import { command } from './define.ts';
import { list } from './option-values.ts';

import type { Command } from 'commander';
import type { Definer, Json } from './define.ts';

export type KubeCheckOptions = Json & {
  readonly filename: readonly string[];
  readonly config?: string;
  readonly values?: string;
  readonly namespace?: string;
  readonly diff?: true;
};

export type KubeStatusOptions = Json & {
  readonly namespace?: string;
  readonly allNamespaces?: true;
  readonly context?: string;
};

/** `sallyport kube …`, and what the injected init container runs. */
export function defineKube(program: Command, definer: Definer): void {
  const example = 'sallyport kube check -f deployment.yaml\nsallyport kube status';
  const kube = command(program, 'kube', 'What is injected into pods, and what is to be.', example);
  defineKubeCheck(kube, definer);
  defineKubeStatus(kube, definer);
  defineRedirect(program, definer);
}

function defineKubeCheck(kube: Command, { act, terminal }: Definer): void {
  const description =
    'What would be injected into the pods of these manifests? Exit 1 if one would be refused. No cluster is asked.';
  const example =
    'sallyport kube check -f deployment.yaml --diff\nhelm template mine ./chart | sallyport kube check -f - --values sallyport-values.yaml';
  command(kube, 'check', description, example)
    .requiredOption('-f, --filename <file>', 'manifests, YAML or JSON; - is stdin; may be repeated', list)
    .option('--config <file>', "the injector's configuration (default: what the chart installs)")
    .option('--values <file>', 'values that the chart is installed with')
    .option('-n, --namespace <name>', 'namespace of objects that name none (default: default)', namespaceName)
    .option('--diff', 'print what would be changed, as a unified diff')
    .option('--json', 'print as JSON')
    .action(
      act(async (options: KubeCheckOptions) => {
        return (await import('./commands/kube-check.ts')).kubeCheck(options, terminal);
      }),
    );
}

function defineKubeStatus(kube: Command, { act, terminal }: Definer): void {
  const description =
    'Each pod of the labelled namespaces: its sidecar, certificate, policy and problems. Asks with your kubectl (or KUBECTL). Exit 1 if something is wrong.';
  command(kube, 'status', description, 'sallyport kube status -n agents')
    .option('-n, --namespace <name>', 'only this namespace', namespaceName)
    .option('-A, --all-namespaces', 'all namespaces with the label; the default')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--json', 'print as JSON')
    .action(
      act(async (options: KubeStatusOptions) => {
        return (await import('./commands/kube-status.ts')).kubeStatusTable(options, terminal);
      }),
    );
}

/** Out of the main help: nobody but the injected init container has a network namespace that this is for. */
function defineRedirect(program: Command, { act, terminal }: Definer): void {
  const description =
    "Used by injected pods: sends the agent's ports to the sidecar, as SALLYPORT_REDIRECT says, and closes the rest. Needs NET_ADMIN.";
  const redirect = program
    .command('redirect', { hidden: true })
    .description(description)
    .addHelpText('after', '\nExample:\n  sallyport redirect --print')
    .allowExcessArguments(false)
    .helpCommand(false)
    .option('--print', 'print the rules (nft) instead, and change nothing');
  redirect.action(
    act(async ({ print }: { readonly print?: true }) => {
      return (await import('./commands/redirect.ts')).redirect(print === true, terminal);
    }),
  );
}

/** RFC 1123 label, as Kubernetes names namespaces. */
function namespaceName(text: string): string {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text))
    throw new InvalidArgumentError('It is no name of a namespace.');
  return text;
}
