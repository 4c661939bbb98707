import type { Connection, Endpoint } from '../model/connection.ts';
import { quote } from './json-text.ts';

/** What was written of each connection, and for which peer: trust may have changed who is on it. */
const known = new WeakMap<Connection, { readonly peer: string | undefined; readonly text: string }>();

/** The members of `sallyport` that are the same for all requests of a connection, made once for it. `peer` is who the record says that it is. */
export function connectionText(connection: Connection, peer: string | undefined): string {
  const before = known.get(connection);
  if (before !== undefined && before.peer === peer) return before.text;
  const named = peer === undefined ? '' : `,"peer":${quote(peer)}`;
  const remote = `,"remote":${quote(endpointText(connection.remote))}`;
  const text = `"direction":"${connection.direction}"${named}${remote},"connection":${quote(connection.id)}`;
  known.set(connection, { peer, text });
  return text;
}

/** `address:port`, IPv6 in brackets (RFC 3986 section 3.2.2). */
export function endpointText(at: Endpoint): string {
  return at.address.includes(':') ? `[${at.address}]:${at.port}` : `${at.address}:${at.port}`;
}
