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

/** Opens keys that are unencrypted PEM files for their owner only. */
export function plainKeyFiles(folder: string): OpenCaKey {
  return async (reference) => {
    const path = keyPath(folder, reference);
    try {
      const mode = (await stat(path)).mode & 0o777;
      if ((mode & 0o077) !== 0)
        return err(`${path} may be read by others than its owner; \`chmod 0600 ${path}\` mends it`);
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
