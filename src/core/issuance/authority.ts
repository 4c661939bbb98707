import { createPrivateKey } from 'node:crypto';

import { encodePem, pemBlocks } from '../identity/pem.ts';
import { parseTrustDomain } from '../identity/spiffe-id.ts';
import { err, ok } from '../kernel/result.ts';
import { openSigner } from './ca-signer.ts';
import { createRoot } from './root.ts';

import type { KeyObject } from 'node:crypto';
import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { CaSigner } from './ca-signer.ts';
import type { IssuanceDeps } from './deps.ts';

/** The development authority of one trust domain: a root that issues leaves itself and whose key is a file. */
export type Authority = {
  readonly trustDomain: TrustDomain;
  readonly signer: CaSigner;
  readonly certificatePem: string;
  /** PKCS#8. Who writes it down answers for the file. */
  readonly privateKeyPem: string;
};

/** Makes a root of ECDSA P-256 that issues leaves and nothing else (`createRoot`). Valid for `ttlMs` milliseconds from a minute ago. */
export async function createAuthority(
  trustDomain: string,
  ttlMs: number,
  deps: IssuanceDeps,
): Promise<Result<Authority, string>> {
  const name = `Sallyport development authority of ${trustDomain}`;
  const root = await createRoot(trustDomain, { ttlMs, keyKind: 'p256', pathLength: 0, name }, deps);
  return root.ok ? authorityOf(trustDomain, root.value.der, root.value.privateKey, deps.clock.wallMs()) : root;
}

/** Takes up a root that was written down, at the time `atMs`, milliseconds since the epoch (`openSigner`). */
export async function openAuthority(
  trustDomain: string,
  certificatePem: string,
  privateKeyPem: string,
  atMs: number,
): Promise<Result<Authority, string>> {
  const key = readKey(privateKeyPem);
  if (key === undefined) return err('not a private key in PEM');
  const blocks = pemBlocks(certificatePem);
  const [block, another] = blocks.ok ? blocks.value : [];
  if (block?.label !== 'CERTIFICATE' || another !== undefined) return err('not one certificate in PEM');
  return authorityOf(trustDomain, block.der, key, atMs);
}

async function authorityOf(
  trustDomain: string,
  rootDer: Uint8Array,
  privateKey: KeyObject,
  atMs: number,
): Promise<Result<Authority, string>> {
  const domain = parseTrustDomain(trustDomain);
  if (!domain.ok) return err(domain.error.detail);
  const signer = await openSigner({ trustDomain: domain.value, chain: [], rootDer, privateKey }, atMs);
  if (!signer.ok) return signer;
  return ok({
    trustDomain: domain.value,
    signer: signer.value,
    certificatePem: encodePem('CERTIFICATE', rootDer),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  });
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
