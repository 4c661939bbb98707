import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import { TAG } from './der.ts';
import { MAX_PEM_LENGTH, pemBlocks } from './pem.ts';

const LABEL = 'X509 CRL';

/**
 * The revocation lists of a file or an answer of at most 16 MiB: one as DER (which begins with a SEQUENCE), or at least one as PEM (RFC 7468 6) and no block of
 * another kind. What they hold is not judged. Never throws.
 */
export function readCrlText(bytes: Uint8Array): Result<readonly Uint8Array[], string> {
  if (bytes[0] === TAG.sequence) return ok([bytes]);
  if (bytes.length > MAX_PEM_LENGTH) return err(`longer than ${MAX_PEM_LENGTH} bytes`);
  const blocks = pemBlocks(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
  if (!blocks.ok) return blocks;
  if (blocks.value.some(({ label }) => label !== LABEL)) return err(`holds a PEM block that is no "${LABEL}"`);
  return blocks.value.length === 0
    ? err(`neither DER nor a PEM block "${LABEL}"`)
    : ok(blocks.value.map(({ der }) => der));
}
