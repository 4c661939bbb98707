import { createPrivateKey } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod';

import { parseTrustDomain } from '../../core/identity/spiffe-id.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { fitFolder, guarded, parseJson, writeWhole } from './kept-folder.ts';
import { readBounded } from './read-file.ts';

import type { KeyObject } from 'node:crypto';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { TrustDocument } from '../../core/model/svid.ts';

/** What survives a restart: who we are, and whom the authority last told us to believe. Nothing of it is believed before it is judged again. */
export type KeptIdentity = {
  readonly chain: readonly Uint8Array[];
  readonly privateKey: KeyObject;
  readonly trust: TrustDocument;
  /** SHA-256 of the first roots as they stood in the operator's file when this was kept. */
  readonly firstRoots: string;
};

/** The folder that keeps it. */
export interface IdentityKeep {
  /** What was kept; undefined where nothing was. An error where it must not be used: others can read it, or it is not what was written. */
  load(): Promise<Result<KeptIdentity | undefined, string>>;
  /** Replaces what was kept, whole or not at all; one after the other, in the order of the calls. */
  save(kept: KeptIdentity): Promise<Result<undefined, string>>;
}

const FILE = 'identity.json';
const MAX_BYTES = 64 * 1_024 * 1_024;

const bytes = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')));

const schema = z.strictObject({
  version: z.literal(1),
  authority: z.string(),
  firstRoots: z.string(),
  privateKey: z.string(),
  chain: z.array(bytes).min(1),
  trust: z.strictObject({
    revision: z.string(),
    bundles: z.record(z.string(), z.array(bytes)),
    crls: z.array(bytes),
  }),
});

/**
 * Creates the keep of one sidecar's identity from `authority` (its SPIFFE ID): one file, mode 0600, in a folder that nobody else can write to. `passphrase` encrypts
 * the key in it (PKCS#8, AES-256). No effects yet.
 */
export function createIdentityKeep(folder: string, authority: string, passphrase?: string): IdentityKeep {
  // A certificate and news of trust may come at once: two writers would share the file that is not finished yet.
  let last: Promise<unknown> = Promise.resolve();
  return {
    load: () => guarded(folder, () => load(folder, authority, passphrase)),
    save: (kept) => {
      const saved = last.then(() => guarded(folder, () => save(folder, authority, passphrase, kept)));
      last = saved;
      return saved;
    },
  };
}

async function load(
  folder: string,
  authority: string,
  passphrase: string | undefined,
): Promise<Result<KeptIdentity | undefined, string>> {
  const fit = await fitFolder(folder);
  if (!fit.ok) return fit;
  if (!(await readdir(folder)).includes(FILE)) return ok(undefined);
  const path = join(folder, FILE);
  const file = await readBounded(path, MAX_BYTES);
  if (!file.ok) return file;
  if ((file.value.mode & 0o077) !== 0)
    return err(
      `${path}: others can read it (mode ${file.value.mode.toString(8).padStart(4, '0')}), so its key is no secret any more; it is not used`,
    );
  const read = schema.safeParse(parseJson(file.value.bytes));
  if (!read.success) return err(`${path}: cannot be understood; it is not used`);
  if (read.data.authority !== authority)
    return err(`${path}: is an identity from ${read.data.authority}, not from ${authority}; it is not used`);
  const key = openKey(read.data.privateKey, passphrase);
  const bundles = bundlesOf(read.data.trust.bundles);
  if (key === undefined || bundles === undefined)
    return err(`${path}: its ${key === undefined ? 'key cannot be opened' : 'trust cannot be read'}; it is not used`);
  const { revision, crls } = read.data.trust;
  const trust: TrustDocument = { revision, bundles, crls, refreshHintMs: undefined };
  const { chain, firstRoots } = read.data;
  return ok({ chain, privateKey: key, trust, firstRoots });
}

/** Nothing of what stands there is told. */
function openKey(pem: string, passphrase: string | undefined): KeyObject | undefined {
  try {
    return createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch {
    return undefined;
  }
}

function bundlesOf(kept: Readonly<Record<string, Uint8Array[]>>): TrustDocument['bundles'] | undefined {
  const bundles = new Map<TrustDomain, readonly Uint8Array[]>();
  for (const [name, bundle] of Object.entries(kept)) {
    const domain = parseTrustDomain(name);
    if (!domain.ok) return undefined;
    bundles.set(domain.value, bundle);
  }
  return bundles;
}

async function save(
  folder: string,
  authority: string,
  passphrase: string | undefined,
  { chain, privateKey, trust, firstRoots }: KeptIdentity,
): Promise<Result<undefined, string>> {
  const fit = await fitFolder(folder);
  if (!fit.ok) return fit;
  const sealed = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  const content = {
    version: 1,
    authority,
    firstRoots,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem', ...sealed }),
    chain: chain.map(base64),
    trust: {
      revision: trust.revision,
      bundles: Object.fromEntries([...trust.bundles].map(([domain, bundle]) => [domain, bundle.map(base64)])),
      crls: trust.crls.map(base64),
    },
  } satisfies z.input<typeof schema>;
  await writeWhole(folder, FILE, new TextEncoder().encode(JSON.stringify(content)));
  return ok(undefined);
}

function base64(der: Uint8Array): string {
  return Buffer.from(der).toString('base64');
}
