import { createSocket } from 'node:dgram';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Where to knock, and how: with a plain HTTP request, with the same in TLS without a certificate, or with a datagram. */
export type Door = {
  readonly kind: 'http' | 'tls' | 'udp';
  readonly host: string;
  readonly port: number;
  /** What the request says it wants; default host and port. */
  readonly wanted?: string;
};

/** `answered` and the first line; `closed`: connected and cut without a byte; `refused`: nobody listens; `silent`: nothing came back, or no way there. */
export type Answer = string;

const PATIENCE_MS = 2_000;

/** Knocks at all doors at once. Never rejects. */
export function knock(doors: readonly Door[]): Promise<readonly Answer[]> {
  return Promise.all(doors.map((door) => (door.kind === 'udp' ? datagram(door) : stream(door))));
}

function stream({ kind, host, port, wanted = `${host}:${port}` }: Door): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const socket: Socket =
    kind === 'tls' ? connectTls({ host, port, rejectUnauthorized: false }) : connectTcp({ host, port });
  const ask = `GET /knock HTTP/1.1\r\nhost: ${wanted}\r\nconnection: close\r\n\r\n`;
  let isConnected = false;
  let said = '';
  socket.on('connect', () => (isConnected = true));
  socket.on(kind === 'tls' ? 'secureConnect' : 'connect', () => socket.write(ask));
  socket.on('data', (bytes: Buffer) => (said += bytes.toString('latin1')));
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'ECONNREFUSED') resolve('refused');
    else if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') resolve('silent');
  });
  const timer = setTimeout(() => socket.destroy(), PATIENCE_MS * (kind === 'tls' ? 2 : 1));
  socket.on('close', () => {
    clearTimeout(timer);
    resolve(said === '' ? (isConnected ? 'closed' : 'silent') : `answered ${said.split('\r\n')[0]}`);
  });
  return promise;
}

function datagram({ host, port }: Door): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const end = (answer: Answer): void => {
    clearTimeout(timer);
    socket.close();
    resolve(answer);
  };
  const timer = setTimeout(() => end('silent'), PATIENCE_MS);
  socket.on('message', (bytes) => end(`answered ${bytes.toString('latin1')}`));
  socket.on('error', ({ message }: NodeJS.ErrnoException) => {
    if (!message.includes('EPERM')) console.error(message);
  });
  socket.connect(port, host, () => socket.send('knock'));
  return promise;
}
