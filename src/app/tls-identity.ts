import type { TlsIdentity } from '../io/forward/own-context.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';

/** What of an identity the TLS library is given where we call somebody. */
export function tlsIdentity(snapshot: IdentitySnapshot | undefined): TlsIdentity | undefined {
  if (snapshot === undefined) return undefined;
  const { certificateChain, privateKey, trustAnchors, revision, own } = snapshot;
  return { certificateChain, privateKey, trustAnchors, revision, validUntilMs: own.validUntilMs };
}
