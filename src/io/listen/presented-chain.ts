import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

import { err, ok, type Result } from '../../core/kernel/result.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { PresentedChain } from './handler.ts';

/** Certificates read at most. The identity rules refuse far shorter chains; this bounds the reading. */
const MAX_CERTIFICATES = 16;

/**
 * Reads what the peer presented, once (70 us and more a read). Fails with `peer_certificate_malformed` where OpenSSL took a certificate that Node
 * cannot represent.
 */
export function readPresentedChain(socket: TLSSocket): Result<PresentedChain, Fault> {
  try {
    const { authorized } = socket;
    const chain = chainOf(socket.getPeerX509Certificate(), authorized);
    return ok({ chain, authorized, authorizationError: authorized ? undefined : reasonOf(socket) });
  } catch (error) {
    return err(fault('peer_certificate_malformed', error instanceof Error ? error.message : 'unreadable'));
  }
}

function chainOf(leaf: X509Certificate | undefined, authorized: boolean): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let previous: Buffer | undefined;
  for (let next = leaf; next !== undefined && chain.length < MAX_CERTIFICATES; next = next.issuerCertificate) {
    const { raw } = next;
    // A self-signed certificate may name itself as its issuer.
    if (previous?.equals(raw) === true) break;
    // Where the leaf's issuer is one of our own roots, Node 26 adds that root to a chain that verified; where intermediates were sent, it does not.
    if (authorized && chain.length > 0 && next.checkIssued(next)) break;
    chain.push(raw);
    previous = raw;
  }
  return chain;
}

/** Typed as an Error, but Node sets OpenSSL's code, a string. */
function reasonOf(socket: TLSSocket): string | undefined {
  const reason: unknown = socket.authorizationError;
  if (reason instanceof Error) return reason.message;
  return typeof reason === 'string' ? reason : undefined;
}
