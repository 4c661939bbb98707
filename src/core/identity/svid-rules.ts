import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import { err } from '../kernel/result.ts';
import type { Fault } from '../model/faults.ts';
import { fault } from '../model/faults.ts';
import type { Certificate } from './certificate.ts';
import { isEmptyName } from './distinguished-name.ts';
import { EXTENDED_KEY_USAGE, KEY_USAGE } from './extensions.ts';
import type { SpiffeIdParts } from './spiffe-id.ts';
import { MAX_SPIFFE_ID_BYTES, parseSpiffeId } from './spiffe-id.ts';

/** What the judged side does on the connection: a client connects to us, a server is connected to. */
export type Purpose = 'client' | 'server';

/** The URI SANs of a certificate, unread. */
export function urisOf(certificate: Certificate): readonly string[] {
  const names = certificate.extensions.subjectAltName?.names ?? [];
  return names.flatMap((name) => (name.form === 'uri' ? [name.text] : []));
}

/** What the leaf claims to be, proven by nothing; only where the claim is one. */
export function claimOf(leaf: Certificate): string | undefined {
  const [uri, another] = urisOf(leaf);
  return another === undefined ? uri?.slice(0, MAX_SPIFFE_ID_BYTES) : undefined;
}

/**
 * The SPIFFE ID of a leaf: its one URI SAN (X509-SVID 2), with a path (X509-SVID 3.1).
 * Faults: `peer_id_missing`, `peer_id_ambiguous`, `peer_id_malformed`, `peer_id_without_path`.
 */
export function leafId(leaf: Certificate): Result<SpiffeIdParts, Fault> {
  const [uri, another] = urisOf(leaf);
  if (uri === undefined) return err(fault('peer_id_missing', 'leaf: no URI SAN'));
  if (another !== undefined) return err(fault('peer_id_ambiguous', 'leaf: more than one URI SAN'));
  const id = parseSpiffeId(uri);
  if (id.ok && id.value.path === '') return err(fault('peer_id_without_path', `leaf: ${id.value.id}`));
  return id;
}

type LeafRule = (leaf: Certificate) => Fault | undefined;

const LEAF_RULES: readonly LeafRule[] = [
  leafIsNoCa,
  keyUsageOfLeaf,
  extendedKeyUsageOfLeaf,
  criticalSan,
  noUnknownCritical,
];

/** The first rule for leaves beside its ID that a certificate breaks (X509-SVID 3.1, 4.1, 4.3, 4.4; RFC 5280 4.2, 4.2.1.6). */
export function leafFault(leaf: Certificate): Fault | undefined {
  for (const rule of LEAF_RULES) {
    const found = rule(leaf);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** X509-SVID 4.1. */
function leafIsNoCa({ extensions }: Certificate): Fault | undefined {
  return extensions.basicConstraints?.cA === true ? fault('peer_leaf_is_ca', 'leaf: cA is set') : undefined;
}

/** X509-SVID 4.3. */
function keyUsageOfLeaf({ extensions: { keyUsage } }: Certificate): Fault | undefined {
  if (keyUsage === undefined) return fault('peer_key_usage_missing', 'leaf: no key usage');
  if (!keyUsage.critical) return fault('peer_key_usage_missing', 'leaf: key usage is not critical');
  const signs = keyUsage.bits.has(KEY_USAGE.digitalSignature);
  if (!signs) return fault('peer_key_usage_invalid', 'leaf: key usage without digitalSignature');
  const certifies = keyUsage.bits.has(KEY_USAGE.keyCertSign) || keyUsage.bits.has(KEY_USAGE.cRLSign);
  return certifies ? fault('peer_key_usage_invalid', 'leaf: key usage with keyCertSign or cRLSign') : undefined;
}

/** X509-SVID 4.4: both or none. */
function extendedKeyUsageOfLeaf({ extensions: { extendedKeyUsage } }: Certificate): Fault | undefined {
  const { serverAuth, clientAuth } = EXTENDED_KEY_USAGE;
  if (extendedKeyUsage === undefined) return undefined;
  if (extendedKeyUsage.includes(serverAuth) && extendedKeyUsage.includes(clientAuth)) return undefined;
  return fault('peer_extended_key_usage_invalid', 'leaf: extended key usage without both serverAuth and clientAuth');
}

/** X509-SVID 3.1, RFC 5280 4.2.1.6. */
function criticalSan({ subject, extensions }: Certificate): Fault | undefined {
  if (!isEmptyName(subject) || extensions.subjectAltName?.critical === true) return undefined;
  return fault('peer_san_not_critical', 'leaf: empty subject and a SAN extension that is not critical');
}

function noUnknownCritical({ extensions: { unknownCritical } }: Certificate): Fault | undefined {
  if (unknownCritical.length === 0) return undefined;
  return fault('peer_critical_extension_unknown', `critical extension ${unknownCritical.slice(0, 3).join(', ')}`);
}

/** Whose certificates a signing certificate is to sign. An anchor is trusted by configuration: its key usage may be absent. */
export type SignerContext = { readonly trustDomain: TrustDomain; readonly anchor: boolean };

/** The first rule for signing certificates that one breaks (X509-SVID 3.2, 4.1, 4.3; RFC 5280 6.1.4 k, n, o), or undefined. */
export function signerFault(signer: Certificate, { trustDomain, anchor }: SignerContext): Fault | undefined {
  const { basicConstraints, keyUsage } = signer.extensions;
  if (basicConstraints?.cA !== true) return fault('peer_issuer_not_ca', 'issuer: cA is not set');
  const mayCertify = keyUsage === undefined ? anchor : keyUsage.bits.has(KEY_USAGE.keyCertSign);
  if (!mayCertify) return fault('peer_issuer_not_ca', 'issuer: key usage without keyCertSign');
  return signerIdFault(signer, trustDomain) ?? noUnknownCritical(signer);
}

/** An extended key usage of a signer limits what is below it, as OpenSSL and Go read it too (X509-SVID 4.4 leaves it open). */
export function signerPurposeFault(signer: Certificate, purpose: Purpose): Fault | undefined {
  const { extendedKeyUsage: limits } = signer.extensions;
  const needed = purpose === 'client' ? EXTENDED_KEY_USAGE.clientAuth : EXTENDED_KEY_USAGE.serverAuth;
  if (limits === undefined || limits.includes(EXTENDED_KEY_USAGE.any) || limits.includes(needed)) return undefined;
  return fault('peer_extended_key_usage_invalid', 'issuer: its extended key usage does not cover the connection');
}

/** X509-SVID 3.2: a signer's SPIFFE ID has no path; we also want it to be of the trust domain that is asked about. */
function signerIdFault(signer: Certificate, trustDomain: TrustDomain): Fault | undefined {
  const claims = urisOf(signer).filter((uri) => /^spiffe:/i.test(uri));
  if (claims.length > 1) return fault('peer_issuer_id_invalid', 'issuer: more than one SPIFFE ID');
  const [claim] = claims;
  if (claim === undefined) return undefined;
  const id = parseSpiffeId(claim);
  if (!id.ok) return fault('peer_issuer_id_invalid', `issuer: ${id.error.detail}`);
  if (id.value.path !== '') return fault('peer_issuer_id_invalid', 'issuer: a SPIFFE ID with a path');
  if (id.value.trustDomain === trustDomain) return undefined;
  return fault(
    'peer_issuer_id_invalid',
    `issuer: a SPIFFE ID of ${id.value.trustDomain} where one of ${trustDomain} is expected`,
  );
}
