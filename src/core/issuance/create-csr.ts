import { context, integer, sequence } from './der-writer.ts';
import { encodeSigned } from './certificate-frame.ts';
import { kindOfKey, signatureAlgorithm, signBytes, spkiOf } from './signing-key.ts';

import type { KeyObject } from 'node:crypto';

/**
 * Makes a PKCS #10 request (RFC 2986 4) that says nothing but the key: no subject, no attributes. The key is ECDSA P-256 or Ed25519; for any
 * other, or one that does not sign, it rejects. `publicKey`: where a token does not derive it. Kept apart from what issues, so that a sidecar
 * does not load that.
 */
export async function createCsr(privateKey: KeyObject, publicKey: KeyObject = privateKey): Promise<Uint8Array> {
  const kind = kindOfKey(publicKey);
  if (kind === undefined)
    throw new Error('a request is signed by a key of ECDSA P-256 or Ed25519, and this one is neither');
  const content = sequence(integer('00'), sequence(), spkiOf(publicKey), context(0));
  return encodeSigned(content, signatureAlgorithm(kind), await signBytes(kind, privateKey, content));
}
