import { dir, ttl } from './ca-options.ts';
import { command } from './define.ts';

import type { Command } from 'commander';
import type { CaOptions } from './ca-options.ts';
import type { Definer } from './define.ts';

export type CaServeOptions = { readonly config?: string; readonly schema?: true; readonly reference?: true };
export type CaTokenOptions = CaOptions & { readonly id: string; readonly ttl: number; readonly out?: string };
export type CaListOptions = CaOptions;

/** `sallyport ca serve`, and what goes with an authority that serves. */
export function defineCaAtWork(ca: Command, { act, terminal }: Definer): void {
  command(
    ca,
    'serve',
    'Serve the authority: sidecars enrol and renew by themselves.',
    'sallyport ca serve --config authority.yaml',
  )
    .option('-c, --config <file>', 'configuration, YAML or JSON (default: the authority in certs/, on 127.0.0.1:8444)')
    .option('--schema', 'print the JSON Schema of that configuration instead')
    .option('--reference', 'print the reference of all its keys, as Markdown, instead')
    .action(act(async (options: CaServeOptions) => (await import('./commands/ca-serve.ts')).serve(options, terminal)));

  const token = 'sallyport ca token --id spiffe://example.org/agents/planner --out planner.token';
  command(ca, 'token', 'Make a one-time token by which an agent enrols.', token)
    .requiredOption('--id <spiffe-id>', 'SPIFFE ID that the token is good for')
    .addOption(ttl('how long it may be used', '1h'))
    .option('--out <file>', 'write it into this file, for its owner only, instead of printing it')
    .addOption(dir())
    .option('--json', 'print as JSON')
    .action(act(async (options: CaTokenOptions) => (await import('./commands/ca-token.ts')).token(options, terminal)));

  const list = "sallyport ca list\nsallyport ca list --json | jq '.certificates[].id'";
  command(ca, 'list', 'List what is in force: roots, issuing CAs, certificates, open tokens, bars.', list)
    .addOption(dir())
    .option('--json', 'print as JSON')
    .action(act(async (options: CaListOptions) => (await import('./commands/ca-list.ts')).list(options, terminal)));
}
