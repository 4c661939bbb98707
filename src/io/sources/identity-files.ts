import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';

import { pemBlocks } from '../../core/identity/pem.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { readBounded } from './read-file.ts';

import type { KeyObject } from 'node:crypto';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Problems } from './problem.ts';
import type { ReadFile } from './read-file.ts';

/** Where identity stands; `IdentityFiles` of the configuration with absolute paths. */
export type IdentityPaths = {
  readonly certificate: string;
  readonly privateKey: string;
  readonly trustBundles: Readonly<Record<string, string>>;
  readonly revocationLists: readonly string[];
};

/** All files of an identity as they stood at one moment. */
export type IdentityContent = {
  readonly certificate: ReadFile;
  readonly privateKey: ReadFile;
  readonly trustBundles: ReadonlyMap<TrustDomain, ReadFile>;
  readonly revocationLists: readonly ReadFile[];
};

/** What the files hold: DER and keys, nothing of it judged yet. */
export type IdentityParts = {
  /** Leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly privateKey: KeyObject;
  readonly publicKeySpki: Uint8Array;
  readonly bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>;
  readonly crls: readonly Uint8Array[];
};

const MAX_BYTES = 16 * 1_024 * 1_024;

/** All paths, for looking whether something changed. */
export function pathsOf(paths: IdentityPaths): readonly string[] {
  return [paths.certificate, paths.privateKey, ...Object.values(paths.trustBundles), ...paths.revocationLists];
}

/** Reads all files; everything that cannot be read is told together. */
export async function readIdentityFiles(paths: IdentityPaths): Promise<Result<IdentityContent, Problems>> {
  const all = await Promise.all(pathsOf(paths).map((path) => readBounded(path, MAX_BYTES)));
  const problems = all.flatMap((file) => (file.ok ? [] : [file.error]));
  const [certificate, privateKey, ...others] = all.flatMap((file) => (file.ok ? [file.value] : []));
  if (problems.length > 0 || certificate === undefined || privateKey === undefined) return err(problems);
  const domains = Object.keys(paths.trustBundles) as TrustDomain[];
  const trustBundles = new Map(domains.flatMap((domain, index) => pair(domain, others[index])));
  return ok({ certificate, privateKey, trustBundles, revocationLists: others.slice(domains.length) });
}

function pair<K, V>(key: K, value: V | undefined): [K, V][] {
  return value === undefined ? [] : [[key, value]];
}

/** Changes with any byte of any file, and with who may read the key. */
export function identityDigest(content: IdentityContent): string {
  const hash = createHash('sha256').update(`${content.privateKey.mode}\n`);
  const bundles = Array.from(content.trustBundles, ([domain, file]) => [domain, file] as const);
  const files = [['', content.certificate] as const, ['', content.privateKey] as const, ...bundles];
  for (const [name, { bytes }] of files) hash.update(`${name} ${bytes.length}\n`).update(bytes);
  for (const { bytes } of content.revocationLists) hash.update(`crl ${bytes.length}\n`).update(bytes);
  return hash.digest('hex');
}

/** Takes the files apart; everything that is wrong with their form is told together, by path. */
export function identityParts(content: IdentityContent, paths: IdentityPaths): Result<IdentityParts, Problems> {
  const problems: string[] = [];
  const keep = <T>(path: string, part: Result<T, string>, otherwise: T): T => {
    if (part.ok) return part.value;
    problems.push(`${path}: ${part.error}`);
    return otherwise;
  };
  const none: readonly Uint8Array[] = [];
  const chain = keep(paths.certificate, certificates(content.certificate), none);
  const key = keep<KeyObject | undefined>(paths.privateKey, readKey(content.privateKey), undefined);
  const bundles = new Map(
    Array.from(content.trustBundles, ([domain, file]) => {
      return [domain, keep(paths.trustBundles[domain] ?? domain, certificates(file), none)] as const;
    }),
  );
  const crls = content.revocationLists.flatMap((file, index) => {
    return keep(paths.revocationLists[index] ?? 'revocation list', lists(file), none);
  });
  if (problems.length > 0 || key === undefined) return err(problems);
  const publicKeySpki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return ok({ chain, privateKey: key, publicKeySpki, bundles, crls });
}

/** What an operator should mend although nothing is refused for it. */
export function identityWarnings(content: IdentityContent, paths: IdentityPaths): readonly string[] {
  const { mode } = content.privateKey;
  return (mode & 0o040) === 0
    ? []
    : [`${paths.privateKey}: the private key can be read by its group (mode ${octal(mode)})`];
}

function certificates(file: ReadFile): Result<readonly Uint8Array[], string> {
  return blocks(file, 'CERTIFICATE');
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

/** A private key that others on the machine cannot read or replace. Nothing of the file's content is ever told. */
function readKey(file: ReadFile): Result<KeyObject, string> {
  if ((file.mode & 0o004) !== 0)
    return err(`the private key can be read by everybody (mode ${octal(file.mode)}); chmod 600 it`);
  if ((file.mode & 0o022) !== 0)
    return err(`the private key can be written by others (mode ${octal(file.mode)}); chmod 600 it`);
  const parsed = pemBlocks(textOf(file));
  if (!parsed.ok) return parsed;
  const keys = parsed.value.filter((block) => block.label.endsWith('PRIVATE KEY'));
  if (keys.length !== 1) return err(`holds ${keys.length} private keys; one is needed`);
  if (keys[0]?.label === 'ENCRYPTED PRIVATE KEY')
    return err('the private key is encrypted; there is nobody to ask for its password');
  try {
    return ok(createPrivateKey(Buffer.from(file.bytes)));
  } catch {
    return err('the private key cannot be read; PKCS#8, SEC1 or PKCS#1 PEM is needed');
  }
}

function textOf(file: ReadFile): string {
  return Buffer.from(file.bytes.buffer, file.bytes.byteOffset, file.bytes.length).toString('latin1');
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
