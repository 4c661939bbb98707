import { ok } from '../../core/kernel/result.ts';
import { DEFAULT_LIST_FILE_TTL_MS, writeListFile } from '../../io/authority/list-file.ts';
import { activateRoot, prepareRoot, renewIssuing, retireRoot } from '../../io/authority/root-rotation.ts';
import { fileOption, issuingRequest, withAuthority } from '../authority-at-hand.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { CaFiles } from '../../io/authority/ca-files.ts';
import type { AuthorityAtHand, Told } from '../authority-at-hand.ts';
import type { ExitCode } from '../exit-codes.ts';
import type {
  CaRenewOptions,
  CaRootActivateOptions,
  CaRootPrepareOptions,
  CaRootRetireOptions,
} from '../define-ca-roots.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport ca renew`. */
export function renew(options: CaRenewOptions, terminal: Terminal): Promise<ExitCode> {
  return withAuthority(options, terminal, async (atHand) => {
    const { store, deps } = atHand;
    const { rootKey, revokeOld } = options;
    const wanted = { issuing: issuingRequest(options), rootKey: fileOption(rootKey), revokeOld: revokeOld === true };
    const made = await renewIssuing(store, wanted, deps);
    if (!made.ok) return made;
    const done =
      'a new CA issues from now on; a running `ca serve` takes it up by itself, within five minutes, when sidecars know its list';
    const cut = 'all that the CA before it issued is refused: enrol anew whatever does not do so by itself';
    return withLists(atHand, made.value, [done, revokeOld === true ? cut : undefined]);
  });
}

/** `sallyport ca root prepare`. */
export function prepare(options: CaRootPrepareOptions, terminal: Terminal): Promise<ExitCode> {
  return withAuthority(options, terminal, async ({ store, deps }) => {
    const { ttl, keyType, rootKey } = options;
    const made = await prepareRoot(store, { keyKind: keyType, ttlMs: ttl, keyFile: fileOption(rootKey) }, deps);
    if (!made.ok) return made;
    const { trustBundle } = made.value;
    return ok({
      json: { trustBundle, rootKey: made.value.rootKey },
      lines: [trustBundle, made.value.rootKey],
      advice: [
        'the new root is believed beside the present one, and issues nothing yet',
        `wait until everybody has it: sidecars of \`ca serve\` ask by themselves (half of a certificate's life at most); copy ${trustBundle} to those that read files; other trust domains ask for the bundle in their own time`,
        'then: sallyport ca root activate',
      ],
    });
  });
}

/** `sallyport ca root activate`. */
export function activate(options: CaRootActivateOptions, terminal: Terminal): Promise<ExitCode> {
  return withAuthority(options, terminal, async (atHand) => {
    const { store, deps } = atHand;
    const { rootKey, overlap } = options;
    const wanted = { issuing: issuingRequest(options), rootKey: fileOption(rootKey), overlapMs: overlap };
    const made = await activateRoot(store, wanted, deps);
    if (!made.ok) return made;
    const { warning, ...files } = made.value;
    return withLists(atHand, files, [
      warning,
      'what is issued is under the new root (within five minutes at a running `ca serve`); the old one is believed for what it issued',
      'wait until that has ended or was renewed (`ca list` shows what is left), and certificates in files were issued anew',
      'then: sallyport ca root retire',
    ]);
  });
}

/** `sallyport ca root retire`. */
export function retire(options: CaRootRetireOptions, terminal: Terminal): Promise<ExitCode> {
  return withAuthority(options, terminal, async ({ store, deps }) => {
    const state = options.prepared === true ? 'prepared' : 'retiring';
    const made = await retireRoot(store, { state, force: options.force === true }, deps);
    if (!made.ok) return made;
    const { trustBundle, retired } = made.value;
    const advice = [
      `believed no more: ${retired} root${retired === 1 ? '' : 's'}; copy ${trustBundle} to whoever reads files`,
    ];
    return ok({ json: { trustBundle, retired }, lines: [trustBundle], advice });
  });
}

/** After CAs changed, the lists in the file are those of the CAs of now. */
async function withLists(
  { store, deps }: AuthorityAtHand,
  files: CaFiles,
  advice: readonly (string | undefined)[],
): Promise<Result<Told, string>> {
  const lists = await writeListFile(store, { ttlMs: DEFAULT_LIST_FILE_TTL_MS }, deps);
  const { trustBundle, rootKey, issuingKey } = files;
  const revocationList = lists.ok ? lists.value.revocationList : undefined;
  return ok({
    json: { trustBundle, rootKey, issuingKey, revocationList },
    lines: [trustBundle, rootKey, issuingKey, ...(revocationList === undefined ? [] : [revocationList])],
    advice: [...advice, ...(lists.ok ? lists.value.problems : [])],
    problem: lists.ok
      ? undefined
      : `the lists could not be written: ${lists.error}; \`sallyport ca crl\` does it later`,
  });
}
