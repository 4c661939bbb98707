/**
 * `node moody-agent.ts http|grpc|tcp|none PORT [MOOD]`: an agent that is as /tmp/mood says, and MOOD (well) before: `sick` answers 500, NOT_SERVING (grpc.health.v1) or no
 * connection at all. It listens on loopback only, where nobody but its own pod gets to.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcp } from 'node:net';

const MOOD = '/tmp/mood';
const LOOK_MS = 100;
/** `HealthCheckResponse{status}` in a gRPC frame: SERVING is 1, NOT_SERVING 2. */
const healthAnswer = (status: 1 | 2): Buffer => Buffer.from([0, 0, 0, 0, 2, 8, status]);

const [kind = 'none', port = '0', mood = 'well'] = process.argv.slice(2);
const isWell = (): boolean => (existsSync(MOOD) ? readFileSync(MOOD, 'utf8').trim() : mood) === 'well';
process.on('SIGTERM', () => process.exit(0));

switch (kind) {
  case 'http':
    createHttp((request, response) => {
      response.statusCode = isWell() ? 200 : 500;
      response.end(`${request.url}\n`);
    }).listen(Number(port), '127.0.0.1');
    break;
  case 'grpc':
    createHttp2()
      .on('stream', (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(healthAnswer(isWell() ? 1 : 2));
      })
      .listen(Number(port), '127.0.0.1');
    break;
  case 'tcp': {
    const server = createTcp((socket) => socket.end());
    setInterval(() => {
      if (isWell() && !server.listening) server.listen(Number(port), '127.0.0.1');
      if (!isWell() && server.listening) server.close();
    }, LOOK_MS);
    break;
  }
  default:
    setInterval(() => {}, LOOK_MS);
}
