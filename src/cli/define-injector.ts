import { command } from './define.ts';

import type { Command } from 'commander';
import type { Definer } from './define.ts';

export type InjectorOptions = {
  readonly config?: string;
  readonly check?: true;
  readonly schema?: true;
  readonly reference?: true;
};

/** `sallyport injector`. */
export function defineInjector(program: Command, { act, terminal }: Definer): void {
  const description = 'Run the Kubernetes injector until SIGTERM: the webhook, and the policies of namespaces.';
  command(program, 'injector', description, 'sallyport injector --config injector.yaml')
    .option('-c, --config <file>', 'configuration, YAML or JSON (the chart makes it)')
    .option('--check', 'check the file, and end')
    .option('--schema', 'print the JSON Schema of the configuration instead')
    .option('--reference', 'print the reference of all keys, as Markdown, instead')
    .action(
      act(async (options: InjectorOptions) => (await import('./commands/injector.ts')).injector(options, terminal)),
    );
}
