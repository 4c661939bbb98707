import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import type { Fault } from '../model/faults.ts';
import { fault } from '../model/faults.ts';
import { equalBytes } from './bytes.ts';
import { constructedTag, DerReader, primitiveTag, TAG } from './der.ts';
import { readBitString, readInteger, readOctetsOfBitString, readSmallInteger, readTime } from './der-values.ts';
import { isEmptyName, readName } from './distinguished-name.ts';
import type { CertificateExtensions } from './extensions.ts';
import { readCertificateExtensions } from './extensions.ts';

/** The largest certificate that is read, in bytes. */
export const MAX_CERTIFICATE_BYTES = 65_536;

/** Serial numbers have at most 20 octets (RFC 5280 4.1.2.2), and one more where the sign needs it. */
const MAX_SERIAL_OCTETS = 21;

/** An X.509 version 3 certificate as data: well-formed, judged by no rule yet. Everything is a view of `der`. */
export type Certificate = {
  readonly der: Uint8Array;
  /** What is signed. */
  readonly tbs: Uint8Array;
  /** Lower-case hexadecimal without leading zeros. */
  readonly serial: string;
  /** AlgorithmIdentifier, encoded, hexadecimal. */
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
  /** Names, encoded. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Milliseconds since the epoch; both belong to the time in which it is valid. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo, encoded. */
  readonly spki: Uint8Array;
  readonly extensions: CertificateExtensions;
};

/**
 * Reads one certificate (RFC 5280 4.1) from strict DER of at most 64 KiB. Works on a copy, so that later changes to `der` change nothing.
 * Never throws. Fault: `peer_certificate_malformed`.
 */
export function parseCertificate(der: Uint8Array): Result<Certificate, Fault> {
  if (der.length > MAX_CERTIFICATE_BYTES) return malformed(`over ${MAX_CERTIFICATE_BYTES} bytes`);
  const copy = Uint8Array.from(der);
  const reader = new DerReader(copy);
  const certificate = readCertificate(reader, copy);
  return reader.failure === undefined ? ok(certificate) : malformed(reader.failure);
}

function malformed(detail: string): Result<never, Fault> {
  return err(fault('peer_certificate_malformed', `certificate: ${detail}`));
}

function readCertificate(reader: DerReader, der: Uint8Array): Certificate {
  const { tbs, content, algorithm, signature } = readSigned(reader, 'certificate');
  readVersion(content);
  const serial = readSerial(content);
  readInnerAlgorithm(content, algorithm);
  const issuer = readName(content, 'issuer');
  if (isEmptyName(issuer)) content.fail('issuer: empty');
  const validity = content.enter(TAG.sequence, 'validity');
  const notBeforeMs = readTime(validity, 'notBefore');
  const notAfterMs = readTime(validity, 'notAfter');
  validity.close('validity');
  const subject = readName(content, 'subject');
  const spki = content.whole(TAG.sequence, 'public key');
  skipUniqueIds(content);
  const extensions = readCertificateExtensions(content.enter(constructedTag(3), 'extensions'));
  content.close('certificate content');
  const signatureAlgorithm = algorithm.toHex();
  const validFor = { notBeforeMs, notAfterMs };
  return { der, tbs, serial, signatureAlgorithm, signature, issuer, subject, ...validFor, spki, extensions };
}

/** Version 3, since every rule about who may sign what stands in extensions. */
function readVersion(content: DerReader): void {
  const explicit = content.enter(constructedTag(0), 'version');
  if (readSmallInteger(explicit, 'version') !== 2) content.fail('version: not 3');
  explicit.close('version');
}

/** A positive integer (RFC 5280 4.1.2.2). */
function readSerial(content: DerReader): string {
  const octets = readInteger(content, 'serial number', MAX_SERIAL_OCTETS);
  const tooLong = octets.length === MAX_SERIAL_OCTETS && octets[0] !== 0;
  const serial = serialText(octets);
  if (tooLong || (octets[0] ?? 0) >= 0x80 || serial === '') content.fail('serial number: not positive, or too long');
  return serial;
}

/** The content octets of a serial number as hexadecimal without leading zeros: one text for each integer that is not negative. */
export function serialText(octets: Uint8Array): string {
  return octets.toHex().replace(/^0+/, '');
}

/** The algorithm inside what is signed is the one outside (RFC 5280 4.1.1.2, 5.1.1.2). */
export function readInnerAlgorithm(content: DerReader, outer: Uint8Array): void {
  const inner = content.whole(TAG.sequence, 'inner signature algorithm');
  if (!equalBytes(inner, outer)) content.fail('signature algorithm: not the same inside and outside');
}

/** issuerUniqueID and subjectUniqueID: read over (RFC 5280 4.1.2.8). */
function skipUniqueIds(content: DerReader): void {
  for (const tag of [primitiveTag(1), primitiveTag(2)]) {
    if (content.nextTag === tag) readBitString(content, 'unique identifier', tag);
  }
}

/** The longest AlgorithmIdentifier; those that are accepted have at most 67 octets. */
const MAX_ALGORITHM_BYTES = 256;

/** SIGNED (RFC 5280 4.1.1, 5.1.1) in its parts. `content` reads what is in `tbs`. */
export type Signed = {
  readonly tbs: Uint8Array;
  readonly content: DerReader;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
};

/** Reads what certificates and revocation lists have in common: signed content, algorithm, signature, and nothing after them. */
export function readSigned(reader: DerReader, what: string): Signed {
  const outer = reader.enter(TAG.sequence, what);
  const tbs = outer.whole(TAG.sequence, what);
  const content = outer.over(tbs).enter(TAG.sequence, what);
  const algorithm = outer.whole(TAG.sequence, 'signature algorithm');
  if (algorithm.length > MAX_ALGORITHM_BYTES) outer.fail('signature algorithm: too long');
  const signature = readOctetsOfBitString(outer, 'signature');
  outer.close(what);
  reader.close(what);
  return { tbs, content, algorithm, signature };
}
