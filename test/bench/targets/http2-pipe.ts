/** Baseline 2 for gRPC: an `http2` server over TLS piped to one h2c session, with trailers. No policy, no log. */
import { connect, constants, createSecureServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';

import { announce, settings } from './settings.ts';

const { upstream, tls } = settings();
const session = connect(`http://127.0.0.1:${upstream}`);
const server = createSecureServer(tls);
server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
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
});
announce(server);
