import type { CertificateFacts } from '../model/peer.ts';
import { sha256Hex } from './bytes.ts';
import type { Certificate } from './certificate.ts';
import { formatName } from './distinguished-name.ts';

/** What policy and records may see of a leaf. */
export function factsOf(leaf: Certificate): CertificateFacts {
  const names = leaf.extensions.subjectAltName?.names ?? [];
  return Object.freeze({
    serial: leaf.serial,
    notBeforeMs: leaf.notBeforeMs,
    notAfterMs: leaf.notAfterMs,
    sha256: sha256Hex(leaf.der),
    spkiSha256: sha256Hex(leaf.spki),
    issuer: formatName(leaf.issuer),
    subject: formatName(leaf.subject),
    dnsNames: names.flatMap((name) => (name.form === 'dns' ? [name.text] : [])),
    der: leaf.der,
  });
}
