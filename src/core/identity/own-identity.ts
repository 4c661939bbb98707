import type { SpiffeId, TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import type { CertificateFacts } from '../model/peer.ts';
import { importPublicKey, isAcceptedSignature, verifySignature } from './algorithms.ts';
import { equalBytes } from './bytes.ts';
import type { Certificate } from './certificate.ts';
import { parseCertificate } from './certificate.ts';
import { factsOf } from './certificate-facts.ts';
import { shortName } from './distinguished-name.ts';
import { leafFault, leafId, signerFault } from './svid-rules.ts';
import { MAX_PRESENTED_CERTIFICATES } from './verify.ts';

/** Who we are to our peers. */
export type OwnIdentity = {
  readonly spiffeId: SpiffeId;
  readonly trustDomain: TrustDomain;
  readonly path: string;
  readonly certificate: CertificateFacts;
  /** The earliest notAfter of the chain, milliseconds since the epoch. */
  readonly validUntilMs: number;
};

/**
 * Checks what we are about to present: the chain as it will go out (leaf first, each certificate signed by the next), the X509-SVID rules for
 * our own leaf, its time, and that it is for our private key, given as the SubjectPublicKeyInfo of its public half. All that is wrong is told
 * together. What it finds wrong, careful peers would refuse.
 */
export function checkOwnIdentity(
  chain: readonly Uint8Array[],
  publicKeySpki: Uint8Array,
  atMs: number,
): Result<OwnIdentity, readonly string[]> {
  const parsed = chain.slice(0, MAX_PRESENTED_CERTIFICATES).map((der) => parseCertificate(der));
  const certificates = parsed.flatMap((result) => (result.ok ? [result.value] : []));
  const [leaf] = certificates;
  if (leaf === undefined || certificates.length < chain.length) return err(unreadable(chain, parsed));
  const id = leafId(leaf);
  const problems = [
    ...(id.ok ? [] : [id.error.detail]),
    ...leafProblems(leaf, publicKeySpki),
    ...certificates.flatMap((certificate, index) => timeProblems(certificate, index, atMs)),
    ...certificates.slice(1).flatMap((issuer, index) => linkProblems(certificates[index] ?? leaf, issuer, index + 2)),
    ...(id.ok ? signerProblems(certificates.slice(1), id.value.trustDomain) : []),
  ];
  if (!id.ok || problems.length > 0) return err(problems);
  const { id: spiffeId, trustDomain, path } = id.value;
  const validUntilMs = Math.min(...certificates.map(({ notAfterMs }) => notAfterMs));
  return ok(Object.freeze({ spiffeId, trustDomain, path, certificate: factsOf(leaf), validUntilMs }));
}

function unreadable(
  chain: readonly Uint8Array[],
  parsed: readonly ReturnType<typeof parseCertificate>[],
): readonly string[] {
  if (chain.length === 0) return ['there is no certificate'];
  if (chain.length > MAX_PRESENTED_CERTIFICATES) return [`more than ${MAX_PRESENTED_CERTIFICATES} certificates`];
  return parsed.flatMap((result, index) => (result.ok ? [] : [`certificate ${index + 1}: ${result.error.detail}`]));
}

function leafProblems(leaf: Certificate, publicKeySpki: Uint8Array): readonly string[] {
  const key = importPublicKey(leaf.spki);
  const rule = leafFault(leaf);
  return [
    ...(rule === undefined ? [] : [rule.detail]),
    ...(key.ok ? [] : [`leaf: ${key.error.detail}`]),
    ...(equalBytes(leaf.spki, publicKeySpki) ? [] : ['the private key is not that of the certificate']),
  ];
}

function timeProblems({ notBeforeMs, notAfterMs }: Certificate, index: number, atMs: number): readonly string[] {
  const which = `certificate ${index + 1}`;
  if (atMs > notAfterMs) return [`${which}: expired at ${new Date(notAfterMs).toISOString()}`];
  return atMs < notBeforeMs ? [`${which}: not valid before ${new Date(notBeforeMs).toISOString()}`] : [];
}

/** TLS wants each certificate to certify the one before it (RFC 8446 4.4.2). */
function linkProblems(child: Certificate, issuer: Certificate, place: number): readonly string[] {
  if (!equalBytes(child.issuer, issuer.subject)) {
    return [`certificate ${place}: is not the issuer of the one before it, ${shortName(child.issuer)}`];
  }
  if (!isAcceptedSignature(child.signatureAlgorithm)) {
    return [`certificate ${place - 1}: a signature algorithm that is not accepted`];
  }
  const key = importPublicKey(issuer.spki);
  if (!key.ok) return [`certificate ${place}: ${key.error.detail}`];
  return verifySignature(child, key.value) ? [] : [`certificate ${place}: did not sign the one before it`];
}

function signerProblems(signers: readonly Certificate[], trustDomain: TrustDomain): readonly string[] {
  return signers.flatMap((signer, index) => {
    const found = signerFault(signer, { trustDomain, anchor: false });
    return found === undefined ? [] : [`certificate ${index + 2}: ${found.detail}`];
  });
}
