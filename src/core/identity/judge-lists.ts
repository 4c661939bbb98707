import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import type { Certificate } from './certificate.ts';
import { parseCertificate } from './certificate.ts';
import { parseCrl } from './crl.ts';
import { formatName } from './distinguished-name.ts';
import { isListOf, isNamedBy } from './revocation.ts';

/** What is known of lists that are sound. */
export type JudgedLists = {
  /** When the first of them will want a newer one in its place, milliseconds since the epoch. */
  readonly nextUpdateMs: number;
};

/** What lists are judged by. */
export type ListContext = {
  /** DER of the CA certificates that we believe now: anchors, and intermediates that we know. What cannot be read is passed over. */
  readonly issuers: readonly Uint8Array[];
  /** True where the lists came on a way that anybody may have written on: each must be signed by one of the issuers. */
  readonly signedOnly: boolean;
};

/**
 * Judges revocation lists (DER) before they take the place of others: each must be readable and usable, and signed by one of the issuers with its name where there
 * is one (RFC 5280 6.3.3 f, g). The list of an issuer that is not known is let pass unless `signedOnly`: it is checked when a path leads to that issuer, but
 * a forged one would until then stand where one stood that revoked somebody. Dates are judged when a list is used. Never throws.
 */
export function judgeLists(
  crls: readonly Uint8Array[],
  { issuers, signedOnly }: ListContext,
): Result<JudgedLists, string> {
  const known = issuers.flatMap((der) => {
    const certificate = parseCertificate(der);
    return certificate.ok ? [certificate.value] : [];
  });
  let nextUpdateMs = Number.POSITIVE_INFINITY;
  for (const der of crls) {
    const list = parseCrl(der);
    if (!list.ok) return list;
    const crl = list.value;
    if (crl.unusable !== undefined) return err(`revocation list: cannot be used: ${crl.unusable}`);
    const unsigned = signatureFlaw({ digest: '', crl, verifiedBy: new Map() }, known, signedOnly);
    if (unsigned !== undefined) return err(unsigned);
    nextUpdateMs = Math.min(nextUpdateMs, crl.nextUpdateMs);
  }
  return ok({ nextUpdateMs });
}

function signatureFlaw(
  list: Parameters<typeof isListOf>[0],
  known: readonly Certificate[],
  signedOnly: boolean,
): string | undefined {
  const named = known.filter((issuer) => isNamedBy(list.crl, issuer));
  const who = formatName(list.crl.issuer);
  if (named.some((issuer) => isListOf(list, issuer))) return undefined;
  if (named.length > 0) return `revocation list: is not signed by ${who}, whom it names, as one that may sign lists`;
  if (!signedOnly) return undefined;
  return `revocation list: its issuer ${who} is not known, so that anybody may have written it; fetch it over https, or have its CA certificate in a trust bundle`;
}
