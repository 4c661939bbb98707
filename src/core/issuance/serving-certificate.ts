import { createPrivateKey } from 'node:crypto';

import { encodePem, pemBlocks } from '../identity/pem.ts';
import { parseTrustDomain } from '../identity/spiffe-id.ts';
import { err, ok } from '../kernel/result.ts';
import { openSigner } from './ca-signer.ts';
import { createCsr } from './create-csr.ts';
import { readCsr } from './csr.ts';
import { newSerial } from './deps.ts';
import { createRoot } from './root.ts';
import { generateKeyPair } from './signing-key.ts';
import { issueSvid } from './svid.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../kernel/result.ts';
import type { CaSigner } from './ca-signer.ts';
import type { IssuanceDeps } from './deps.ts';

/** One certificate with its key, both PEM (PKCS #8, not encrypted). The key is for a secret place only. */
export type KeyedCertificate = { readonly certificate: string; readonly privateKey: string };

/** RFC 1123 2.1 without upper case; no wildcard: each name is that of one service. */
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** What a webhook's serving certificate is for. `dnsNames`: what clients call it by, the first one also names the authority; 1 to 8. */
export type ServingNames = { readonly dnsNames: readonly [string, ...string[]] };

/**
 * Makes an authority for nothing but the serving certificates of one service: self-signed, P-256, path length 0, in a trust domain of its own that
 * is called as the service is. So what it signs is judged like everything else that this room signs, and no peer of a real trust domain believes it.
 * `ttlMs`: milliseconds from now.
 */
export async function createServingAuthority(
  { dnsNames: [name] }: ServingNames,
  ttlMs: number,
  deps: IssuanceDeps,
): Promise<Result<KeyedCertificate, string>> {
  const root = await createRoot(name, { ttlMs, keyKind: 'p256', pathLength: 0, name: `${name} serving` }, deps);
  if (!root.ok) return root;
  const { der, privateKey } = root.value;
  return ok({ certificate: encodePem('CERTIFICATE', der), privateKey: pemOf(privateKey) });
}

/**
 * Issues a serving certificate with a new P-256 key under such an authority: an X509-SVID that has the DNS names besides its ID, so that clients that
 * compare names (RFC 6125) take it. `ttlMs`: milliseconds from now, cut down to the end of the authority. The error holds nothing of a key.
 */
export async function issueServingCertificate(
  authority: KeyedCertificate,
  { dnsNames }: ServingNames,
  ttlMs: number,
  deps: IssuanceDeps,
): Promise<Result<KeyedCertificate, string>> {
  const wrong = dnsNames.find((name) => !DNS_NAME.test(name));
  if (wrong !== undefined) return err(`${JSON.stringify(wrong.slice(0, 64))} is no DNS name in lower case`);
  const signer = await signerOf(authority, dnsNames[0], deps.clock.wallMs());
  if (!signer.ok) return signer;
  const { privateKey } = generateKeyPair('p256');
  const request = readCsr(await createCsr(privateKey));
  if (!request.ok) return err(request.error.detail);
  const spiffeId = `spiffe://${signer.value.trustDomain}/serving`;
  const wanted = { request: request.value, spiffeId, ttlMs, serial: newSerial(deps.random), dnsNames };
  const issued = await issueSvid(signer.value, wanted, deps);
  if (!issued.ok) return err(issued.error.detail);
  const certificate = issued.value.chain.map((der) => encodePem('CERTIFICATE', der)).join('');
  return ok({ certificate, privateKey: pemOf(privateKey) });
}

async function signerOf(authority: KeyedCertificate, name: string, atMs: number): Promise<Result<CaSigner, string>> {
  const trustDomain = parseTrustDomain(name);
  if (!trustDomain.ok) return err(trustDomain.error.detail);
  const blocks = pemBlocks(authority.certificate);
  if (!blocks.ok) return err(`authority: ${blocks.error}`);
  const [root, ...others] = blocks.value;
  if (root === undefined || others.length > 0) return err('authority: not one certificate');
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(authority.privateKey);
  } catch {
    return err('authority: its key cannot be read');
  }
  return openSigner({ trustDomain: trustDomain.value, chain: [], rootDer: root.der, privateKey }, atMs);
}

function pemOf(privateKey: KeyObject): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' });
}
