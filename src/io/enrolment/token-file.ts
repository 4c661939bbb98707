import { err, ok, type Result } from '../../core/kernel/result.ts';
import type { EnrolmentSettings, ReadFile } from './settings.ts';

/** A JWT with much in it; join tokens are far shorter. */
const MAX_BYTES = 16_384;
/** Visible ASCII, which join tokens and JWTs are. */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * The token as it stands now, without white space around it. A join token that others can read is refused: one of them may have used it. A
 * service account token has the mode that Kubernetes gives it. Errors name the file and the reason, never its content.
 */
export async function readToken(
  { token: path, method }: Pick<EnrolmentSettings, 'token' | 'method'>,
  readFile: ReadFile,
): Promise<Result<string, string>> {
  const file = await readFile(path, MAX_BYTES);
  if (!file.ok) return file;
  const { bytes, mode } = file.value;
  if (method === 'join-token' && (mode & 0o026) !== 0)
    return err(
      `${path}: others can read or change the join token (mode ${mode.toString(8).padStart(4, '0')}); chmod 600 it`,
    );
  const token = new TextDecoder().decode(bytes).trim();
  return TOKEN.test(token) ? ok(token) : err(`${path}: holds no token`);
}
