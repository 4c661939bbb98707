import { encodePem } from '../identity/pem.ts';
import { createTrustStore } from '../identity/trust-store.ts';
import { err, ok } from '../kernel/result.ts';
import { SIGNING_ALGORITHM } from './keys.ts';
import { BACKDATE_MS, certificateTime, x509 } from './x509.ts';

import type { Result } from '../kernel/result.ts';
import type { Authority } from './authority.ts';
import type { IssuanceDeps } from './x509.ts';

/** One revoked certificate: serial as hexadecimal, and when it was revoked (milliseconds since the epoch). */
export type RevokedCertificate = { readonly serial: string; readonly atMs: number };

/** What a list is to say. */
export type CrlRequest = {
  readonly revoked: readonly RevokedCertificate[];
  /** Number of this list, greater than that of any before (RFC 5280 5.2.3). */
  readonly number: number;
  /** Until the next list is due, milliseconds from now. */
  readonly ttlMs: number;
};

const CRL_NUMBER = '2.5.29.20';

/** The library writes an empty list of extensions into an entry without any, which RFC 5280 5.1 does not allow; so each entry has a reason. */
const REASON = x509.X509CrlReason.cessationOfOperation;

/** Signs a complete revocation list (RFC 5280 5) and reads it back with identity's own reader before it is given out, as PEM. */
export async function makeCrl(
  authority: Authority,
  request: CrlRequest,
  deps: Pick<IssuanceDeps, 'clock'>,
): Promise<Result<string, string>> {
  const now = deps.clock.wallMs();
  const crl = await x509.X509CrlGenerator.create({
    issuer: authority.certificate.subjectName,
    thisUpdate: certificateTime(now - BACKDATE_MS),
    nextUpdate: certificateTime(now + request.ttlMs),
    signingAlgorithm: SIGNING_ALGORITHM,
    signingKey: authority.keys.privateKey,
    entries: request.revoked.map(({ serial, atMs }) => {
      return { serialNumber: serial, revocationDate: certificateTime(atMs), reason: REASON };
    }),
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(authority.keys.publicKey),
      new x509.Extension(CRL_NUMBER, false, derInteger(request.number)),
    ],
  });
  const bundle = new Map([[authority.trustDomain, [new Uint8Array(authority.certificate.rawData)]]]);
  const der = new Uint8Array(crl.rawData);
  const read = createTrustStore(bundle, [der]);
  if (!read.ok) return err(read.error.map(({ detail }) => detail).join('; '));
  if (read.value.crls[0]?.entries !== request.revoked.length) return err('the list does not say what it should');
  return ok(encodePem('X509 CRL', der));
}

/** DER INTEGER of a whole number from 0 on (X.690 8.3). */
function derInteger(value: number): Uint8Array<ArrayBuffer> {
  const digits = value.toString(16);
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  const hex = Number.parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even;
  return Uint8Array.fromHex(`02${(hex.length / 2).toString(16).padStart(2, '0')}${hex}`);
}
