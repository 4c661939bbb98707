import { createPrivateKey } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

import { err, ok } from '../../core/kernel/result.ts';
import { writeWhole } from './whole-file.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../../core/kernel/result.ts';

/**
 * Opens a CA's private key by its reference: the path of a file (absolute, or within the folder of the authority), or whatever else the one who
 * joins the parts understands, such as the URI of a key in a token. The key is only ever asked to sign. The error holds nothing of the key.
 */
export type OpenCaKey = (reference: string) => Promise<Result<KeyObject, string>>;

/** A private key as text for a file: PKCS#8 PEM, encrypted or not. */
export type EncodeKey = (key: KeyObject) => string;

/** Whose a file is, and who may do what with it. */
export type FileRights = { readonly mode: number; readonly uid: number; readonly gid: number };

/**
 * What is wrong with the rights on the file of a CA's key, or undefined. It is for its owner only: 0400 or 0600. `groups`: those of this process. Read by a group as well
 * where root gave it to a group of ours other than its own, and nobody but root may write it: that is how Kubernetes mounts a Secret with `fsGroup` (0440 root:GROUP, also
 * 0640), and no slip of a umask looks like it.
 */
export function keyRightsProblem(
  path: string,
  { mode, uid, gid }: FileRights,
  groups: readonly number[],
): string | undefined {
  const bits = mode & 0o777;
  if ((bits & 0o077) === 0) return undefined;
  if ((bits & 0o037) === 0 && uid === 0 && gid !== 0 && groups.includes(gid)) return undefined;
  return `${path} may be read by others than its owner; \`chmod 0600 ${path}\` mends it`;
}

/** The same for a file as it is. Rejects where it is not there. */
export async function keyFileProblem(path: string): Promise<string | undefined> {
  // Of a Secret the path is a link to a link; what it leads to counts.
  return keyRightsProblem(path, await stat(path), ownGroups());
}

/** None where there are no users as POSIX knows them. */
function ownGroups(): readonly number[] {
  const gid = process.getgid?.();
  return [...(gid === undefined ? [] : [gid]), ...(process.getgroups?.() ?? [])];
}

/** Opens keys that are unencrypted PEM files for their owner only, or as `keyRightsProblem` lets them be. */
export function plainKeyFiles(folder: string): OpenCaKey {
  return async (reference) => {
    const path = keyPath(folder, reference);
    try {
      const problem = await keyFileProblem(path);
      if (problem !== undefined) return err(problem);
      return openPem(path, await readFile(path, 'utf8'));
    } catch (error) {
      return err(error instanceof Error ? error.message : `${path} cannot be read`);
    }
  };
}

/** Where the file of a reference lies. */
export function keyPath(folder: string, reference: string): string {
  return isAbsolute(reference) ? reference : join(folder, reference);
}

/** Writes a new key, for its owner only; as unencrypted PKCS#8 PEM where nothing else is given. */
export async function writeKeyFile(path: string, key: KeyObject, encode: EncodeKey = plainPem): Promise<void> {
  await writeWhole(path, encode(key), 0o600);
}

function plainPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' });
}

function openPem(path: string, pem: string): Result<KeyObject, string> {
  try {
    return ok(createPrivateKey(pem));
  } catch {
    return err(`${path} holds no unencrypted private key in PEM`);
  }
}
