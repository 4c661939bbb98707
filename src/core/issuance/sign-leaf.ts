import { verifyPeer } from '../identity/verify.ts';
import { err, ok } from '../kernel/result.ts';
import { encodeSigned, encodeTbsCertificate } from './certificate-frame.ts';
import { sequence } from './der-writer.ts';
import { signatureAlgorithm } from './signing-key.ts';

import type { Certificate } from '../identity/certificate.ts';
import type { TrustStore } from '../identity/trust-store.ts';
import type { SpiffeId } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { CertificateFacts, IdentifiedPeer } from '../model/peer.ts';
import type { IssuanceFault } from '../model/svid.ts';
import type { CaSigner } from './ca-signer.ts';
import type { CertificateContent } from './certificate-frame.ts';
import type { KeyKind } from './signing-key.ts';
import type { StandIn } from './stand-in.ts';

/** What a leaf will say; its subject is empty and its issuer is whoever signs it. */
export type LeafTemplate = Omit<CertificateContent, 'issuer' | 'subject'>;

/** What a leaf must turn out to be when it is read again. */
export type LeafPromise = Pick<CertificateFacts, 'serial' | 'spkiSha256' | 'notBeforeMs' | 'notAfterMs'> & {
  readonly spiffeId: SpiffeId;
};

const EMPTY_NAME = sequence();

/** The TBSCertificate of a template under an issuer. */
export function leafTbs(template: LeafTemplate, issuer: Certificate, kind: KeyKind): Uint8Array {
  return encodeTbsCertificate({ ...template, issuer: issuer.subject, subject: EMPTY_NAME }, signatureAlgorithm(kind));
}

/**
 * Signs what `template` says, in this order: encoded once; signed by the stand-in's throw-away key and judged by `verifyPeer` as a client and
 * as a server would be, and against what was promised; only then the same bytes are signed by the CA's key, and judged once more with the
 * real root. So the CA's key signs nothing that our own gate would refuse. Gives the leaf, DER.
 * Faults: `certificate_refused`; `issuer_unavailable` where the key cannot be used.
 */
export async function signLeaf(
  signer: CaSigner,
  template: LeafTemplate,
  promise: LeafPromise,
  atMs: number,
): Promise<Result<Uint8Array, IssuanceFault>> {
  const { standIn, keyKind } = signer;
  const tbs = leafTbs(template, signer.certificate, keyKind);
  const algorithm = signatureAlgorithm(keyKind);
  const staged = encodeSigned(tbs, algorithm, await standIn.sign(tbs));
  const wrong = refusalOf([staged, ...standIn.chain], standIn.trust, promise, atMs);
  if (wrong !== undefined) return err({ kind: 'certificate_refused', detail: `not signed: ${wrong}` });
  let signature: Uint8Array;
  try {
    signature = await signer.sign(tbs);
  } catch {
    return err({ kind: 'issuer_unavailable', detail: 'the key of the issuing CA does not sign; is its token there?' });
  }
  const leaf = encodeSigned(tbs, algorithm, signature);
  const stillWrong = refusalOf([leaf, ...signer.chain], signer.trust, promise, atMs);
  return stillWrong === undefined ? ok(leaf) : err({ kind: 'certificate_refused', detail: stillWrong });
}

/** Why whoever trusts the stand-in would refuse a leaf of `template`, or undefined. For what has no leaf to sign yet. */
export async function stagedRefusal(
  standIn: StandIn,
  issuer: Certificate,
  kind: KeyKind,
  template: LeafTemplate,
  atMs: number,
): Promise<string | undefined> {
  const tbs = leafTbs(template, issuer, kind);
  const staged = encodeSigned(tbs, signatureAlgorithm(kind), await standIn.sign(tbs));
  const peer = judge([staged, ...standIn.chain], standIn.trust, atMs);
  return peer.ok ? undefined : peer.error;
}

function refusalOf(
  chain: readonly Uint8Array[],
  trust: TrustStore,
  promise: LeafPromise,
  atMs: number,
): string | undefined {
  const peer = judge(chain, trust, atMs);
  if (!peer.ok) return peer.error;
  const { spiffeId, certificate } = peer.value;
  if (spiffeId !== promise.spiffeId) return `it says ${spiffeId}`;
  const fields = ['serial', 'spkiSha256', 'notBeforeMs', 'notAfterMs'] as const;
  const other = fields.find((field) => certificate[field] !== promise[field]);
  return other === undefined ? undefined : `its ${other} is ${certificate[other]}, not ${promise[other]}`;
}

/** By the rules that our own gate applies to peers. */
function judge(chain: readonly Uint8Array[], trust: TrustStore, atMs: number): Result<IdentifiedPeer, string> {
  const asClient = verifyPeer(chain, trust, atMs, { purpose: 'client', requireCrl: false });
  if (asClient.kind === 'rejected') return err(`it would be refused as client: ${asClient.fault.detail}`);
  const asServer = verifyPeer(chain, trust, atMs, { purpose: 'server', requireCrl: false });
  return asServer.kind === 'rejected' ? err(`it would be refused as server: ${asServer.fault.detail}`) : ok(asServer);
}
