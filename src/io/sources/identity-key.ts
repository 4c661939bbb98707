import { createPrivateKey } from 'node:crypto';

import { pemBlocks } from '../../core/identity/pem.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { OpenedKey, OpenKey } from './identity-part.ts';
import type { ReadFile } from './read-file.ts';

/** Opens the key of a file that others on the machine can neither read nor replace. Nothing of the file's content is ever told. */
export async function openGuarded(file: ReadFile, path: string, openKey: OpenKey): Promise<Result<OpenedKey, string>> {
  if ((file.mode & 0o004) !== 0)
    return err(`the private key can be read by everybody (mode ${octal(file.mode)}); chmod 600 it`);
  if ((file.mode & 0o022) !== 0)
    return err(`the private key can be written by others (mode ${octal(file.mode)}); chmod 600 it`);
  return openKey(path, file.bytes);
}

/** Opens a key that stands in the file as plain PEM. */
export const openPemKey: OpenKey = (_path, bytes) => Promise.resolve(readPem(bytes));

function readPem(bytes: Uint8Array): Result<OpenedKey, string> {
  const parsed = pemBlocks(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
  if (!parsed.ok) return parsed;
  const keys = parsed.value.filter((block) => block.label.endsWith('PRIVATE KEY'));
  if (keys.length !== 1) return err(`holds ${keys.length} private keys; one is needed`);
  if (keys[0]?.label === 'ENCRYPTED PRIVATE KEY')
    return err('the private key is encrypted; there is nobody to ask for its password');
  try {
    return ok({ privateKey: createPrivateKey(Buffer.from(bytes)), chain: [] });
  } catch {
    return err('the private key cannot be read; PKCS#8, SEC1 or PKCS#1 PEM is needed');
  }
}

/** What an operator should mend although the key is not refused for it. */
export function keyWarnings({ mode }: ReadFile, path: string): readonly string[] {
  return (mode & 0o040) === 0 ? [] : [`${path}: the private key can be read by its group (mode ${octal(mode)})`];
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
