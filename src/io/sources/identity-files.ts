import { createHash, createPublicKey } from 'node:crypto';

import { pemBlocks } from '../../core/identity/pem.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { keyWarnings, openGuarded } from './identity-key.ts';
import { readBounded } from './read-file.ts';

import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { OpenedKey, OpenKey, OwnPart } from './identity-part.ts';
import type { Problems } from './problem.ts';
import type { ReadFile } from './read-file.ts';

/** Where identity stands; `IdentityFiles` of the configuration with absolute paths. */
export type IdentityPaths = TrustPaths & {
  /** The same path as `privateKey` for a file that holds both (PKCS#12). */
  readonly certificate: string;
  readonly privateKey: string;
};

/** Where trust stands that is configured by files, wherever our own certificate comes from. */
export type TrustPaths = {
  readonly trustBundles: Readonly<Record<string, string>>;
  readonly revocationLists: readonly string[];
};

/** Both: without certificate and key it is trust alone. */
export type SomePaths = TrustPaths & Partial<IdentityPaths>;

/** All files of an identity as they stood at one moment. */
export type IdentityContent = {
  readonly own: { readonly certificate: ReadFile; readonly privateKey: ReadFile } | undefined;
  readonly trustBundles: ReadonlyMap<TrustDomain, ReadFile>;
  readonly revocationLists: readonly ReadFile[];
};

/** What the files hold: DER and keys, nothing of it judged yet. */
export type IdentityParts = {
  readonly own: (OwnPart & { readonly publicKeySpki: Uint8Array }) | undefined;
  readonly bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>;
  readonly crls: readonly Uint8Array[];
};

const MAX_BYTES = 16 * 1_024 * 1_024;

/** All paths, for looking whether something changed. */
export function pathsOf(paths: SomePaths): readonly string[] {
  return [...ownPaths(paths), ...Object.values(paths.trustBundles), ...paths.revocationLists];
}

function ownPaths({ certificate, privateKey }: SomePaths): readonly string[] {
  return certificate === undefined || privateKey === undefined ? [] : [certificate, privateKey];
}

/** Reads all files; everything that cannot be read is told together. */
export async function readIdentityFiles(paths: SomePaths): Promise<Result<IdentityContent, Problems>> {
  const all = await Promise.all(pathsOf(paths).map((path) => readBounded(path, MAX_BYTES)));
  const problems = all.flatMap((file) => (file.ok ? [] : [file.error]));
  if (problems.length > 0) return err([...new Set(problems)]);
  const files = all.flatMap((file) => (file.ok ? [file.value] : []));
  const [certificate, privateKey] = files.splice(0, ownPaths(paths).length);
  const own = certificate === undefined || privateKey === undefined ? undefined : { certificate, privateKey };
  const domains = Object.keys(paths.trustBundles) as TrustDomain[];
  const trustBundles = new Map(domains.flatMap((domain, index) => pair(domain, files[index])));
  return ok({ own, trustBundles, revocationLists: files.slice(domains.length) });
}

function pair<K, V>(key: K, value: V | undefined): [K, V][] {
  return value === undefined ? [] : [[key, value]];
}

/** Changes with any byte of any file, and with who may read the key. */
export function identityDigest(content: IdentityContent): string {
  const hash = createHash('sha256').update(`${content.own?.privateKey.mode}\n`);
  const bundles = Array.from(content.trustBundles, ([domain, file]) => [domain, file] as const);
  const own = content.own === undefined ? [] : [content.own.certificate, content.own.privateKey];
  const files = [...own.map((file) => ['', file] as const), ...bundles];
  for (const [name, { bytes }] of files) hash.update(`${name} ${bytes.length}\n`).update(bytes);
  for (const { bytes } of content.revocationLists) hash.update(`crl ${bytes.length}\n`).update(bytes);
  return hash.digest('hex');
}

