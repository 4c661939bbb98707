import { Option } from 'commander';

import { command } from './define.ts';
import { duration, list } from './option-values.ts';

import type { Command } from 'commander';
import type { Definer, Json } from './define.ts';

type CaOptions = Json & { readonly dir: string };
export type CaInitOptions = CaOptions & { readonly trustDomain: string; readonly ttl: number; readonly force?: true };
export type CaIssueOptions = CaOptions & {
  readonly id: string;
  readonly out?: string;
  readonly name?: string;
  readonly ttl: number;
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly force?: true;
};
export type CaRevokeOptions = CaOptions & {
  readonly id?: string;
  readonly serial?: string;
  readonly trustDomain: string;
};
export type CaCrlOptions = CaOptions & { readonly trustDomain: string; readonly ttl: number };

export type CaServeOptions = { readonly config?: string };
export type CaTokenOptions = CaOptions & { readonly id: string; readonly ttl: number };

/** `sallyport ca …`. */
export function defineCa(program: Command, definer: Definer): void {
  const example = 'sallyport ca init --trust-domain example.org\nsallyport ca issue --id spiffe://example.org/agent';
  const ca = command(program, 'ca', 'A certificate authority for development: its keys lie in a folder.', example);
  defineMaking(ca, definer);
  defineRevoking(ca, definer);
  defineServing(ca, definer);
}

function defineMaking(ca: Command, { act, terminal }: Definer): void {
  command(
    ca,
    'init',
    'Make the authority of a trust domain.',
    'sallyport ca init --trust-domain example.org --dir certs',
  )
    .addOption(dir())
    .addOption(trustDomain())
    .addOption(ttl('how long it is valid', '365d'))
    .option('--force', 'replace an authority that is there already')
    .option('--json', 'print as JSON')
    .action(act(async (options: CaInitOptions) => (await handlers()).init(options, terminal)));

  const example = 'sallyport ca issue --id spiffe://example.org/agent --dns localhost --ttl 24h';
  command(ca, 'issue', 'Issue a certificate and key for a workload.', example)
    .requiredOption('--id <spiffe-id>', 'SPIFFE ID of the workload; its trust domain says which authority signs')
    .addOption(dir())
    .option('--out <folder>', 'where certificate and key are written (default: the folder of the authority)')
    .option('--name <name>', 'names the files NAME.pem and NAME.key (default: the last part of the ID)')
    .addOption(ttl('how long it is valid', '24h'))
    .option('--dns <name>', 'DNS name for clients that compare host names; may be repeated', list)
    .option('--ip <address>', 'IP address likewise; may be repeated', list)
    .option('--force', 'replace the certificate of another workload')
    .option('--json', 'print as JSON')
    .action(act(async (options: CaIssueOptions) => (await handlers()).issue(options, terminal)));
}

function defineRevoking(ca: Command, { act, terminal }: Definer): void {
  const revoke = 'sallyport ca revoke --id spiffe://example.org/agent';
  command(ca, 'revoke', 'Revoke certificates and sign a new revocation list.', revoke)
    .addOption(dir())
    .option('--id <spiffe-id>', 'revoke everything that was issued for this ID')
    .option('--serial <hex>', 'revoke the certificate with this serial number')
    .addOption(trustDomain())
    .option('--json', 'print as JSON')
    .action(act(async (options: CaRevokeOptions) => (await handlers()).revoke(options, terminal)));

  const crl = 'sallyport ca crl --trust-domain example.org --ttl 30d';
  command(ca, 'crl', 'Sign the revocation list anew, before it is due.', crl)
    .addOption(dir())
    .addOption(trustDomain())
    .addOption(ttl('until the next list is due', '30d'))
    .option('--json', 'print as JSON')
    .action(act(async (options: CaCrlOptions) => (await handlers()).crl(options, terminal)));
}

function defineServing(ca: Command, { act, terminal }: Definer): void {
  command(
    ca,
    'serve',
    'Serve the authority: sidecars enrol and renew by themselves.',
    'sallyport ca serve --config authority.yaml',
  )
    .option('-c, --config <file>', 'configuration, YAML or JSON (default: the authority in certs/, on 127.0.0.1:8444)')
    .action(act(async (options: CaServeOptions) => (await import('./commands/ca-serve.ts')).serve(options, terminal)));

  const token = 'sallyport ca token --id spiffe://example.org/agents/planner > planner.token';
  command(ca, 'token', 'Make a one-time token by which an agent enrols.', token)
    .requiredOption('--id <spiffe-id>', 'SPIFFE ID that the token is good for')
    .addOption(dir())
    .addOption(ttl('how long it may be used', '1h'))
    .option('--json', 'print as JSON')
    .action(act(async (options: CaTokenOptions) => (await import('./commands/ca-token.ts')).token(options, terminal)));
}

function handlers() {
  return import('./commands/ca.ts');
}

function dir(): Option {
  return new Option('--dir <folder>', 'where the authority keeps its files').default('certs');
}

function trustDomain(): Option {
  return new Option('--trust-domain <name>', 'SPIFFE trust domain').default('example.org');
}

function ttl(description: string, standard: string): Option {
  return new Option('--ttl <duration>', description).argParser(duration).default(duration(standard), standard);
}
