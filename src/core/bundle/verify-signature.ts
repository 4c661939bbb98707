import { ok } from '../kernel/result.ts';
import { baseName, SIGNATURES } from './bundle-files.ts';
import { matchesPattern } from './exclude-pattern.ts';
import { refuse, show } from './fault.ts';
import { fileHash } from './file-hash.ts';
import { isSignedBy, readJws } from './jws.ts';
import { readPayload, readSignatures } from './signature-files.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { Jws } from './jws.ts';
import type { SignatureAlgorithm } from './signature-algorithm.ts';
import type { SignedFile } from './signature-files.ts';
import type { VerificationKey } from './signature-key.ts';
import type { Files } from './tar-reader.ts';

/** What a bundle's signature must be, as configured; nothing in the bundle changes it. */
export type Verification = {
  /** By name. `createVerificationKey` makes them. */
  readonly keys: ReadonlyMap<string, VerificationKey>;
  /** The key to verify with. Default: the one that the signature names, by header `kid`, then claim `keyid`. */
  readonly keyId?: string | undefined;
  /** What the signature's scope must be. Default: the key's; without either, none. */
  readonly scope?: string | undefined;
  /** Files that the signature need not cover, as `filepath.Match` patterns on the whole path. What is excluded is trusted as it stands. */
  readonly exclude?: readonly string[] | undefined;
};

/** Who signed a bundle that was verified. */
export type Signer = { readonly keyId: string; readonly algorithm: SignatureAlgorithm };

/**
 * Verifies the signature of all files before anything else looks into them (OPA documentation, "Signature Verification"): the token by the configured
 * key and its algorithm, then the scope, then that the files are exactly those listed, then each hash. Undefined: unsigned, and no key configured.
 */
export function verifySignature(
  files: Files,
  verification: Verification | undefined,
  maxFiles: number,
): Result<Signer | undefined, BundleFault> {
  const nested = [...files.keys()].find((path) => path !== SIGNATURES && baseName(path) === SIGNATURES);
  if (nested !== undefined)
    return refuse(
      'signature_malformed',
      `${show(nested)}: a signature belongs at the top of the bundle; move or remove it`,
    );
  const bytes = files.get(SIGNATURES);
  if (verification === undefined) return bytes === undefined ? ok(undefined) : unexpected();
  if (bytes === undefined) return missing();
  const token = readSignatures(bytes);
  if (!token.ok) return token;
  const jws = readJws(token.value);
  if (!jws.ok) return refuse('signature_malformed', `${SIGNATURES}: ${jws.error}; sign the bundle again`);
  return verifyToken(jws.value, files, verification, maxFiles);
}

function verifyToken(
  jws: Jws,
  files: Files,
  verification: Verification,
  maxFiles: number,
): Result<Signer, BundleFault> {
  const found = keyFor(jws, verification);
  if (!found.ok) return found;
  const { keyId, key } = found.value;
  if (jws.header['alg'] !== key.algorithm) return wrongAlgorithm(jws.header['alg'], keyId, key);
  if (!isSignedBy(key, jws)) return notSigned(keyId, key);
  const payload = readPayload(jws.payload, maxFiles);
  if (!payload.ok) return payload;
  const scope = verification.scope ?? key.scope ?? '';
  if (payload.value.scope !== scope) return wrongScope(payload.value.scope, scope);
  const fault = verifyFiles(files, payload.value.files, verification.exclude ?? []);
  return fault.ok ? ok({ keyId, algorithm: key.algorithm }) : fault;
}

