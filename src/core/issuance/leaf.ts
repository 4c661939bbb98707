import { encodePem } from '../identity/pem.ts';
import { parseSpiffeId } from '../identity/spiffe-id.ts';
import { verifyPeer } from '../identity/verify.ts';
import { err, ok } from '../kernel/result.ts';
import { generateKeys, SIGNING_ALGORITHM } from './keys.ts';
import { BACKDATE_MS, certificateTime, newSerial, x509 } from './x509.ts';

import type { SpiffeId } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { Authority } from './authority.ts';
import type { SigningKeys } from './keys.ts';
import type { IssuanceDeps } from './x509.ts';

/** What a leaf is to say. */
export type LeafRequest = {
  /** SPIFFE ID with a path, of the authority's own trust domain. */
  readonly id: string;
  /** How long it is valid, milliseconds from now. */
  readonly ttlMs: number;
  /** Further names, for clients that compare the host they called with the certificate (RFC 6125). */
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
};

/** A leaf with its key. */
export type IssuedCertificate = {
  readonly spiffeId: SpiffeId;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Lower-case hexadecimal. */
  readonly serial: string;
  readonly notAfterMs: number;
};

/**
 * Makes a key and an X509-SVID for it: critical keyUsage digitalSignature, both extended key usages, an empty subject and so a critical SAN
 * with the ID as its one URI (X509-SVID 2, 4; RFC 5280 4.2.1.6). What was made is judged by `verifyPeer` as client and as server before it
 * is given out, so that nothing leaves that our own gate would refuse.
 */
export async function issueLeaf(
  authority: Authority,
  request: LeafRequest,
  deps: IssuanceDeps,
): Promise<Result<IssuedCertificate, string>> {
  const now = deps.clock.wallMs();
  const wrong = refusalOf(authority, request, now);
  if (wrong !== undefined) return err(wrong);
  const keys = generateKeys();
  const certificate = await buildLeaf(authority, request, keys, now, newSerial(deps.random));
  const der = new Uint8Array(certificate.rawData);
  for (const purpose of ['client', 'server'] as const) {
    const verdict = verifyPeer([der], authority.trust, now, {
      purpose,
      requireCrl: false,
    });
    if (verdict.kind === 'rejected') return err(`it would be refused as ${purpose}: ${verdict.fault.detail}`);
  }
  return ok({
    spiffeId: request.id as SpiffeId,
    certificatePem: encodePem('CERTIFICATE', der),
    privateKeyPem: keys.privateKeyPem,
    serial: certificate.serialNumber,
    notAfterMs: certificate.notAfter.getTime(),
  });
}

function refusalOf(authority: Authority, request: LeafRequest, now: number): string | undefined {
  const { id, ttlMs, ipAddresses = [] } = request;
  const parsed = parseSpiffeId(id);
  if (!parsed.ok) return parsed.error.detail;
  const { trustDomain, path } = parsed.value;
  if (trustDomain !== authority.trustDomain)
    return `the ID is of ${trustDomain}, the authority of ${authority.trustDomain}`;
  if (path === '') return 'an ID without path names a trust domain, not a workload';
  const noAddress = ipAddresses.find((address) => ipAddress(address) === undefined);
  if (noAddress !== undefined) return `${JSON.stringify(noAddress)} is no IP address`;
  const lastMs = authority.certificate.notAfter.getTime();
  return now + ttlMs > lastMs ? `the authority itself ends at ${new Date(lastMs).toISOString()}` : undefined;
}

/** Four plain decimal numbers, or the canonical text (RFC 5952) of what RFC 4291 2.2 allows, without a zone; undefined for anything else. */
function ipAddress(text: string): string | undefined {
  if (text.includes(':')) {
    // The library writes `::ffff:1.2.3.4` wrongly; the canonical text has no dots.
    const url = /^[0-9A-Fa-f:.]+$/.test(text) ? URL.parse(`http://[${text}]/`) : null;
    return url === null ? undefined : url.hostname.slice(1, -1);
  }
  const numbers = text.split('.');
  const isAddress =
    numbers.length === 4 && numbers.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return isAddress ? text : undefined;
}

async function buildLeaf(
  authority: Authority,
  { id, ttlMs, dnsNames = [], ipAddresses = [] }: LeafRequest,
  keys: SigningKeys,
  now: number,
  serialNumber: string,
): Promise<x509.X509Certificate> {
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  return x509.X509CertificateGenerator.create({
    serialNumber,
    subject: [],
    issuer: authority.certificate.subjectName,
    notBefore: certificateTime(Math.max(now - BACKDATE_MS, authority.certificate.notBefore.getTime())),
    notAfter: certificateTime(now + ttlMs),
    signingAlgorithm: SIGNING_ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authority.keys.publicKey),
      new x509.SubjectAlternativeNameExtension(
        [
          { type: 'url' as const, value: id },
          ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
          ...ipAddresses.map((value) => ({ type: 'ip' as const, value: ipAddress(value) ?? value })),
        ],
        true,
      ),
    ],
  });
}
