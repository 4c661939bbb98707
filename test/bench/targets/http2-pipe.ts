/** Baseline 2 for gRPC: an `http2` server over TLS piped to one h2c session, with trailers. No policy, no log. */
import { connect, constants, createSecureServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';

import { announce, settings } from './settings.ts';

/** Passes each stream on to a port of this machine, over one session. */
export function pipeHttp2(upstream: number): (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void {
  const session = connect(`http://127.0.0.1:${upstream}`);
  return (stream, headers) => {
    const forwarded = session.request(headers);
    let trailers: IncomingHttpHeaders = {};
    forwarded.on('response', (answer) => {
      stream.respond(answer, { waitForTrailers: true });
      forwarded.pipe(stream);
    });
    forwarded.on('trailers', (fields) => {
      trailers = fields;
    });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.on('error', () => forwarded.close(constants.NGHTTP2_CANCEL));
    forwarded.on('error', () => stream.close(constants.NGHTTP2_CANCEL));
    stream.pipe(forwarded);
  };
}

if (import.meta.main) {
  const { upstream, tls } = settings();
  const server = createSecureServer(tls);
  server.on('stream', pipeHttp2(upstream));
  announce(server);
}
