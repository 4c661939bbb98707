import { Agent, buildConnector } from 'undici';

import { readPresentedChain, type PresentedChain } from '../../core/identity/presented-chain.ts';
import { PeerRefused } from './request-fault.ts';

import type { SecureContext, TLSSocket } from 'node:tls';
import type { Result } from '../../core/kernel/result.ts';

/** Who we are to a server that has to prove a SPIFFE ID, and who judges what it shows. Implemented over the sidecar's identity, joined by `app`. */
export type OwnIdentity = {
  /** What a new connection shows; the error says why there is nothing to be shown. */
  readonly context: () => Result<SecureContext, string>;
  /** What is wrong with what a server showed, for one that has to be `peer`; undefined where nothing is. By the trust of now. */
  readonly judge: (presented: PresentedChain, peer: string) => string | undefined;
};

/** A connection for one request to a server that proves who it is. */
export type PeerConnection = {
  readonly agent: Agent;
  /** What is wrong with the server by now: an answer is believed only where nothing is. A long poll lasts, and trust may end meanwhile. */
  readonly refusal: () => string | undefined;
};

/**
 * Prepares a connection with our own identity of now. Nothing is resumed or used again, so that each request shows the certificate of its moment and sees the whole chain
 * of the server. The host's name is not looked at: the ID is what counts. Not a byte of a request is written before the server was judged.
 */
export function peerConnection(
  peer: string,
  identity: OwnIdentity,
  {
    context,
    maxHeaderSize,
    timeout,
  }: { readonly context: SecureContext; readonly maxHeaderSize: number; readonly timeout: number },
): PeerConnection {
  let presented: PresentedChain | undefined;
  const connect = buildConnector({
    allowH2: false,
    maxCachedSessions: 0,
    timeout,
    secureContext: context,
    // Every refusal is ours, with its reason: the judge wants OpenSSL's approval besides.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  const connector: buildConnector.connector = (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      const read = readPresentedChain(socket as TLSSocket);
      const refusal = read.ok ? identity.judge(read.value, peer) : read.error.detail;
      if (refusal === undefined) {
        presented = read.ok ? read.value : undefined;
        callback(null, socket);
        return;
      }
      socket.destroy();
      callback(new PeerRefused(refusal), null);
    });
  const agent = new Agent({
    connect: connector,
    allowH2: false,
    connections: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize,
  });
  const refusal = (): string | undefined =>
    presented === undefined ? 'it was not judged' : identity.judge(presented, peer);
  return { agent, refusal };
}
