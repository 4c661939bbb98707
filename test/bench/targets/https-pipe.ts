/** Baseline 2 for HTTP/1.1: an `https` server and `http.request` with a keep-alive agent, piped. No policy, no log. */
import { Agent, request } from 'node:http';
import { createServer } from 'node:https';

import { announce, settings } from './settings.ts';

const { upstream, tls } = settings();
const agent = new Agent({ keepAlive: true });
announce(
  createServer(tls, (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const forwarded = request({ port: upstream, host: '127.0.0.1', method, path: url, headers, agent }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  }),
);
