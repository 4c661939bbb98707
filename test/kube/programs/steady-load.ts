/**
 * `node steady-load.ts HTTP-URL GRPC-HOST:PORT EVERY-MS`: one HTTP/1.1 request and one gRPC call at a time, as an agent makes them that knows of no sidecar.
 * A line of JSON for each that fails, as it fails, and `{"done": …}` with the counts after SIGUSR2; nothing is sent after that.
 */
import { Agent, request } from 'node:http';

import { credentials, loadPackageDefinition, type Client, type GrpcObject } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const LIMIT_MS = 10_000;

type Weather = Client & {
  Now(place: object, options: object, done: (failure: { readonly code: number; details: string } | null) => void): void;
};

const [url = '', target = '', every = '50'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 4 });
const client = createClient();
const counts = { http: 0, grpc: 0, failed: 0 };
const open = new Set<Promise<void>>();

const timer = setInterval(() => {
  begin('http', callHttp(counts.http % 2 === 0 ? 'GET' : 'POST'));
  begin('grpc', callGrpc());
}, Number(every));
process.on('SIGUSR2', () => void finish());
process.on('SIGTERM', () => process.exit(0));
console.log(JSON.stringify({ began: new Date().toISOString() }));

function begin(kind: 'http' | 'grpc', call: Promise<string>): void {
  counts[kind] += 1;
  const began = performance.now();
  const told = call.then((failure) => {
    open.delete(told);
    if (failure === '') return;
    counts.failed += 1;
    const after = Math.round(performance.now() - began);
    console.log(JSON.stringify({ at: new Date().toISOString(), kind, failure, after }));
  });
  open.add(told);
}

/** Empty where it went well, else why not. */
function callHttp(method: string): Promise<string> {
  return new Promise((resolve) => {
    const ask = request(url, { agent, method, timeout: LIMIT_MS }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', (error) => resolve(`${method} ${String(error)}`));
      answer.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        resolve(answer.statusCode === 200 ? '' : `${method} ${answer.statusCode} ${body}`);
      });
    });
    ask.on('timeout', () => ask.destroy(new Error('timeout')));
    ask.on('error', (error) => resolve(`${method} ${String(error)}`));
    ask.end();
  });
}

function callGrpc(): Promise<string> {
  return new Promise((resolve) => {
    client.Now({ name: 'Oslo' }, { deadline: Date.now() + LIMIT_MS }, (failure) => {
      resolve(failure === null ? '' : `${failure.code} ${failure.details}`);
    });
  });
}

async function finish(): Promise<void> {
  clearInterval(timer);
  await Promise.all(open);
  console.log(JSON.stringify({ done: counts }));
}

function createClient(): Weather {
  const proto = new URL('../../../examples/grpc-agent/weather.proto', import.meta.url).pathname;
  const root = loadPackageDefinition(loadSync(proto)) as unknown as { examples: { weather: { v1: GrpcObject } } };
  const Service = root.examples.weather.v1['Weather'] as unknown as new (to: string, channel: unknown) => Weather;
  return new Service(target, credentials.createInsecure());
}
