/** Baseline 2 for HTTP/1.1: an `https` server and `http.request` with a keep-alive agent, piped. No policy, no log. */
import { Agent, request, type RequestListener } from 'node:http';
import { createServer } from 'node:https';

import { announce, settings } from './settings.ts';

/** Passes each request on to a port of this machine. */
export function pipeHttp1(upstream: number): RequestListener {
  const agent = new Agent({ keepAlive: true });
  return (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const forwarded = request({ port: upstream, host: '127.0.0.1', method, path: url, headers, agent }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  };
}

if (import.meta.main) {
  const { upstream, tls } = settings();
  announce(createServer(tls, pipeHttp1(upstream)));
}
