import { parseCrl } from '../identity/crl.ts';
import { KEY_USAGE } from '../identity/extensions.ts';
import { createTrustStore } from '../identity/trust-store.ts';
import { concat } from '../kernel/bytes.ts';
import { err, ok } from '../kernel/result.ts';
import { encodeSigned } from './certificate-frame.ts';
import { context, contextPrimitive, integer, octetString, oid, sequence, time } from './der-writer.ts';
import { signatureAlgorithm } from './signing-key.ts';
import { BACKDATE_MS, MAX_TTL_MS, MIN_TTL_MS } from './validity.ts';

import type { Result } from '../kernel/result.ts';
import type { CaSigner } from './ca-signer.ts';
import type { IssuanceDeps } from './deps.ts';

/** One revoked certificate: serial as hexadecimal, and when it was revoked (milliseconds since the epoch). */
export type RevokedCertificate = { readonly serial: string; readonly atMs: number };

/** What a list is to say. */
export type CrlRequest = {
  /** Certificates that this very CA signed, each once. */
  readonly revoked: readonly RevokedCertificate[];
  /** Number of this list, a whole number from 0 on, greater than that of any before by this CA (RFC 5280 5.2.3). */
  readonly number: number;
  /** Until the next list is due, milliseconds from now: 1 s to 100 years. */
  readonly ttlMs: number;
};

const OID = { crlNumber: '551d14', authorityKeyId: '551d23' } as const;

/**
 * Signs a complete revocation list (RFC 5280 5) of what `signer` issued. It is read and judged by identity's own reader before it is signed, and
 * once more, signature included, before it is given out. Gives DER.
 */
export async function makeCrl(
  signer: CaSigner,
  request: CrlRequest,
  deps: Pick<IssuanceDeps, 'clock'>,
): Promise<Result<Uint8Array, string>> {
  const { certificate, keyKind, trustDomain } = signer;
  const { ttlMs, number, revoked } = request;
  if (!(ttlMs >= MIN_TTL_MS && ttlMs <= MAX_TTL_MS)) return err(`a list is for ${MIN_TTL_MS} to ${MAX_TTL_MS} ms`);
  if (!Number.isSafeInteger(number) || number < 0) return err('the number of a list is a whole number from 0 on');
  if (certificate.extensions.keyUsage?.bits.has(KEY_USAGE.cRLSign) === false) return err('the CA may not sign lists');
  const wrong = revoked.find(({ serial, atMs }) => !/^(?!0+$)[0-9a-f]{1,40}$/i.test(serial) || !isMoment(atMs));
  if (wrong !== undefined) return err(`no serial and time of a certificate: ${JSON.stringify(wrong)}`);
  const algorithm = signatureAlgorithm(keyKind);
  const tbs = encodeTbsCertList(signer, request, deps.clock.wallMs());
  const read = parseCrl(encodeSigned(tbs, algorithm, Uint8Array.of(0)));
  if (!read.ok) return read;
  if (read.value.revoked.size !== revoked.length) return err('the list would not say what it should: a serial twice?');
  let der: Uint8Array;
  try {
    der = encodeSigned(tbs, algorithm, await signer.sign(tbs));
  } catch {
    return err('the key of the CA does not sign; is its token there?');
  }
  const trust = createTrustStore(new Map([[trustDomain, [certificate.der]]]), [der]);
  if (!trust.ok) return err(trust.error.map(({ detail }) => detail).join('; '));
  return trust.value.crls[0]?.anchored === true ? ok(der) : err('the list is not signed by the CA');
}

/** TBSCertList (RFC 5280 5.1.2): version 2, thisUpdate a minute ago, entries without extensions, key identifier and number. */
function encodeTbsCertList(
  { certificate, keyKind }: CaSigner,
  { revoked, number, ttlMs }: CrlRequest,
  nowMs: number,
): Uint8Array {
  const keyId = certificate.extensions.subjectKeyId;
  const extensions = [
    ...(keyId === undefined
      ? []
      : [extension(OID.authorityKeyId, sequence(contextPrimitive(0, Uint8Array.fromHex(keyId))))]),
    extension(OID.crlNumber, integer(number.toString(16))),
  ];
  return sequence(
    integer('01'),
    signatureAlgorithm(keyKind),
    certificate.subject,
    time(nowMs - BACKDATE_MS),
    time(nowMs + ttlMs),
    ...(revoked.length === 0
      ? []
      : [sequence(concat(revoked.map(({ serial, atMs }) => sequence(integer(serial), time(atMs)))))]),
    context(0, sequence(...extensions)),
  );
}

/** An extension that is not critical. */
function extension(type: string, value: Uint8Array): Uint8Array {
  return sequence(oid(type), octetString(value));
}

/** From 1970 to 9999, the years that can be written. */
function isMoment(ms: number): boolean {
  return ms >= 0 && ms <= 253_402_300_799_999;
}
