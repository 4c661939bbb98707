/**
 * An ordinary HTTP agent that calls another one: no TLS, no identity, no policy. It knows nothing of Sallyport, only that its calls go through an HTTP
 * proxy (`HTTP_PROXY`), as any HTTP client can be told. `GET /brief/NAME` asks the researcher for a report and shortens it.
 * `node examples/planner-agent/server.ts SOCKET` listens on a unix socket.
 */
import { createServer, get, type IncomingHttpHeaders } from 'node:http';

const proxy = new URL(process.env['HTTP_PROXY'] ?? 'http://127.0.0.1:15001');

/** Whom it asks for which report. */
const SOURCES: Readonly<Record<string, string>> = {
  weekly: 'http://researcher.internal/reports/weekly',
  gossip: 'http://tabloid.internal/gossip',
};

/** Fetches a URL through the proxy (RFC 9112 3.2.2: the whole URL is the target), in the trace of the call that it works for. */
function fetchReport(
  url: string,
  { traceparent = '' }: IncomingHttpHeaders,
): Promise<{ status: number; body: string }> {
  const headers = { host: new URL(url).host, ...(traceparent !== '' && { traceparent: String(traceparent) }) };
  return new Promise((resolve, reject) => {
    get({ host: proxy.hostname, port: proxy.port, path: url, headers, agent: false }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 502, body }));
    }).on('error', reject);
  });
}

const server = createServer((request, response) => {
  const source = SOURCES[request.url?.replace(/^\/brief\//, '') ?? ''];
  if (source === undefined) {
    response.writeHead(404).end();
    return;
  }
  fetchReport(source, request.headers).then(
    ({ status, body }) => {
      response.writeHead(status === 200 ? 200 : 502, { 'content-type': 'application/json' });
      response.end(JSON.stringify(status === 200 ? { brief: `in short: ${body}` } : { asked: source, status }));
    },
    () => response.writeHead(502).end(),
  );
});

server.listen(process.argv[2], () => console.log(JSON.stringify({ listening: process.argv[2] })));
process.on('SIGTERM', () => server.close());