/** Takes the files apart; everything that is wrong with their form is told together, by path. */
export async function identityParts(
  content: IdentityContent,
  paths: SomePaths,
  openKey: OpenKey,
): Promise<Result<IdentityParts, Problems>> {
  const problems: string[] = [];
  const keep = <T>(path: string, part: Result<T, string>, otherwise: T): T => {
    if (part.ok) return part.value;
    problems.push(`${path}: ${part.error}`);
    return otherwise;
  };
  const none: readonly Uint8Array[] = [];
  const own = content.own === undefined ? undefined : await ownOf(content.own, paths, { openKey, keep });
  const bundles = new Map(
    Array.from(content.trustBundles, ([domain, file]) => {
      return [domain, keep(paths.trustBundles[domain] ?? domain, certificates(file), none)] as const;
    }),
  );
  const crls = content.revocationLists.flatMap((file, index) => {
    return keep(paths.revocationLists[index] ?? 'revocation list', lists(file), none);
  });
  return problems.length > 0 ? err(problems) : ok({ own, bundles, crls });
}

type Reading = {
  readonly openKey: OpenKey;
  readonly keep: <T>(path: string, part: Result<T, string>, otherwise: T) => T;
};

/** undefined where the key cannot be opened, which `keep` has noted. */
async function ownOf(
  files: NonNullable<IdentityContent['own']>,
  { certificate = '', privateKey = '' }: SomePaths,
  { openKey, keep }: Reading,
): Promise<IdentityParts['own']> {
  const holdsBoth = certificate === privateKey;
  const chain = holdsBoth ? [] : keep<readonly Uint8Array[]>(certificate, certificates(files.certificate), []);
  const opened = await openGuarded(files.privateKey, privateKey, openKey);
  const key = keep<OpenedKey | undefined>(privateKey, opened, undefined);
  if (key === undefined) return undefined;
  const publicKeySpki = createPublicKey(key.privateKey).export({ type: 'spki', format: 'der' });
  return { ...key, chain: holdsBoth ? key.chain : chain, publicKeySpki };
}

/** What an operator should mend although nothing is refused for it. */
export function identityWarnings({ own }: IdentityContent, { privateKey = '' }: SomePaths): readonly string[] {
  return own === undefined ? [] : keyWarnings(own.privateKey, privateKey);
}

function certificates(file: ReadFile): Result<readonly Uint8Array[], string> {
  return blocks(file, 'CERTIFICATE');
}

/** Reads a file of PEM certificates. The error begins with the path. */
export async function readCertificates(path: string): Promise<Result<readonly Uint8Array[], string>> {
  const file = await readBounded(path, MAX_BYTES);
  const found = file.ok ? certificates(file.value) : file;
  return found.ok || !file.ok ? found : err(`${path}: ${found.error}`);
}

/** Reads certificates that stand as PEM in a configuration, at `place`, with which the error begins. */
export function certificatesInText(pem: string, place: string): Result<readonly Uint8Array[], string> {
  const found = certificates({ bytes: new TextEncoder().encode(pem), mode: 0 });
  return found.ok ? found : err(`${place}: ${found.error}`);
}

/** PEM, or one list as DER (which begins with a SEQUENCE). */
function lists(file: ReadFile): Result<readonly Uint8Array[], string> {
  return file.bytes[0] === 0x30 ? ok([file.bytes]) : blocks(file, 'X509 CRL');
}

function blocks(file: ReadFile, label: string): Result<readonly Uint8Array[], string> {
  const parsed = pemBlocks(textOf(file));
  if (!parsed.ok) return parsed;
  const other = parsed.value.find((block) => block.label !== label);
  if (other !== undefined) return err(`holds a block "${other.label}"; only "${label}" belongs there`);
  return parsed.value.length === 0 ? err(`holds no PEM block "${label}"`) : ok(parsed.value.map((block) => block.der));
}

function textOf(file: ReadFile): string {
  return Buffer.from(file.bytes.buffer, file.bytes.byteOffset, file.bytes.length).toString('latin1');
}
