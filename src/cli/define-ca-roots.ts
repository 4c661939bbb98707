import { Option } from 'commander';

import { dir, issuingKey, issuingTtl, keyType, passphrase, rootKey, ttl } from './ca-options.ts';
import { command } from './define.ts';
import { duration } from './option-values.ts';

import type { Command } from 'commander';
import type { CaOptions, NewIssuingOptions } from './ca-options.ts';
import type { Definer } from './define.ts';

export type CaRenewOptions = CaOptions & NewIssuingOptions & { readonly revokeOld?: true };
export type CaRootPrepareOptions = CaOptions & Pick<CaRenewOptions, 'keyType' | 'rootKey'> & { readonly ttl: number };
export type CaRootActivateOptions = CaOptions & NewIssuingOptions & { readonly overlap: number };
export type CaRootRetireOptions = CaOptions & { readonly prepared?: true; readonly force?: true };

/** `sallyport ca renew` and `sallyport ca root …`: what the root's key is needed for. */
export function defineCaRoots(ca: Command, definer: Definer): void {
  const { act, terminal } = definer;
  const example = [
    'sallyport ca renew --root-key /media/safe/root.key',
    'sallyport ca renew --root-key /media/safe/root.key --revoke-old    # the issuing key is in wrong hands',
  ];
  const renew = command(ca, 'renew', 'Have the root sign a new CA that issues from now on.', example.join('\n'));
  withNewIssuing(renew)
    .option('--revoke-old', 'revoke the CA that issued until now, and so all that it issued')
    .action(act(async (options: CaRenewOptions) => (await handlers()).renew(options, terminal)));
  const steps = 'sallyport ca root prepare\nsallyport ca root activate\nsallyport ca root retire';
  const root = command(ca, 'root', 'Change the root without a failed call: prepare, activate, retire.', steps);
  defineRoot(root, definer);
}

function defineRoot(root: Command, { act, terminal }: Definer): void {
  const prepare = 'sallyport ca root prepare --root-key /media/safe/next-root.key';
  command(
    root,
    'prepare',
    'Make the next root and publish it beside the present one. Nothing is issued by it yet.',
    prepare,
  )
    .addOption(ttl('how long the root is valid', '3650d'))
    .addOption(keyType())
    .addOption(rootKey("the root's key: used if the file is there, else a new one is written to it"))
    .addOption(dir())
    .addOption(passphrase())
    .option('--json', 'print as JSON')
    .action(act(async (options: CaRootPrepareOptions) => (await handlers()).prepare(options, terminal)));

  const activate = 'sallyport ca root activate --root-key /media/safe/next-root.key';
  const overlap = new Option('--overlap <duration>', 'how long sidecars may take to hear of the new root');
  withNewIssuing(command(root, 'activate', 'Issue under the prepared root from now on.', activate))
    .addOption(overlap.argParser(duration).default(duration('30m'), '30m'))
    .action(act(async (options: CaRootActivateOptions) => (await handlers()).activate(options, terminal)));

  command(root, 'retire', 'Stop believing the root before the present one.', 'sallyport ca root retire')
    .option('--prepared', 'give up the root that was prepared instead')
    .option('--force', 'even while certificates under it are in use: their owners are cut off')
    .addOption(dir())
    .option('--json', 'print as JSON')
    .action(act(async (options: CaRootRetireOptions) => (await handlers()).retire(options, terminal)));
}

function withNewIssuing(defined: Command): Command {
  return defined
    .addOption(rootKey())
    .addOption(issuingTtl())
    .addOption(keyType())
    .addOption(issuingKey('use this key to issue and make none: PEM, PKCS#12, or a file with a pkcs11: URI'))
    .addOption(dir())
    .addOption(passphrase())
    .option('--json', 'print as JSON');
}

function handlers() {
  return import('./commands/ca-root.ts');
}
