import type { X509Certificate } from 'node:crypto';

import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import type { Fault } from '../model/faults.ts';
import { fault } from '../model/faults.ts';

/** Certificates read at most. The identity rules refuse far shorter chains; this bounds the reading. */
const MAX_CERTIFICATES = 16;

/** What the other side showed in the handshake; read once per connection. */
export type PresentedChain = {
  /** DER, leaf first, as OpenSSL links what was sent, at most 16; without the anchor where it verified. On a resumed connection the leaf alone. */
  readonly chain: readonly Uint8Array[];
  /** OpenSSL's opinion and its reason: never the decision, always a condition of it. */
  readonly authorized: boolean;
  readonly authorizationError: string | undefined;
};

/** What of a TLS socket (Node's `TLSSocket` is one) tells whom it is connected with, once its handshake has ended. */
export interface HandshakeFacts {
  readonly authorized: boolean;
  readonly authorizationError: unknown;
  getPeerX509Certificate(): X509Certificate | undefined;
}

/**
 * Reads what the other side presented, once (70 us and more a read). Fails with `peer_certificate_malformed` where OpenSSL took a certificate that
 * Node cannot represent.
 */
export function readPresentedChain(socket: HandshakeFacts): Result<PresentedChain, Fault> {
  try {
    const { authorized } = socket;
    const chain = chainOf(socket.getPeerX509Certificate(), authorized);
    return ok({ chain, authorized, authorizationError: authorized ? undefined : reasonOf(socket.authorizationError) });
  } catch (error) {
    return err(fault('peer_certificate_malformed', error instanceof Error ? error.message : 'unreadable'));
  }
}

function chainOf(leaf: X509Certificate | undefined, authorized: boolean): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let previous: Buffer | undefined;
  for (let next = leaf; next !== undefined && chain.length < MAX_CERTIFICATES; next = next.issuerCertificate) {
    // Where the leaf's issuer is one of our own roots, Node 26 adds that root to a chain that verified; where intermediates were sent, it does not.
    if (authorized && chain.length > 0 && next.checkIssued(next)) break;
    const { raw } = next;
    // A self-signed certificate may name itself as its issuer.
    if (previous?.equals(raw) === true) break;
    chain.push(raw);
    previous = raw;
  }
  return chain;
}

/** Typed as an Error, but Node sets OpenSSL's code, a string. */
function reasonOf(reason: unknown): string | undefined {
  if (reason instanceof Error) return reason.message;
  return typeof reason === 'string' ? reason : undefined;
}
