import type { OpenCaKey } from '../io/authority/key-files.ts';
import { keyPath } from '../io/authority/key-files.ts';
import { createKeyOpener } from '../io/keys/key-opener.ts';
import { readBounded } from '../io/sources/read-file.ts';
import { err, ok } from '../core/kernel/result.ts';

const MAX_BYTES = 1_048_576;

/**
 * Opens the keys of an authority, whatever their form: PEM, encrypted PEM, PKCS#12, or a file with the URI of a key in a PKCS#11 token. `folder`: where
 * references that are no absolute paths lie. A file that others than its owner can read is refused.
 */
export function caKeys(folder: string, passphrase: string | undefined): OpenCaKey {
  const opener = createKeyOpener({ passphrase });
  return async (reference) => {
    const path = keyPath(folder, reference);
    const file = await readBounded(path, MAX_BYTES);
    if (!file.ok) return file;
    const { bytes, mode } = file.value;
    if ((mode & 0o077) !== 0)
      return err(`${path}: may be read by others than its owner (mode ${mode.toString(8)}); chmod 600 it`);
    const opened = await opener.open(path, bytes);
    return opened.ok ? ok(opened.value.privateKey) : err(`${path}: ${opened.error}`);
  };
}
