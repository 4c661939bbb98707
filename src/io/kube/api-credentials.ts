import { createHash } from 'node:crypto';

import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { ApiSettings } from './in-cluster.ts';

/** Reads a regular file of at most `maxBytes`; the error begins with the path and holds nothing of the content. */
export type ReadBoundedFile = (
  path: string,
  maxBytes: number,
) => Promise<Result<{ readonly bytes: Uint8Array; readonly mode: number }, string>>;

/** What is shown to the API server, and whom we believe there. Never to be logged. */
export type ApiCredentials = {
  readonly authorization: string;
  readonly ca: string;
  /** Changes with `ca`. */
  readonly caDigest: string;
};

const MAX_FILE = 1_048_576;
/** RFC 6750 2.1, which a JWT keeps to; longer ones than 16 KiB are nobody's. */
const TOKEN = /^[A-Za-z0-9._~+/-]{1,16384}=*$/;

/** Reads both files as they stand now. */
export async function readApiCredentials(
  { tokenFile, caFile }: ApiSettings,
  readFile: ReadBoundedFile,
): Promise<Result<ApiCredentials, string>> {
  const [token, ca] = await Promise.all([readFile(tokenFile, MAX_FILE), readFile(caFile, MAX_FILE)]);
  if (!token.ok) return token;
  if (!ca.ok) return ca;
  const tokenText = new TextDecoder().decode(token.value.bytes).trim();
  if (!TOKEN.test(tokenText)) return err(`${tokenFile}: holds no bearer token (RFC 6750 2.1)`);
  const caText = new TextDecoder().decode(ca.value.bytes);
  // An empty file would count for no file, and the system's authorities would be believed.
  if (!/^-----BEGIN CERTIFICATE-----/m.test(caText)) return err(`${caFile}: holds no certificate in PEM`);
  const caDigest = createHash('sha256').update(caText).digest('hex');
  return ok({ authorization: `Bearer ${tokenText}`, ca: caText, caDigest });
}
