import { err, ok, type Result } from '../core/kernel/result.ts';
import type { CaDeps } from '../io/authority/issuing-ca.ts';
import { keyFileProblem, keyPath, type EncodeKey, type OpenCaKey } from '../io/authority/key-files.ts';
import { encodePrivateKey } from '../io/keys/encode-key.ts';
import { createKeyOpener } from '../io/keys/key-opener.ts';
import { readPassphrase } from '../io/keys/passphrase.ts';
import { readBounded } from '../io/sources/read-file.ts';
import { createRandom, systemClock } from './system.ts';

const MAX_BYTES = 1_048_576;

/**
 * Opens the keys of an authority, whatever their form: PEM, encrypted PEM, PKCS#12, or a file with the URI of a key in a PKCS#11 token. `folder`: where
 * references that are no absolute paths lie. A file that others can read than `keyRightsProblem` allows is refused.
 */
export function caKeys(folder: string, passphrase: string | undefined): OpenCaKey {
  const opener = createKeyOpener({ passphrase });
  return async (reference) => {
    const path = keyPath(folder, reference);
    const file = await readBounded(path, MAX_BYTES);
    if (!file.ok) return file;
    const problem = await keyFileProblem(path);
    if (problem !== undefined) return err(problem);
    const opened = await opener.open(path, file.value.bytes);
    return opened.ok ? ok(opened.value.privateKey) : err(`${path}: ${opened.error}`);
  };
}

/**
 * How keys are written: encrypted where `passphrase` names a file, plain where it is undefined. The error names the file, never what stands in it.
 */
export async function keyEncoder(passphrase: string | undefined): Promise<Result<EncodeKey, string>> {
  if (passphrase === undefined) return ok((key) => encodePrivateKey(key, undefined));
  const read = await readPassphrase(passphrase);
  return read.ok ? ok((key) => encodePrivateKey(key, read.value)) : read;
}

/** What whoever changes an authority from the command line needs. `passphrase`: file with that of its keys, those that are there and new ones. */
export async function caDeps(folder: string, passphrase: string | undefined): Promise<Result<CaDeps, string>> {
  const encoder = await keyEncoder(passphrase);
  if (!encoder.ok) return encoder;
  const openKey = caKeys(folder, passphrase);
  return ok({ clock: systemClock, random: createRandom(), openKey, encodeKey: encoder.value });
}
