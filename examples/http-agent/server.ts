/**
 * An ordinary HTTP agent: no TLS, no identity, no policy. It knows nothing of Sallyport.
 * `node examples/http-agent/server.ts [port]` listens on loopback and prints the port.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const REPORTS: ReadonlyMap<string, unknown> = new Map([
  ['/reports/weekly', { title: 'Weekly report', pages: 3 }],
  ['/reports/salaries', { title: 'Salaries', pages: 12 }],
]);

const server = createServer((request, response) => {
  const report = REPORTS.get(new URL(request.url ?? '/', 'http://agent').pathname);
  const removed = request.method === 'DELETE' && report !== undefined;
  const status = report === undefined ? 404 : removed ? 204 : 200;
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(status === 200 ? JSON.stringify(report) : undefined);
});

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  console.log(JSON.stringify({ listening: (server.address() as AddressInfo).port }));
});
process.on('SIGTERM', () => server.close());
