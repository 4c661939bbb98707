import { encodePem } from '../identity/pem.ts';
import { err, ok } from '../kernel/result.ts';
import { createCsr } from './create-csr.ts';
import { readCsr } from './csr.ts';
import { newSerial } from './deps.ts';
import { generateKeyPair } from './signing-key.ts';
import { issueSvid } from './svid.ts';

import type { SpiffeId } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { Authority } from './authority.ts';
import type { IssuanceDeps } from './deps.ts';

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
 * Makes a key of ECDSA P-256 and an X509-SVID for it (`issueSvid`), for whoever runs the development authority: a life beyond the authority's
 * own is refused and not cut down, since a person asked for it.
 */
export async function issueLeaf(
  authority: Authority,
  request: LeafRequest,
  deps: IssuanceDeps,
): Promise<Result<IssuedCertificate, string>> {
  const { id: spiffeId, ...wanted } = request;
  const lastMs = authority.signer.notAfterMs;
  if (deps.clock.wallMs() + wanted.ttlMs > lastMs) {
    return err(`the authority itself ends at ${new Date(lastMs).toISOString()}`);
  }
  const { privateKey } = generateKeyPair('p256');
  const csr = readCsr(await createCsr(privateKey));
  if (!csr.ok) return err(csr.error.detail);
  const serial = newSerial(deps.random);
  const issued = await issueSvid(authority.signer, { ...wanted, spiffeId, request: csr.value, serial }, deps);
  if (!issued.ok) return err(issued.error.detail);
  return ok({
    spiffeId: issued.value.spiffeId,
    certificatePem: issued.value.chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    serial: issued.value.serial,
    notAfterMs: issued.value.notAfterMs,
  });
}
