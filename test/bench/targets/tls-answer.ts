/** What TLS itself costs in Node: client certificates are asked for and checked, each HTTP/1.1 request is answered with 1,000 bytes, and nothing else is done. */
import { createServer } from 'node:tls';

import { announce, settings } from './settings.ts';

const BODY = 'x'.repeat(1_000);
const ANSWER = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

announce(
  createServer({ ...settings().tls, ALPNProtocols: ['http/1.1'] }, (socket) => {
    socket.on('error', () => undefined);
    // The load sends a head of one packet and waits: to know the end of a request nothing has to be parsed.
    socket.on('data', () => socket.write(ANSWER));
  }),
);
