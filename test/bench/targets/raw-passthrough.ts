/** Baseline 1: TLS in, the same bytes out over TCP. Nothing is parsed, decided or written down. */
import { connect } from 'node:net';
import { createServer } from 'node:tls';

import { announce, settings } from './settings.ts';

const { upstream, tls } = settings();
announce(
  createServer({ ...tls, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
    const agent = connect({ port: upstream, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => agent.destroy());
    agent.on('error', () => socket.destroy());
    socket.pipe(agent).pipe(socket);
  }),
);
