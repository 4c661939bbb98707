import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** An agent that is asked how it does, and how often it was. */
export type ProbeAgent = { readonly port: number; readonly asked: () => number };

async function listening(context: TestContext, server: Server, sockets: ReadonlySet<Socket>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** An HTTP agent that answers as told. */
export async function startHttpAgent(context: TestContext, answer: RequestListener): Promise<ProbeAgent> {
  let asked = 0;
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    asked += 1;
    answer(request, response);
  });
  server.on('connection', (socket) => sockets.add(socket));
  return { port: await listening(context, server, sockets), asked: () => asked };
}

/** An agent that does with each connection what it is told: bytes, silence, resets. */
export async function startTcpAgent(context: TestContext, serve: (socket: Socket) => void): Promise<ProbeAgent> {
  let asked = 0;
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    asked += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  return { port: await listening(context, server, sockets), asked: () => asked };
}
