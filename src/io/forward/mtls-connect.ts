import { isIP } from 'node:net';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';

import { err, ok, type Result } from '../../core/kernel/result.ts';
import { fault, type Fault, type FaultCode } from '../../core/model/faults.ts';

/** HTTP versions by their ALPN names (RFC 7301). */
export type Alpn = 'h2' | 'http/1.1';

/** One attempt at one address. Durations in milliseconds. */
export type MutualTarget = {
  /** A literal IP address. */
  readonly address: string;
  readonly port: number;
  /** Name for SNI (RFC 6066 section 3: never an address). */
  readonly serverName: string;
  readonly alpn: readonly Alpn[];
  readonly context: SecureContext;
  /** For the TCP connection. */
  readonly connectTimeoutMs: number;
  /** From then to the end of the TLS handshake. */
  readonly handshakeTimeoutMs: number;
};

/**
 * Opens a TLS 1.3 connection and ends its handshake. Who is at the other end is not judged here: the TLS library accepts every certificate, so that each
 * refusal is ours and has its reason; until the caller has judged, not a byte may be written. Calls back once; not after it was given up by the function
 * returned. Faults: `destination_unreachable`, `destination_tls_failed`, `destination_protocol_refused`, `overloaded`.
 */
export function connectMutually(target: MutualTarget, done: (socket: Result<TLSSocket, Fault>) => void): () => void {
  const socket = connect({
    host: target.address,
    port: target.port,
    servername: isIP(target.serverName) === 0 ? target.serverName : '',
    ALPNProtocols: [...target.alpn],
    secureContext: target.context,
    rejectUnauthorized: false,
    // Names are the ID's business: an X509-SVID need not have a DNS name.
    checkServerIdentity: () => undefined,
  });
  socket.setNoDelay(true).setKeepAlive(true);
  return new Handshake(socket, target, done).giveUp;
}

/** A connection from its first packet to the end of the handshake. */
class Handshake {
  readonly #socket: TLSSocket;
  readonly #target: MutualTarget;
  readonly #done: (socket: Result<TLSSocket, Fault>) => void;
  #timer: NodeJS.Timeout;
  #connected = false;
  #over = false;

  constructor(socket: TLSSocket, target: MutualTarget, done: (socket: Result<TLSSocket, Fault>) => void) {
    this.#socket = socket;
    this.#target = target;
    this.#done = done;
    const { connectTimeoutMs } = target;
    const late = fault('destination_unreachable', `no connection to ${where(target)} within ${connectTimeoutMs} ms`);
    this.#timer = setTimeout(() => this.#fail(late), connectTimeoutMs);
    socket.once('connect', () => this.#reached());
    socket.once('secureConnect', () => this.#agreed());
    socket.on('error', (error) => this.#fail(connectFault(error, this.#connected, target)));
    socket.once('close', () => this.#fail(fault('destination_tls_failed', `${where(target)} closed the connection`)));
  }

  readonly giveUp = (): void => {
    this.#settle();
    this.#socket.destroy();
  };

  #reached(): void {
    this.#connected = true;
    clearTimeout(this.#timer);
    const { handshakeTimeoutMs } = this.#target;
    const late = fault(
      'destination_tls_failed',
      `no handshake with ${where(this.#target)} in ${handshakeTimeoutMs} ms`,
    );
    if (!this.#over) this.#timer = setTimeout(() => this.#fail(late), handshakeTimeoutMs);
  }

  #agreed(): void {
    if (this.#over) return;
    const { alpnProtocol } = this.#socket;
    // A server without ALPN speaks HTTP/1.1, if it speaks HTTP.
    const spoken = typeof alpnProtocol === 'string' ? alpnProtocol : 'http/1.1';
    if (!this.#target.alpn.some((each) => each === spoken)) {
      this.#fail(fault('destination_protocol_refused', `${where(this.#target)} agreed on no HTTP version by ALPN`));
      return;
    }
    this.#settle();
    this.#done(ok(this.#socket));
  }

  #fail(reason: Fault): void {
    if (this.#over) return;
    this.giveUp();
    this.#done(err(reason));
  }

  #settle(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }
}

/** Errors of ours, not of the other side. */
const LOCAL_CODES: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE']);

/** Codes for a server that has ALPN and none of what we offer. */
const NO_PROTOCOL: ReadonlySet<string> = new Set([
  'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  'ERR_SSL_TLSV13_ALERT_NO_APPLICATION_PROTOCOL',
]);

function connectFault(error: Error, connected: boolean, target: MutualTarget): Fault {
  const code = 'code' in error ? String(error.code) : '';
  // OpenSSL's and Node's own texts; nothing of the other side's is in them.
  const detail = `${where(target)}: ${code === '' ? error.message : code}`;
  return fault(connectFaultCode(code, connected), detail);
}

function connectFaultCode(code: string, connected: boolean): FaultCode {
  if (LOCAL_CODES.has(code)) return 'overloaded';
  if (!connected) return 'destination_unreachable';
  return NO_PROTOCOL.has(code) ? 'destination_protocol_refused' : 'destination_tls_failed';
}

function where({ address, port }: MutualTarget): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
