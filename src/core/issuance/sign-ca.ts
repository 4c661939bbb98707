import { importPublicKey } from '../identity/algorithms.ts';
import { parseCertificate } from '../identity/certificate.ts';
import { err, ok } from '../kernel/result.ts';
import { openStandIn, readCas } from './ca-chain.ts';
import { encodeSigned, encodeTbsCertificate } from './certificate-frame.ts';
import { commonName, keyIdentifier } from './extensions.ts';
import { kindOfKey, signatureAlgorithm, spkiOf } from './signing-key.ts';

import type { KeyObject } from 'node:crypto';
import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { CertificateContent } from './certificate-frame.ts';
import type { KeyKind } from './signing-key.ts';

/** The public key of a CA to be: of a kind that this room signs with. */
export type CaKey = { readonly spki: Uint8Array; readonly kind: KeyKind };

/** Reads the public half of a key by the rules for peers' keys. */
export function readCaKey(key: KeyObject): Result<CaKey, string> {
  let spki: Uint8Array;
  try {
    spki = spkiOf(key);
  } catch {
    return err('the public half of the key cannot be had; a token may need to be asked for it');
  }
  const read = importPublicKey(spki);
  const kind = read.ok ? kindOfKey(read.value.key) : undefined;
  return kind === undefined ? err('the key is neither ECDSA on P-256 nor Ed25519') : ok({ spki, kind });
}

/** The common name of a CA: `name`, and a part of its key identifier, so that the CAs of a rotation are told apart by name. At most 64 characters (RFC 5280 A.1). */
export function nameOfCa(name: string, spki: Uint8Array): Uint8Array {
  return commonName(`${name.slice(0, 55)} ${keyIdentifier(spki).slice(0, 8)}`);
}

/** A CA that is to be signed, and by whom. */
export type CaToSign = {
  readonly trustDomain: TrustDomain;
  readonly content: CertificateContent;
  /** Of the key that signs. */
  readonly kind: KeyKind;
  /** DER of the CAs above, the root last; empty for a root. */
  readonly above: readonly Uint8Array[];
  readonly nowMs: number;
  readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>;
};

/** Judges a CA by what a leaf under its stand-in would be worth; only then the very same bytes are signed. Gives DER. */
export async function signCa({
  trustDomain,
  content,
  kind,
  above,
  nowMs,
  sign,
}: CaToSign): Promise<Result<Uint8Array, string>> {
  const algorithm = signatureAlgorithm(kind);
  const tbs = encodeTbsCertificate(content, algorithm);
  const unsigned = parseCertificate(encodeSigned(tbs, algorithm, Uint8Array.of(0)));
  if (!unsigned.ok) return err(`not signed: ${unsigned.error.detail}`);
  const higher = above.length === 0 ? undefined : readCas(above);
  if (higher?.ok === false) return higher;
  const standIn = await openStandIn(trustDomain, [unsigned.value, ...(higher?.value ?? [])], kind, nowMs);
  if (!standIn.ok) return err(`not signed: ${standIn.error}`);
  try {
    return ok(encodeSigned(tbs, algorithm, await sign(tbs)));
  } catch {
    return err('the key does not sign; is it a private key of the kind that was named, and its token there?');
  }
}
