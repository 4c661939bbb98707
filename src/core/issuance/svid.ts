import { equalBytes } from '../identity/bytes.ts';
import { parseSpiffeId } from '../identity/spiffe-id.ts';
import { err, ok } from '../kernel/result.ts';
import { leafExtensions } from './extensions.ts';
import { alternativeNames } from './names.ts';
import { signLeaf } from './sign-leaf.ts';
import { validityWithin } from './validity.ts';

import type { SpiffeId } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { IssuanceFault, Svid } from '../model/svid.ts';
import type { CaSigner } from './ca-signer.ts';
import type { CertificateRequest } from './csr.ts';
import type { IssuanceDeps } from './deps.ts';

/** What an SVID is to say. Whoever asks has checked the caller's right to the ID. */
export type SvidRequest = {
  /** Whose key it is, possession proven. */
  readonly request: CertificateRequest;
  /** SPIFFE ID with a path, of the signer's own trust domain. */
  readonly spiffeId: string;
  /** How long it is valid, milliseconds from now: 1 s to 100 years, and never past the end of a CA above it. */
  readonly ttlMs: number;
  /** Hexadecimal, 1 to 40 digits, never used before by this CA: `newSerial` makes one. */
  readonly serial: string;
  /** Further names, for clients that compare the host they called with the certificate (RFC 6125). */
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
};

/** An SVID as it was given out. `serial` and `spkiSha256` as in `CertificateFacts`; times in milliseconds since the epoch. */
export type IssuedSvid = Svid & {
  readonly serial: string;
  readonly spkiSha256: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

/**
 * Issues an X509-SVID for a key, in a fixed order: the key is nobody else's, the ID is one that this CA may give and
 * no other is asked for, the life fits (cut down to
 * the end of the CAs above; refused where less than a minute would be left of what was asked), then `signLeaf`. Nothing of the request but its
 * key goes in. Backdated by a minute, but never before a CA above begins.
 * Faults: `csr_key_refused`, `id_refused`, `csr_asks_for_more`, `lifetime_refused`, `certificate_refused`, `issuer_unavailable`.
 */
export async function issueSvid(
  signer: CaSigner,
  wanted: SvidRequest,
  deps: Pick<IssuanceDeps, 'clock'>,
): Promise<Result<IssuedSvid, IssuanceFault>> {
  const { spki, spkiSha256 } = wanted.request;
  const nowMs = deps.clock.wallMs();
  if (signer.caKeys.some((key) => equalBytes(key, spki))) {
    return err({ kind: 'csr_key_refused', detail: 'the key is that of a CA above the certificate' });
  }
  const spiffeId = workloadId(wanted.spiffeId, signer);
  if (!spiffeId.ok) return spiffeId;
  const other = wanted.request.uris.find((uri) => uri !== spiffeId.value);
  if (other !== undefined) {
    const detail = `certificate request: asks for the URI ${other.slice(0, 256)}, which is not the ID that is granted`;
    return err({ kind: 'csr_asks_for_more', detail });
  }
  const validity = validityWithin(signer, nowMs, wanted.ttlMs);
  if (!validity.ok) return validity;
  const serial = readSerial(wanted.serial);
  const names = alternativeNames(spiffeId.value, wanted.dnsNames, wanted.ipAddresses);
  if (serial === undefined)
    return err({ kind: 'certificate_refused', detail: 'not a serial number of 1 to 20 octets' });
  if (!names.ok) return err({ kind: 'certificate_refused', detail: names.error });
  const extensions = leafExtensions(names.value, spki, signer.certificate.extensions.subjectKeyId);
  const promise = { spiffeId: spiffeId.value, serial, spkiSha256, ...validity.value };
  const leaf = await signLeaf(signer, { serial, spki, extensions, ...validity.value }, promise, nowMs);
  return leaf.ok ? ok(Object.freeze({ ...promise, chain: [leaf.value, ...signer.chain] })) : leaf;
}

/** X509-SVID 2 and 3.1: an ID with a path, of the CA's own trust domain. */
function workloadId(text: string, { trustDomain }: CaSigner): Result<SpiffeId, IssuanceFault> {
  const parsed = parseSpiffeId(text);
  if (!parsed.ok) return refusedId(parsed.error.detail);
  if (parsed.value.trustDomain !== trustDomain) {
    return refusedId(`the ID is of ${parsed.value.trustDomain}, the authority of ${trustDomain}`);
  }
  if (parsed.value.path === '') return refusedId('an ID without path names a trust domain, not a workload');
  return ok(parsed.value.id);
}

function refusedId(detail: string): Result<never, IssuanceFault> {
  return err({ kind: 'id_refused', detail });
}

/** One text for each serial number: lower case, no leading zeros, positive (RFC 5280 4.1.2.2). */
function readSerial(text: string): string | undefined {
  const serial = /^[0-9a-f]{1,40}$/i.test(text) ? text.toLowerCase().replace(/^0+/, '') : '';
  return serial === '' ? undefined : serial;
}
