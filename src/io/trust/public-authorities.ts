import { getCACertificates, rootCertificates } from 'node:tls';

let known: readonly string[] | undefined;

/** The public authorities that the system believes (SPIFFE Federation 5.2.1), PEM; where it has none, as slim images do, those that Node brings. Read once. */
export function publicAuthorities(): readonly string[] {
  if (known === undefined) {
    const system = getCACertificates('system');
    known = system.length === 0 ? rootCertificates : system;
  }
  return known;
}
