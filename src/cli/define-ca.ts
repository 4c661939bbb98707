import { Option } from 'commander';

import { defineCaAtWork } from './define-ca-at-work.ts';
import { defineCaRoots } from './define-ca-roots.ts';
import { dir, issuingKey, issuingTtl, keyType, passphrase, rootKey, ttl } from './ca-options.ts';
import { command } from './define.ts';
import { list } from './option-values.ts';

import type { Command } from 'commander';
import type { CaOptions, KeyOptions, NewIssuingOptions } from './ca-options.ts';
import type { Definer } from './define.ts';

export type CaInitOptions = CaOptions &
  NewIssuingOptions & {
    readonly trustDomain: string;
    readonly ttl: number;
    readonly force?: true;
    readonly ifMissing?: true;
  };
export type CaIssueOptions = CaOptions &
  KeyOptions & {
    readonly id: string;
    readonly out?: string;
    readonly name?: string;
    readonly ttl: number;
    readonly dns?: readonly string[];
    readonly ip?: readonly string[];
    readonly csr?: string;
    readonly keyPassphrase?: string;
    readonly force?: true;
  };
export type CaRevokeOptions = CaOptions & {
  readonly id?: string;
  readonly serial?: string;
  readonly key?: string;
  readonly bar?: true;
  readonly reason: string;
  /** False: no list is written. */
  readonly list: boolean;
  readonly ttl: number;
  readonly issuingKey?: string;
};
export type CaUnbarOptions = CaOptions & { readonly id?: string; readonly key?: string; readonly bearer?: string };
export type CaCrlOptions = CaOptions & { readonly ttl: number; readonly issuingKey?: string };

/** `sallyport ca …`. */
export function defineCa(program: Command, definer: Definer): void {
  const example = 'sallyport ca init --trust-domain example.org\nsallyport ca issue --id spiffe://example.org/agent';
  const ca = command(program, 'ca', 'The certificate authority of a trust domain: its state is one folder.', example);
  defineMaking(ca, definer);
  defineCaAtWork(ca, definer);
  defineRevoking(ca, definer);
  defineCaRoots(ca, definer);
}

function defineMaking(ca: Command, { act, terminal }: Definer): void {
  const init = [
    'sallyport ca init --trust-domain example.org',
    'sallyport ca init --trust-domain example.org --passphrase pass.txt --root-key /media/safe/root.key',
    'sallyport ca init --if-missing --trust-domain example.org --dir /var/lib/sallyport/ca',
  ];
  command(ca, 'init', 'Make the authority of a trust domain: a root, and a CA below it that issues.', init.join('\n'))
    .addOption(new Option('--trust-domain <name>', 'SPIFFE trust domain').default('example.org'))
    .addOption(dir())
    .addOption(ttl('how long the root is valid', '3650d'))
    .addOption(issuingTtl())
    .addOption(keyType())
    .addOption(rootKey("the root's key: used if the file is there, else a new one is written to it"))
    .addOption(issuingKey('use this key to issue and make none: PEM, PKCS#12, or a file with a pkcs11: URI'))
    .addOption(passphrase())
    .option('--force', 'put the authority that is there aside, into a folder of its own, and begin anew')
    .option('--if-missing', 'leave an authority of the same trust domain as it is, exit 0: for a container that starts')
    .option('--json', 'print as JSON')
    .action(act(async (options: CaInitOptions) => (await import('./commands/ca-init.ts')).init(options, terminal)));

  const issue = [
    'sallyport ca issue --id spiffe://example.org/agents/planner --dns localhost --ttl 24h',
    'sallyport ca issue --id spiffe://example.org/agents/planner --csr planner.csr',
  ];
  command(ca, 'issue', 'Issue a certificate for a workload, into files.', issue.join('\n'))
    .requiredOption('--id <spiffe-id>', 'SPIFFE ID of the workload')
    .addOption(dir())
    .option('--out <folder>', 'where certificate and key are written (default: the folder of the authority)')
    .option('--name <name>', 'names the files NAME.pem and NAME.key (default: the last part of the ID)')
    .addOption(ttl('how long it is valid', '24h'))
    .option('--dns <name>', 'DNS name for clients that compare host names; may be repeated', list)
    .option('--ip <address>', 'IP address likewise; may be repeated', list)
    .option('--csr <file>', 'certify the key of this request (PKCS#10); nothing else of it is taken, no key is written')
    .addOption(keyType())
    .option('--key-passphrase <file>', "encrypt the workload's key with the passphrase in this file")
    .addOption(issuingKey())
    .addOption(passphrase())
    .option('--force', 'replace the certificate of another workload')
    .option('--json', 'print as JSON')
    .action(act(async (options: CaIssueOptions) => (await import('./commands/ca-issue.ts')).issue(options, terminal)));
}

function defineRevoking(ca: Command, { act, terminal }: Definer): void {
  const revoke = [
    'sallyport ca revoke --id spiffe://example.org/agents/planner --bar',
    'sallyport ca revoke --serial 4f:0a:… --reason "laptop stolen"',
  ];
  command(
    ca,
    'revoke',
    'Revoke certificates: in force at once, also while `ca serve` runs, and on a new list.',
    revoke.join('\n'),
  )
    .option('--id <spiffe-id>', 'revoke all certificates of this ID, and void its open tokens')
    .option('--serial <hex>', 'revoke the certificate with this serial number')
    .option('--key <sha256>', 'revoke all certificates of this key (SHA-256 of its SubjectPublicKeyInfo)')
    .option('--bar', 'give that ID or key no certificate any more, until `ca unbar`')
    .addOption(new Option('--reason <text>', 'why, for the log').default('revoked by the operator', 'none'))
    .addOption(ttl('until the next list in the file is due', '30d'))
    .option('--no-list', 'write no list: a running `ca serve` publishes its own, and needs no key here')
    .addOption(dir())
    .addOption(issuingKey())
    .addOption(passphrase())
    .option('--json', 'print as JSON')
    .action(act(async (options: CaRevokeOptions) => (await revoking()).revoke(options, terminal)));

  const unbar = 'sallyport ca unbar --id spiffe://example.org/agents/planner';
  command(ca, 'unbar', 'Let a barred ID, key or bearer have certificates again; `ca list` names them.', unbar)
    .option('--id <spiffe-id>', 'SPIFFE ID')
    .option('--key <sha256>', 'key, as SHA-256 of its SubjectPublicKeyInfo')
    .option('--bearer <name>', 'pod, service account or local workload, as `ca list` names it')
    .addOption(dir())
    .option('--json', 'print as JSON')
    .action(act(async (options: CaUnbarOptions) => (await revoking()).unbar(options, terminal)));

  const crl = 'sallyport ca crl --ttl 30d';
  command(ca, 'crl', 'Sign the revocation lists anew and write them, before those in the file are due.', crl)
    .addOption(ttl('until the next lists are due', '30d'))
    .addOption(dir())
    .addOption(issuingKey())
    .addOption(passphrase())
    .option('--json', 'print as JSON')
    .action(act(async (options: CaCrlOptions) => (await revoking()).crl(options, terminal)));
}

function revoking() {
  return import('./commands/ca-revoke.ts');
}
