import * as der from './der.ts';
import type { Digest, KeyPair } from './pki-keys.ts';
import { signatureAlgorithm, signBytes } from './pki-keys.ts';

/** Extension object identifiers (RFC 5280 4.2). */
export const OID = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  anyExtendedKeyUsage: '2.5.29.37.0',
} as const;

/** Key usage bits (RFC 5280 4.2.1.3). */
export const KEY_USAGE = {
  digitalSignature: 0,
  nonRepudiation: 1,
  keyEncipherment: 2,
  keyAgreement: 4,
  keyCertSign: 5,
  cRLSign: 6,
} as const;
export type KeyUsageName = keyof typeof KEY_USAGE;

/** One extension before it is encoded; `value` is what goes inside the OCTET STRING. */
export type Extension = { readonly oid: string; readonly critical: boolean; readonly value: Uint8Array };

/** Everything that stands in a certificate, nothing of it checked. */
export type CertificateContent = {
  readonly version?: number | undefined;
  readonly serial: bigint;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Uint8Array;
  readonly notAfter: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions: readonly Extension[];
};

/** How the content is signed, and how the signature may be wrong. */
export type Signing = {
  readonly keys: KeyPair;
  readonly digest?: Digest | undefined;
  /** AlgorithmIdentifier that stands outside instead of the true one. */
  readonly outerAlgorithm?: Uint8Array | undefined;
  readonly breakSignature?: boolean | undefined;
};

/** A Certificate (RFC 5280 4.1), DER. */
export function encodeCertificate(content: CertificateContent, signing: Signing): Uint8Array {
  const version = content.version ?? 3;
  const algorithm = signatureAlgorithm(signing.keys, signing.digest ?? 'sha256');
  const tbs = der.sequence(
    ...(version === 1 ? [] : [der.context(0, der.integer(version - 1))]),
    der.integer(content.serial),
    algorithm,
    content.issuer,
    der.sequence(content.notBefore, content.notAfter),
    content.subject,
    content.spki,
    ...(content.extensions.length === 0 ? [] : [der.context(3, encodeExtensions(content.extensions))]),
  );
  return signed(tbs, algorithm, signing);
}

/** SIGNED{} (RFC 5280 4.1.1): what certificates and CRLs have in common. */
export function signed(tbs: Uint8Array, algorithm: Uint8Array, signing: Signing): Uint8Array {
  const signature = Buffer.from(signBytes(signing.keys, signing.digest ?? 'sha256', tbs));
  const last = signature.length - 1;
  if (signing.breakSignature === true) signature[last] = (signature[last] ?? 0) ^ 1;
  return der.sequence(tbs, signing.outerAlgorithm ?? algorithm, der.bitString(signature));
}

export function encodeExtensions(extensions: readonly Extension[]): Uint8Array {
  return der.sequence(
    ...extensions.map(({ oid, critical, value }) =>
      der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octetString(value)),
    ),
  );
}

/** A Name of one common name; undefined gives the empty name. */
export function commonName(text: string | undefined): Uint8Array {
  if (text === undefined) return der.sequence();
  return der.sequence(der.setOf(der.sequence(der.oid('2.5.4.3'), der.utf8(text))));
}

/** GeneralNames (RFC 5280 4.2.1.6). Bytes may be given where text cannot say it. */
export const generalName = {
  email: (text: string | Uint8Array): Uint8Array => der.contextPrimitive(1, Buffer.from(text)),
  dns: (text: string | Uint8Array): Uint8Array => der.contextPrimitive(2, Buffer.from(text)),
  directory: (name: Uint8Array): Uint8Array => der.context(4, name),
  uri: (text: string | Uint8Array): Uint8Array => der.contextPrimitive(6, Buffer.from(text)),
  ip: (bytes: Uint8Array): Uint8Array => der.contextPrimitive(7, bytes),
  other: (typeOid: string, value: Uint8Array): Uint8Array => der.context(0, der.oid(typeOid), der.context(0, value)),
} as const;

/** Makers of the extensions that certificates here have. */
export const extension = {
  subjectAltName: (names: readonly Uint8Array[], critical = false): Extension => ({
    oid: OID.subjectAltName,
    critical,
    value: der.sequence(...names),
  }),
  keyUsage: (names: readonly KeyUsageName[], critical = true): Extension => ({
    oid: OID.keyUsage,
    critical,
    value: der.namedBits(names.map((name) => KEY_USAGE[name])),
  }),
  extendedKeyUsage: (oids: readonly string[], critical = false): Extension => ({
    oid: OID.extendedKeyUsage,
    critical,
    value: der.sequence(...oids.map(der.oid)),
  }),
  basicConstraints: (cA: boolean, pathLength: number | undefined): Extension => ({
    oid: OID.basicConstraints,
    critical: true,
    value: der.sequence(
      ...(cA ? [der.boolean(true)] : []),
      ...(pathLength === undefined ? [] : [der.integer(pathLength)]),
    ),
  }),
  /** Subtrees are GeneralNames: of `generalName.uri('.example.org')` and the like. */
  nameConstraints: (permitted: readonly Uint8Array[], excluded: readonly Uint8Array[], critical = true): Extension => ({
    oid: OID.nameConstraints,
    critical,
    value: der.sequence(
      ...(permitted.length === 0 ? [] : [der.context(0, ...permitted.map((name) => der.sequence(name)))]),
      ...(excluded.length === 0 ? [] : [der.context(1, ...excluded.map((name) => der.sequence(name)))]),
    ),
  }),
  subjectKeyIdentifier: (id: Uint8Array): Extension => ({
    oid: OID.subjectKeyIdentifier,
    critical: false,
    value: der.octetString(id),
  }),
  authorityKeyIdentifier: (id: Uint8Array): Extension => ({
    oid: OID.authorityKeyIdentifier,
    critical: false,
    value: der.sequence(der.contextPrimitive(0, id)),
  }),
  /** One distribution point with one full name. */
  crlDistributionPoints: (uri: string): Extension => ({
    oid: OID.crlDistributionPoints,
    critical: false,
    value: der.sequence(der.sequence(der.context(0, der.context(0, generalName.uri(uri))))),
  }),
} as const;
