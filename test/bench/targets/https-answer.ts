/** What `node:https` itself needs: client certificates are asked for and checked, each request is answered with 1,000 bytes, connections are kept. */
import { createServer } from 'node:https';

import { announce, settings } from './settings.ts';

const BODY = 'x'.repeat(1_000);

const server = createServer(settings().tls, (_request, response) => response.end(BODY));
server.keepAliveTimeout = 0;
announce(server);
