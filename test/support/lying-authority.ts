import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';

import { createAuthority, type Authority } from './pki.ts';

/** What it does with a connection once a request's head is there. */
export type Lie = (socket: TLSSocket, request: string) => void;

/** A server with a right certificate of an authority that says whatever the test wants, byte by byte. */
export type LyingAuthority = {
  readonly url: string;
  readonly id: string;
  readonly root: Authority;
  /** Requests so far, as far as they had come when the head was whole. */
  readonly requests: string[];
  lie: Lie;
};

export async function startLyingAuthority(context: TestContext): Promise<LyingAuthority> {
  const root = createAuthority();
  const id = 'spiffe://example.org/sallyport/authority';
  const own = root.issue({ id });
  const requests: string[] = [];
  const open = new Set<TLSSocket>();
  const server = createServer({
    key: own.keyPem,
    cert: own.chainPem,
    ca: root.bundlePem,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  const lying: { -readonly [K in keyof LyingAuthority]: LyingAuthority[K] } = {
    url: '',
    id,
    root,
    requests,
    lie: (socket) => socket.destroy(),
  };
  server.on('secureConnection', (socket) => {
    open.add(socket);
    let head = '';
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      const wasWhole = head.includes('\r\n\r\n');
      head += text;
      if (wasWhole || !head.includes('\r\n\r\n')) return;
      requests.push(head);
      lying.lie(socket, head);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  lying.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  context.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return lying;
}

/** A whole answer. */
export function says(status: number, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Lie {
  const fields = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return (socket) =>
    socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 ${status} x\r\n${lines.join('')}\r\n`), Buffer.from(body)]));
}
