import { generateKeyPairSync } from 'node:crypto';

import { openSigner } from '../../../src/core/issuance/ca-signer.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { readCsr } from '../../../src/core/issuance/csr.ts';
import { createIntermediate } from '../../../src/core/issuance/intermediate.ts';
import { createRoot } from '../../../src/core/issuance/root.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { systemRandom } from '../../support/system-clock.ts';

import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { CaSigner } from '../../../src/core/issuance/ca-signer.ts';
import type { CertificateRequest } from '../../../src/core/issuance/csr.ts';
import type { IssuanceDeps } from '../../../src/core/issuance/deps.ts';
import type { KeyKind } from '../../../src/core/issuance/signing-key.ts';

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

/** A key pair of DSA, which nobody uses any more. */
export function dsaSpki(): Uint8Array {
  const { publicKey } = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 });
  return publicKey.export({ type: 'spki', format: 'der' });
}
