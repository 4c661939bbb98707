import { generateKeyPairSync } from 'node:crypto';

import { openSigner } from '../../../src/core/issuance/ca-signer.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { readCsr } from '../../../src/core/issuance/csr.ts';
import { createIntermediate } from '../../../src/core/issuance/intermediate.ts';
import { createRoot } from '../../../src/core/issuance/root.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import * as der from '../../support/der.ts';
import { encodeExtensions } from '../../support/pki-certificate.ts';
import { createKeyPair, signatureAlgorithm, signBytes, spkiOf } from '../../support/pki-keys.ts';
import { systemRandom } from '../../support/system-clock.ts';

import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { CaSigner } from '../../../src/core/issuance/ca-signer.ts';
import type { CertificateRequest } from '../../../src/core/issuance/csr.ts';
import type { IssuanceDeps } from '../../../src/core/issuance/deps.ts';
import type { KeyKind } from '../../../src/core/issuance/signing-key.ts';
import type { Extension } from '../../support/pki-certificate.ts';
import type { Digest, KeyPair } from '../../support/pki-keys.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** One moment, in whole seconds, for all tests of this room. */
export const NOW = 1_800_000_000_000;

export const EXAMPLE = 'example.org' as TrustDomain;
export const ID = 'spiffe://example.org/ns/a/sa/b';

/** Time and randomness at one moment. */
export function depsAt(nowMs: number): IssuanceDeps {
  return { clock: { wallMs: () => nowMs, monotonicMs: () => 0 }, random: systemRandom };
}

export const deps = depsAt(NOW);

export function valueOf<T, E>(result: Result<T, E>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

/** The error as text, or `fine`. */
export function errorOf<T>(result: Result<T, string>): string {
  return result.ok ? 'fine' : result.error;
}

/** The kind of the fault, or `issued`. */
export function kindOf<T>(result: Result<T, { readonly kind: string }>): string {
  return result.ok ? 'issued' : result.error.kind;
}

/** A root that signs leaves itself, for a day. */
export async function rootSigner(kind: KeyKind = 'p256', ttlMs = DAY, at = deps): Promise<CaSigner> {
  const root = valueOf(await createRoot(EXAMPLE, { ttlMs, keyKind: kind }, at));
  const parts = { trustDomain: EXAMPLE, chain: [], rootDer: root.der, privateKey: root.privateKey };
  return valueOf(await openSigner(parts, at.clock.wallMs()));
}

/** An intermediate below a root, each with a key of its own kind. */
export async function issuingSigner(
  rootKind: KeyKind = 'p256',
  kind: KeyKind = rootKind,
  ttlMs = 12 * HOUR,
): Promise<CaSigner> {
  const root = await rootSigner(rootKind);
  const { privateKey, publicKey } = generateKeyPair(kind);
  const certificate = valueOf(await createIntermediate(root, { publicKey, ttlMs, name: 'Issuing CA' }, deps));
  const parts = { trustDomain: EXAMPLE, chain: [certificate], rootDer: root.root, privateKey };
  return valueOf(await openSigner(parts, NOW));
}

/** A signer that counts what its key is asked to sign. */
export function spied(signer: CaSigner): { readonly signer: CaSigner; readonly signed: Uint8Array[] } {
  const signed: Uint8Array[] = [];
  const sign = (bytes: Uint8Array): Promise<Uint8Array> => {
    signed.push(bytes);
    return signer.sign(bytes);
  };
  return { signer: { ...signer, sign }, signed };
}

/** A request for a fresh key, read. */
export async function request(kind: KeyKind = 'p256'): Promise<CertificateRequest> {
  return valueOf(readCsr(await createCsr(generateKeyPair(kind).privateKey)));
}

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
  const list = der.sequence(...extensions);
  return der.context(0, der.sequence(der.oid('1.2.840.113549.1.9.14'), der.setOf(list)));
}

/** A key pair of DSA, which nobody uses any more. */
export function dsaSpki(): Uint8Array {
  const { publicKey } = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 });
  return publicKey.export({ type: 'spki', format: 'der' });
}
