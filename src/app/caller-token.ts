import { err, ok, type Result } from '../core/kernel/result.ts';
import { readBounded } from '../io/sources/read-file.ts';

const MAX_BYTES = 1_024;

/** Fit for the password of a proxy URL without encoding, and too long to be guessed. */
const FORM = /^[A-Za-z0-9._~-]{16,256}$/;

/** Reads the token that an agent's calls must show, where a file is named; a line end after it does not count. The error holds nothing of it. */
export async function readCallerToken(path: string | undefined): Promise<Result<string | undefined, string>> {
  if (path === undefined) return ok(undefined);
  const file = await readBounded(path, MAX_BYTES);
  if (!file.ok) return file;
  const { bytes, mode } = file.value;
  if ((mode & 0o004) !== 0)
    return err(`${path}: the token can be read by everybody (mode 0${mode.toString(8)}); chmod 640 it`);
  const token = Buffer.from(bytes)
    .toString('latin1')
    .replace(/\r?\n$/, '');
  return FORM.test(token)
    ? ok(token)
    : err(`${path}: a token is 16 to 256 letters, digits, dots, dashes, underscores or tildes`);
}
