import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

import type { ConnectionId } from '../../core/kernel/brand.ts';
import type { Connection, Endpoint, TlsFacts } from '../../core/model/connection.ts';

/** What is known of a connection from its accept. */
export type Accepted = Omit<Connection, 'tls'>;

const NOWHERE: Endpoint = Object.freeze({ address: '', port: 0 });

/** Reads the ends of an accepted socket; they are gone once it is closed. */
export function acceptedFacts(
  socket: Socket | undefined,
  id: ConnectionId,
  direction: Connection['direction'],
  listener: string,
  openedAtMs: number,
): Accepted {
  return {
    id,
    direction,
    listener,
    remote: endpoint(socket?.remoteAddress, socket?.remotePort),
    local: endpoint(socket?.localAddress, socket?.localPort),
    openedAtMs,
  };
}

/** An address as the system gave it; an IPv4 peer of a dual-stack listener is shown as IPv4 (RFC 4291 section 2.5.5.2). */
export function endpoint(address: string | undefined, port: number | undefined): Endpoint {
  if (address === undefined || port === undefined) return NOWHERE;
  const isMapped = address.startsWith('::ffff:') && address.includes('.');
  return { address: isMapped ? address.slice('::ffff:'.length) : address, port };
}

/** What the handshake settled. Node types these as it pleases: `false` for no ALPN, `null` or `false` for no server name. */
export function tlsFacts(socket: TLSSocket): TlsFacts {
  const { alpnProtocol } = socket;
  const sni: unknown = socket.servername;
  return {
    version: socket.getProtocol() === 'TLSv1.2' ? 'TLSv1.2' : 'TLSv1.3',
    cipher: socket.getCipher().standardName,
    alpn: alpnProtocol === 'h2' || alpnProtocol === 'http/1.1' ? alpnProtocol : undefined,
    sni: typeof sni === 'string' && sni !== '' ? sni : undefined,
    resumed: socket.isSessionReused(),
  };
}
