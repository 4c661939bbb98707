import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** An agent made of Node's own HTTP server, and the requests that reached it. */
export type HttpAgent = {
  readonly port: number;
  readonly requests: readonly string[];
  readonly close: () => Promise<void>;
};

/** Starts one on a free port of loopback; it ends with the test. */
export async function startHttpAgent(
  context: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<HttpAgent> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  context.after(close);
  return { port: (server.address() as AddressInfo).port, requests, close };
}
