import { once } from 'node:events';
import { connect, type SecureContextOptions, type TLSSocket } from 'node:tls';

/** Handshakes at once: more of them measure the queue. */
const AT_ONCE = 20;
const REQUEST = 'GET /api/v1/catalog/items HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** Opens mTLS connections over which one request each was answered with status 200, and leaves them open and silent. */
export async function openIdle(
  count: number,
  port: number,
  identity: SecureContextOptions,
): Promise<readonly TLSSocket[]> {
  const sockets: TLSSocket[] = [];
  while (sockets.length < count) {
    const batch = Math.min(AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => openOne(port, identity)))));
  }
  return sockets;
}

async function openOne(port: number, identity: SecureContextOptions): Promise<TLSSocket> {
  const socket = connect({
    ...identity,
    host: '127.0.0.1',
    port,
    servername: 'localhost',
    ALPNProtocols: ['http/1.1'],
  });
  await once(socket, 'secureConnect');
  socket.write(REQUEST);
  const [first] = (await once(socket, 'data')) as [Buffer];
  const line = first.toString('latin1', 0, first.indexOf('\r\n'));
  if (!line.startsWith('HTTP/1.1 200')) throw new Error(`an idle connection was answered with ${line}`);
  socket.on('data', () => undefined);
  return socket;
}
