import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { caDeps } from '../../app/ca-keys.ts';
import { systemClock } from '../../app/system.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { domainForFiles, initAuthority, presentAuthority } from '../../io/authority/ca-setup.ts';
import { DEFAULT_LIST_FILE_TTL_MS, writeListFile } from '../../io/authority/list-file.ts';
import { setAside } from '../../io/authority/set-aside.ts';
import { fileOption, issuingRequest, withAuthority } from '../authority-at-hand.ts';
import { EXIT } from '../exit-codes.ts';
import { inert } from '../terminal.ts';

import type { CaFiles } from '../../io/authority/ca-files.ts';
import type { Told } from '../authority-at-hand.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { CaInitOptions } from '../define-ca.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport ca init`. */
export async function init(options: CaInitOptions, terminal: Terminal): Promise<ExitCode> {
  if (options.force === true && options.ifMissing === true) {
    terminal.err(terminal.style('err', 'red', 'sallyport: --force and --if-missing exclude each other'));
    return EXIT.wrongUse;
  }
  // A name that is none is refused below, before anything is written.
  if (options.force === true && domainForFiles(options.trustDomain).ok) {
    const aside = await makeRoom(options);
    if (!aside.ok) {
      terminal.err(terminal.style('err', 'red', `sallyport: ${inert(aside.error)}`));
      return EXIT.outside;
    }
    if (aside.value !== undefined)
      terminal.err(`the authority that was there is in ${aside.value}; nothing that it issued is believed any more`);
  }
  const { trustDomain, ttl, keyType } = options;
  const root = { keyKind: keyType, ttlMs: ttl, keyFile: fileOption(options.rootKey) };
  return withAuthority(
    options,
    terminal,
    async ({ store, deps }) => {
      if (options.ifMissing === true) {
        const present = await presentAuthority(store, trustDomain, deps);
        if (!present.ok) return present;
        if (present.value !== undefined) return ok(leftAsItIs(trustDomain, present.value));
      }
      const made = await initAuthority(store, { trustDomain, root, issuing: issuingRequest(options) }, deps);
      if (!made.ok) return made;
      const lists = await writeListFile(store, { ttlMs: DEFAULT_LIST_FILE_TTL_MS }, deps);
      const { trustBundle, rootKey, issuingKey } = made.value;
      const revocationList = lists.ok ? lists.value.revocationList : undefined;
      return ok({
        json: { trustDomain, trustBundle, rootKey, issuingKey, revocationList },
        lines: [trustBundle, rootKey, issuingKey, ...(revocationList === undefined ? [] : [revocationList])],
        advice: advice(options, made.value),
        problem: lists.ok ? undefined : `${lists.error}; \`sallyport ca crl\` signs the lists later`,
      });
    },
    true,
  );
}

function leftAsItIs(trustDomain: string, { trustBundle, rootKey, issuingKey }: CaFiles): Told {
  return {
    json: { trustDomain, trustBundle, rootKey, issuingKey, present: true },
    lines: [trustBundle, rootKey, issuingKey],
    advice: [`the authority of ${trustDomain} is there already, and was left as it is`],
  };
}

/** Puts the authority that is there aside, but only where another can be made in its place. Gives the folder. */
async function makeRoom({ dir, trustDomain, passphrase, ...options }: CaInitOptions) {
  const deps = await caDeps(dir, passphrase);
  if (!deps.ok) return deps;
  const [root, issuing] = [fileOption(options.rootKey), fileOption(options.issuingKey)];
  if (root !== undefined && !existsSync(dirname(root))) return err(`${dirname(root)}: there is no such folder`);
  const keys = [root, issuing].filter((path) => path !== undefined && (path === issuing || existsSync(path)));
  for (const key of keys) {
    // oxlint-disable-next-line no-await-in-loop -- two at most, and a token may not like two sessions at once
    const opened = await deps.value.openKey(key ?? '');
    if (!opened.ok) return opened;
  }
  return setAside(dir, trustDomain, systemClock.wallMs());
}

function advice(options: CaInitOptions, { rootKey, issuingKey }: CaFiles): readonly (string | undefined)[] {
  const isInFolder = dirname(resolve(rootKey)) === resolve(options.dir);
  const isPlain = options.passphrase === undefined;
  return [
    isInFolder
      ? `${rootKey} is needed for \`ca renew\` and \`ca root\` only: move it to a safe place, and name it there with --root-key`
      : undefined,
    isPlain && options.issuingKey === undefined
      ? `${issuingKey} is not encrypted: whoever reads it can be anyone in ${options.trustDomain}; --passphrase encrypts keys`
      : undefined,
  ];
}
