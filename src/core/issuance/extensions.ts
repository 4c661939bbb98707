import { createHash } from 'node:crypto';

import { DerReader, TAG } from '../identity/der.ts';
import { readOctetsOfBitString } from '../identity/der-values.ts';
import { x509 } from './x509.ts';

/** An alternative name of a certificate. */
export type AlternativeName = { readonly type: 'url' | 'dns' | 'ip'; readonly value: string };

/**
 * Key identifier of a SubjectPublicKeyInfo, hexadecimal: the first 160 bits of the SHA-256 of the key's bits (RFC 7093 2 method 1). `spki`
 * has been read before.
 */
export function keyIdentifier(spki: Uint8Array): string {
  const info = new DerReader(spki).enter(TAG.sequence, 'public key');
  info.whole(TAG.sequence, 'key algorithm');
  const bits = readOctetsOfBitString(info, 'public key');
  return createHash('sha256').update(bits).digest('hex').slice(0, 40);
}

/**
 * Extensions of a CA (X509-SVID 3.2, 4.1, 4.3): critical basicConstraints with a path length, critical keyCertSign and cRLSign, the trust
 * domain's SPIFFE ID without path, key identifiers. `issuerKeyId`: undefined for a root, and where the issuer has none.
 */
export function caExtensions(
  trustDomain: string,
  pathLength: number,
  spki: Uint8Array,
  issuerKeyId: string | undefined,
): readonly Uint8Array[] {
  return encoded([
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ...keyIdentifiers(spki, issuerKeyId),
    new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
  ]);
}

/**
 * Extensions of a leaf (X509-SVID 2, 4): critical basicConstraints that say no CA, critical digitalSignature, both extended key usages, and,
 * critical since the subject is empty (RFC 5280 4.2.1.6), its names.
 */
export function leafExtensions(
  names: readonly AlternativeName[],
  spki: Uint8Array,
  issuerKeyId: string | undefined,
): readonly Uint8Array[] {
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  return encoded([
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
    ...keyIdentifiers(spki, issuerKeyId),
    new x509.SubjectAlternativeNameExtension([...names], true),
  ]);
}

function keyIdentifiers(spki: Uint8Array, issuerKeyId: string | undefined): readonly x509.Extension[] {
  return [
    new x509.SubjectKeyIdentifierExtension(keyIdentifier(spki)),
    ...(issuerKeyId === undefined ? [] : [new x509.AuthorityKeyIdentifierExtension(issuerKeyId)]),
  ];
}

function encoded(extensions: readonly x509.Extension[]): readonly Uint8Array[] {
  return extensions.map((extension) => new Uint8Array(extension.rawData));
}

/** A Name of one common name (RFC 5280 4.1.2.4), encoded. At most 64 characters, its upper bound (RFC 5280 A.1). */
export function commonName(text: string): Uint8Array {
  return new Uint8Array(new x509.Name([{ CN: [text] }]).toArrayBuffer());
}
