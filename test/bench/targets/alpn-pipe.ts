/** Both baselines 2 on one port, by ALPN: `node alpn-pipe.ts FOLDER HTTP1_PORT H2C_PORT`. No policy, no log. */
import { createServer as createHttp1 } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { createServer } from 'node:tls';

import { pipeHttp2 } from './http2-pipe.ts';
import { pipeHttp1 } from './https-pipe.ts';
import { announce, settings } from './settings.ts';

const { upstream, tls } = settings();
const http1 = createHttp1(pipeHttp1(upstream));
const http2 = createHttp2();
http2.on('stream', pipeHttp2(Number(process.argv[4])));
announce(
  createServer({ ...tls, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
    socket.setNoDelay(true);
    (socket.alpnProtocol === 'h2' ? http2 : http1).emit('connection', socket);
  }),
);
