import type { PresentedChain } from '../../core/identity/presented-chain.ts';
import type { SpiffeId } from '../../core/kernel/brand.ts';
import { err, ok, type Result } from '../../core/kernel/result.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { IdentifiedPeer, Peer } from '../../core/model/peer.ts';

/** Judges a server's chain by the identity rules, for the purpose `server`. Implemented over `core/identity`, joined by `app`. */
export type JudgeServer = (chain: readonly Uint8Array[], resumed: boolean) => Peer;

/**
 * Whether a server may be written to: our rules identify it, the TLS library authorizes it too, and its ID is one of those expected. Faults:
 * `destination_unverified`, `destination_identity_mismatch`.
 */
export function serverVerdict(
  presented: PresentedChain,
  peer: Peer,
  expected: readonly SpiffeId[],
): Result<IdentifiedPeer, Fault> {
  if (peer.kind === 'rejected') return err(unverified(`${peer.fault.code}: ${peer.fault.detail}`));
  if (peer.kind === 'anonymous') return err(unverified('peer_certificate_missing: the server has no identity'));
  if (!presented.authorized) {
    const reason = presented.authorizationError ?? 'no reason given';
    return err(unverified(`peer_transport_unauthorized: ${reason}`));
  }
  if (expected.includes(peer.spiffeId)) return ok(peer);
  const wanted = expected.join(' or ');
  return err(fault('destination_identity_mismatch', `the server is ${peer.spiffeId}, expected is ${wanted}`));
}

/** `detail` begins with the code of the rule that was broken. */
export function unverified(detail: string): Fault {
  return fault('destination_unverified', detail);
}
