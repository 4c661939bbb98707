import { equalBytes } from '../identity/bytes.ts';
import { parseCertificate } from '../identity/certificate.ts';
import { findPath } from '../identity/path.ts';
import { err, ok } from '../kernel/result.ts';
import { leafExtensions } from './extensions.ts';
import { stagedRefusal } from './sign-leaf.ts';
import { generateKeyPair, spkiOf } from './signing-key.ts';
import { createStandIn } from './stand-in.ts';

import type { Certificate } from '../identity/certificate.ts';
import type { TrustStore } from '../identity/trust-store.ts';
import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { KeyKind } from './signing-key.ts';
import type { StandIn } from './stand-in.ts';

/** A CA and all above it, the root last. */
export type CaChain = readonly [Certificate, ...Certificate[]];

/** Reads a chain of CAs, DER, the root last. The error says which one is wrong. */
export function readCas(ders: readonly Uint8Array[]): Result<CaChain, string> {
  const cas: Certificate[] = [];
  for (const [index, der] of ders.entries()) {
    const certificate = parseCertificate(der);
    if (!certificate.ok) return err(`certificate ${index + 1} of the chain: ${certificate.error.detail}`);
    cas.push(certificate.value);
  }
  const [first, ...rest] = cas;
  return first === undefined ? err('there is no certificate') : ok([first, ...rest]);
}

/** Why the CAs, as they stand and in their order, are no valid path to the root; undefined where they are, or where the root is all there is. */
export function pathProblem(
  cas: CaChain,
  trust: TrustStore,
  trustDomain: TrustDomain,
  atMs: number,
): string | undefined {
  const [certificate, ...presented] = cas;
  if (presented.length === 0) return undefined;
  const anchors = trust.anchors.get(trustDomain) ?? [];
  const path = findPath(certificate, { trustDomain, presented, anchors, atMs, clockSkewMs: 0, purpose: 'server' });
  if (!path.ok) return `the chain does not lead to the root: ${path.error.detail}`;
  const inOrder = path.value.length === cas.length && path.value.every((ca, at) => isSame(ca, cas[at]));
  return inOrder ? undefined : 'the chain is not the CA, then its issuer, and so on up to below the root';
}

function isSame(one: Certificate, other: Certificate | undefined): boolean {
  return other !== undefined && equalBytes(one.der, other.der);
}

/** Makes the stand-in of a CA, and shows that a leaf under it would pass as client and as server at `atMs`. */
export async function openStandIn(
  trustDomain: TrustDomain,
  cas: CaChain,
  kind: KeyKind,
  atMs: number,
): Promise<Result<StandIn, string>> {
  const [certificate] = cas;
  const standIn = await createStandIn(trustDomain, cas, kind);
  if (!standIn.ok) return standIn;
  const spki = spkiOf(generateKeyPair(kind).publicKey);
  const names = [{ type: 'url', value: `spiffe://${trustDomain}/probe` }] as const;
  const extensions = leafExtensions(names, spki, certificate.extensions.subjectKeyId);
  const template = { serial: '01', notBeforeMs: atMs, notAfterMs: atMs + 1_000, spki, extensions };
  const wrong = await stagedRefusal(standIn.value, certificate, kind, template, atMs);
  return wrong === undefined ? standIn : err(`a leaf under it: ${wrong}`);
}
