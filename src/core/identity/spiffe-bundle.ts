import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import type { Certificate } from './certificate.ts';
import { parseCertificate } from './certificate.ts';
import { jwkFlaw, publicJwk } from './jwk.ts';
import { parseUniqueJson } from './unique-json.ts';

/** The largest bundle that is read, in bytes. */
export const MAX_SPIFFE_BUNDLE_BYTES = 1_048_576;

/** Entries of a bundle, of all kinds. */
const MAX_KEYS = 1024;

/** CA certificates of a bundle: what a trust store takes for one trust domain. */
const MAX_ROOTS = 256;

/** A bundle is an object with an array of objects with arrays of strings; what other uses add lies little deeper. */
const MAX_DEPTH = 32;

const MAX_SEQUENCE = (1n << 64n) - 1n;

/** RSA (RFC 7518 6.3), EC (RFC 7518 6.2) and OKP (RFC 8037 2): every other `kty` is unknown and ignored. */
const KEY_TYPES: ReadonlySet<unknown> = new Set(['RSA', 'EC', 'OKP']);

/** A SPIFFE bundle as far as X509-SVIDs go. It does not say whose it is: that is known from where it came from. */
export type SpiffeBundle = {
  /** DER of the CA certificates, in their order, none twice. None at all: nobody of the trust domain is believed. */
  readonly roots: readonly Uint8Array[];
  /** `spiffe_sequence`, 0 to 2^64 - 1: greater in each newer bundle of a trust domain. */
  readonly sequence: bigint | undefined;
  /** `spiffe_refresh_hint`: how soon to ask again, milliseconds; at least 0. */
  readonly refreshHintMs: number | undefined;
};

/**
 * Reads a SPIFFE bundle (SPIFFE Trust Domain and Bundle 4, X509-SVID 6.2): a JWK Set of at most 1 MiB, UTF-8, no key twice in an object. Entries of another
 * `use`, of an unknown `kty` or without `x5c` are ignored, as is every value of `x5c` but the first. An `x509-svid` entry that breaks a rule makes all of it
 * unusable: a `kid` (6.1), a `kty` or key that is not the certificate's, a certificate that cannot be read. Whether the certificates may be anchors is for
 * `createTrustStore`. Never throws.
 */
export function parseSpiffeBundle(bytes: Uint8Array): Result<SpiffeBundle, string> {
  const document = readDocument(bytes);
  if (!document.ok) return document;
  const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: hint } = document.value;
  if (!Array.isArray(keys)) return malformed('keys: is not there, or no array');
  if (keys.length > MAX_KEYS) return malformed(`keys: more than ${MAX_KEYS}`);
  if (!isNumber(sequence, MAX_SEQUENCE)) return malformed('spiffe_sequence: not an integer from 0 to 2^64 - 1');
  if (!isNumber(hint, MAX_SEQUENCE)) return malformed('spiffe_refresh_hint: not an integer of 0 or more');
  const roots = readRoots(keys);
  if (!roots.ok) return roots;
  return ok({ roots: roots.value, sequence, refreshHintMs: hint === undefined ? undefined : Number(hint) * 1000 });
}

type Members = Readonly<Record<string, unknown>>;

function readDocument(bytes: Uint8Array): Result<Members, string> {
  if (bytes.length > MAX_SPIFFE_BUNDLE_BYTES) return malformed(`over ${MAX_SPIFFE_BUNDLE_BYTES} bytes`);
  const text = decodeUtf8(bytes);
  if (text === undefined) return malformed('not UTF-8');
  const parsed = parseUniqueJson(text, MAX_DEPTH);
  if (!parsed.ok) return malformed(parsed.error);
  return isObject(parsed.value) ? ok(parsed.value) : malformed('not a JSON object');
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Absent, or a whole number from 0 to `max`. */
function isNumber(value: unknown, max: bigint): value is bigint | undefined {
  return value === undefined || (typeof value === 'bigint' && value >= 0n && value <= max);
}

function readRoots(keys: readonly unknown[]): Result<readonly Uint8Array[], string> {
  const roots = new Map<string, Uint8Array>();
  for (const [index, entry] of keys.entries()) {
    const root = readEntry(entry);
    if (!root.ok) return malformed(`keys, entry ${index + 1}: ${root.error}`);
    if (root.value !== undefined) roots.set(root.value.toHex(), root.value);
    if (roots.size > MAX_ROOTS) return malformed(`keys: more than ${MAX_ROOTS} CA certificates`);
  }
  return ok([...roots.values()]);
}

/** The certificate of an entry; undefined where the entry is to be ignored. */
function readEntry(entry: unknown): Result<Uint8Array | undefined, string> {
  if (!isObject(entry)) return err('not an object');
  if (entry['use'] !== 'x509-svid' || !KEY_TYPES.has(entry['kty'])) return ok(undefined);
  const chain: unknown = entry['x5c'] ?? [];
  if (!Array.isArray(chain)) return err('x5c: not an array');
  if (chain.length === 0) return ok(undefined);
  if (Object.hasOwn(entry, 'kid')) return err('kid: must not be set for x509-svid (X509-SVID 6.1)');
  const certificate = readCertificate(chain[0]);
  if (!certificate.ok) return err(`x5c: ${certificate.error}`);
  const key = publicJwk(certificate.value.spki);
  if (key === undefined) return err('x5c: the key of the certificate is not of an accepted kind and size');
  const flaw = jwkFlaw(entry, key);
  return flaw === undefined ? ok(certificate.value.der) : err(flaw);
}

/** Plain base64 of DER, not base64url (RFC 7517 4.7). */
function readCertificate(value: unknown): Result<Certificate, string> {
  const der = typeof value === 'string' ? decodeBase64(value) : undefined;
  if (der === undefined) return err('not base64');
  const certificate = parseCertificate(der);
  return certificate.ok ? certificate : err(certificate.error.detail);
}

function decodeBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: 'strict' });
  } catch {
    return undefined;
  }
}

function malformed(detail: string): Result<never, string> {
  return err(`SPIFFE bundle: ${detail}`);
}

/**
 * Writes the bundle of a trust domain (SPIFFE Trust Domain and Bundle 4, X509-SVID 6.1): one entry for each CA certificate, with the members of its key that
 * RFC 7517 wants. `sequence` must grow with each change of `roots`. Takes only certificates that this room accepts: anything else is a bug of the caller and throws.
 */
export function formatSpiffeBundle(
  roots: readonly Uint8Array[],
  { sequence, refreshHintSeconds }: { readonly sequence: bigint | number; readonly refreshHintSeconds: number },
): string {
  const keys = roots.map((der) => {
    const certificate = parseCertificate(der);
    const key = certificate.ok ? publicJwk(certificate.value.spki) : undefined;
    if (key === undefined)
      throw new TypeError('a trust bundle holds a certificate that is none, or whose key is not accepted');
    return { use: 'x509-svid', ...key, x5c: [der.toBase64()] };
  });
  const text = JSON.stringify({ keys, spiffe_refresh_hint: refreshHintSeconds });
  // A sequence may have 64 bits, which no number of JavaScript has.
  return `${text.slice(0, -1)},"spiffe_sequence":${BigInt(sequence)}}`;
}