/** The configured key id, then the header's, then the payload's (OPA's order). An empty id is none. */
function keyFor(jws: Jws, { keys, keyId: configured }: Verification) {
  const names = [configured, jws.header['kid'], jws.payload['keyid']];
  const keyId = names.find((name) => name !== undefined && name !== '');
  const known = [...keys.keys()].map(show).join(', ') || 'none';
  if (keyId === undefined)
    return refuse(
      'signature_key_unknown',
      `${SIGNATURES} names no key; say which to verify with (configured: ${known})`,
    );
  const key = typeof keyId === 'string' ? keys.get(keyId) : undefined;
  if (typeof keyId !== 'string' || key === undefined) {
    const what = typeof keyId === 'string' ? show(keyId) : 'something that is no text';
    return refuse('signature_key_unknown', `the key to verify ${SIGNATURES} with is ${what}; configured are: ${known}`);
  }
  return ok({ keyId, key });
}

/** Both ways: what is not listed could change a decision, and so could a file that is gone. Then each content. */
function verifyFiles(
  files: Files,
  listed: ReadonlyMap<string, SignedFile>,
  exclude: readonly string[],
): Result<void, BundleFault> {
  const counts = (path: string) => path !== SIGNATURES && !exclude.some((pattern) => matchesPattern(pattern, path));
  const present = [...files.keys()].filter(counts).sort();
  const unlisted = present.filter((path) => !listed.has(path));
  if (unlisted.length > 0)
    return refuse(
      'signature_file_unlisted',
      `${some(unlisted)} in the bundle but not in its signature; remove what was added, or sign again`,
    );
  const gone = [...listed.keys()].filter((path) => counts(path) && !files.has(path)).sort();
  if (gone.length > 0)
    return refuse(
      'signature_file_missing',
      `${some(gone)} in the signature but not in the bundle; put back what was removed, or sign again`,
    );
  for (const path of present) {
    const fault = verifyFile(path, files.get(path), listed.get(path));
    if (!fault.ok) return fault;
  }
  return ok(undefined);
}

function verifyFile(
  path: string,
  bytes: Uint8Array | undefined,
  listed: SignedFile | undefined,
): Result<void, BundleFault> {
  if (bytes === undefined || listed === undefined) return refuse('signature_file_unlisted', some([path]));
  const hash = fileHash(path, bytes, listed.algorithm);
  if (hash.ok && hash.value === listed.hash) return ok(undefined);
  const found = hash.ok ? `has the ${listed.algorithm} hash ${hash.value}` : `cannot be read (${hash.error})`;
  return refuse(
    'signature_hash_mismatch',
    `${show(path)} ${found}, the signature says ${listed.hash}; it changed after signing: fetch the bundle again, or sign it again`,
  );
}

function some(paths: readonly string[]): string {
  const more = paths.length > 3 ? ` and ${paths.length - 3} more` : '';
  return `${paths.slice(0, 3).map(show).join(', ')}${more} ${paths.length === 1 ? 'is' : 'are'}`;
}

function unexpected(): Result<never, BundleFault> {
  return refuse(
    'signature_unexpected',
    `the bundle is signed (${SIGNATURES}), and no key to verify it with is configured; configure the key, or deliver the bundle without signature`,
  );
}

function missing(): Result<never, BundleFault> {
  return refuse(
    'signature_missing',
    `a key to verify with is configured, and the bundle has no ${SIGNATURES}; sign it, or take the key out of the configuration`,
  );
}

function wrongAlgorithm(alg: unknown, keyId: string, key: VerificationKey): Result<never, BundleFault> {
  const said = typeof alg === 'string' ? show(alg) : 'nothing';
  return refuse(
    'signature_algorithm_refused',
    `${SIGNATURES} says it was signed with ${said}, the key ${show(keyId)} is configured for ${key.algorithm}; sign with that, or configure the key for what it is`,
  );
}

function notSigned(keyId: string, key: VerificationKey): Result<never, BundleFault> {
  return refuse(
    'signature_invalid',
    `${SIGNATURES} was not signed with the key ${show(keyId)} (${key.algorithm}), or changed since; check that the key is the signer's, and fetch the bundle again`,
  );
}

function wrongScope(said: string, wanted: string): Result<never, BundleFault> {
  return refuse(
    'signature_scope_mismatch',
    `the signature's scope is ${show(said)}, the configured one ${show(wanted)}; this bundle was signed for another use`,
  );
}
