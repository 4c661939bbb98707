import { encodePem } from '../identity/pem.ts';
import { createTrustStore } from '../identity/trust-store.ts';
import { parseTrustDomain } from '../identity/spiffe-id.ts';
import { err, ok } from '../kernel/result.ts';
import { generateKeys, readKeys, SIGNING_ALGORITHM } from './keys.ts';
import { BACKDATE_MS, certificateTime, newSerial, x509 } from './x509.ts';

import type { TrustStore } from '../identity/trust-store.ts';
import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { SigningKeys } from './keys.ts';
import type { IssuanceDeps } from './x509.ts';

/** The root of one trust domain, ready to sign. Made by this room only. */
export type Authority = {
  readonly trustDomain: TrustDomain;
  readonly certificate: x509.X509Certificate;
  readonly certificatePem: string;
  readonly keys: SigningKeys;
  /** The trust that a peer with this authority's bundle has: what is signed is judged by it. */
  readonly trust: TrustStore;
};

/**
 * Makes a root: self-signed, ECDSA P-256, critical basicConstraints with pathLen 0 and keyUsage keyCertSign and cRLSign, the trust domain's
 * SPIFFE ID without path (X509-SVID 4.1, 4.3). Valid for `ttlMs` milliseconds from a minute ago.
 */
export async function createAuthority(
  trustDomain: string,
  ttlMs: number,
  deps: IssuanceDeps,
): Promise<Result<Authority, string>> {
  const domain = parseTrustDomain(trustDomain);
  if (!domain.ok) return err(domain.error.detail);
  const keys = generateKeys();
  const now = deps.clock.wallMs();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(deps.random),
    name: [{ CN: [`Sallyport development authority of ${trustDomain}`.slice(0, 64)] }],
    notBefore: certificateTime(now - BACKDATE_MS),
    notAfter: certificateTime(now + ttlMs),
    signingAlgorithm: SIGNING_ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
    ],
  });
  return authorityOf(domain.value, certificate, keys);
}

/** Takes up a root that was written down. Its key must be that of its certificate, and identity must take it as an anchor of the domain. */
export async function openAuthority(
  trustDomain: string,
  certificatePem: string,
  privateKeyPem: string,
): Promise<Result<Authority, string>> {
  const domain = parseTrustDomain(trustDomain);
  if (!domain.ok) return err(domain.error.detail);
  const keys = readKeys(privateKeyPem);
  if (!keys.ok) return keys;
  const certificate = readCertificate(certificatePem);
  if (certificate === undefined) return err('not one certificate in PEM');
  const probe = Uint8Array.of(1);
  const signature = await crypto.subtle.sign(SIGNING_ALGORITHM, keys.value.privateKey, probe);
  const publicKey = await certificate.publicKey.export().catch(() => undefined);
  const isOurs = publicKey !== undefined && (await verifies(publicKey, signature, probe));
  return isOurs ? authorityOf(domain.value, certificate, keys.value) : err('the key is not that of the certificate');
}

function authorityOf(
  trustDomain: TrustDomain,
  certificate: x509.X509Certificate,
  keys: SigningKeys,
): Result<Authority, string> {
  const der = new Uint8Array(certificate.rawData);
  const trust = createTrustStore(new Map([[trustDomain, [der]]]));
  if (!trust.ok) return err(trust.error.map(({ detail }) => detail).join('; '));
  return ok({ trustDomain, certificate, certificatePem: encodePem('CERTIFICATE', der), keys, trust: trust.value });
}

function readCertificate(pem: string): x509.X509Certificate | undefined {
  try {
    return new x509.X509Certificate(pem);
  } catch {
    return undefined;
  }
}

async function verifies(key: CryptoKey, signature: ArrayBuffer, probe: Uint8Array<ArrayBuffer>): Promise<boolean> {
  return crypto.subtle.verify(SIGNING_ALGORITHM, key, signature, probe).catch(() => false);
}
