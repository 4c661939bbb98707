import { createTrustStore } from '../identity/trust-store.ts';
import { err, ok } from '../kernel/result.ts';
import { encodeSigned, withKey } from './certificate-frame.ts';
import { generateKeyPair, signatureAlgorithm, signBytes, spkiOf } from './signing-key.ts';

import type { Certificate } from '../identity/certificate.ts';
import type { TrustStore } from '../identity/trust-store.ts';
import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { KeyKind } from './signing-key.ts';

/**
 * A CA and all above it, word for word, under one throw-away key that nobody believes. What it signs is refused for whatever the real CA's
 * signature would be refused for, but for the signature itself.
 */
export type StandIn = {
  /** DER: the CA, then those above it, without the root; empty where the CA is the root. */
  readonly chain: readonly Uint8Array[];
  /** The trust of somebody who believes the stand-in of the root, and nothing else. */
  readonly trust: TrustStore;
  readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>;
};

/** Makes the stand-in of `cas`: the CA first, the root last. `kind` is that of the CA's key, so that even the signature algorithm is the same. */
export async function createStandIn(
  trustDomain: TrustDomain,
  cas: readonly Pick<Certificate, 'tbs'>[],
  kind: KeyKind,
): Promise<Result<StandIn, string>> {
  const keys = generateKeyPair(kind);
  const sign = (bytes: Uint8Array): Promise<Uint8Array> => signBytes(kind, keys.privateKey, bytes);
  const [spki, algorithm] = [spkiOf(keys.publicKey), signatureAlgorithm(kind)];
  const all: Uint8Array[] = [];
  for (const { tbs } of cas) {
    const changed = withKey(tbs, spki, algorithm);
    all.push(encodeSigned(changed, algorithm, await sign(changed)));
  }
  const trust = createTrustStore(new Map([[trustDomain, all.slice(-1)]]));
  if (!trust.ok) return err(trust.error.map(({ detail }) => detail).join('; '));
  return ok({ chain: all.slice(0, -1), trust: trust.value, sign });
}
