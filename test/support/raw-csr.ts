import * as der from './der.ts';
import { encodeExtensions } from './pki-certificate.ts';
import { createKeyPair, signatureAlgorithm, signBytes, spkiOf } from './pki-keys.ts';

import type { Extension } from './pki-certificate.ts';
import type { Digest, KeyPair } from './pki-keys.ts';

/** What a PKCS #10 request says, nothing of it checked. */
export type RawCsr = {
  readonly keys?: KeyPair;
  readonly signedBy?: KeyPair;
  readonly digest?: Digest;
  readonly version?: Uint8Array;
  readonly subject?: Uint8Array;
  readonly spki?: Uint8Array;
  /** The attributes element whole; null leaves it out. */
  readonly attributes?: Uint8Array | null;
  readonly algorithm?: Uint8Array;
  readonly signature?: Uint8Array;
  /** After the last element of the content, and of the request. */
  readonly inside?: Uint8Array;
  readonly outside?: Uint8Array;
};

const NOTHING = new Uint8Array(0);
const usual = createKeyPair();

/** A request (RFC 2986 4), right but for what is said otherwise. */
export function rawCsr(options: RawCsr = {}): Uint8Array {
  const { keys = usual, signedBy = keys, digest = 'sha256' } = options;
  const content = der.sequence(
    options.version ?? der.integer(0),
    options.subject ?? der.sequence(),
    options.spki ?? spkiOf(keys),
    options.attributes === null ? NOTHING : (options.attributes ?? der.context(0)),
    options.inside ?? NOTHING,
  );
  const signature = options.signature ?? signBytes(signedBy, digest, content);
  const algorithm = options.algorithm ?? signatureAlgorithm(signedBy, digest);
  return der.sequence(content, algorithm, der.bitString(signature), options.outside ?? NOTHING);
}

/** One Extension (RFC 5280 4.1), DER. */
export function encodeExtension(one: Extension): Uint8Array {
  const list = encodeExtensions([one]);
  return list.subarray(list.length - sizeInside(list));
}

/** Octets of the contents of a SEQUENCE. */
function sizeInside(sequence: Uint8Array): number {
  const first = sequence[1] ?? 0;
  return sequence.length - 2 - (first < 0x80 ? 0 : first & 0x7f);
}

/** Attributes with one extensionRequest (RFC 2985 5.4.2) of these extensions, encoded. */
export function extensionRequest(...extensions: readonly Uint8Array[]): Uint8Array {
  return requestAttribute('1.2.840.113549.1.9.14', ...extensions);
}

/** The same under another type of attribute. */
export function requestAttribute(type: string, ...extensions: readonly Uint8Array[]): Uint8Array {
  return der.context(0, der.sequence(der.oid(type), der.setOf(der.sequence(...extensions))));
}

/** A request that asks for these extensions. */
export function asking(...extensions: readonly Extension[]): RawCsr {
  return { attributes: extensionRequest(...extensions.map(encodeExtension)) };
}
