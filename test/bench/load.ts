/**
 * The load of the bench, one process: `node load.ts '{"kind":"http1"|"grpc","port":…,"folder":…,"connections":…,"seconds":…,"rate":0|N}'`.
 * `rate` 0: closed loop, each connection asks again as soon as it was answered. Otherwise requests are evenly spaced over all connections and latency
 * counts from the intended start, so that a target that stalls is charged for everything it held up. Prints `{requests, errors, p50, p99}` (microseconds).
 */
import { readFileSync } from 'node:fs';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';

type Load = {
  kind: 'http1' | 'grpc';
  port: number;
  folder: string;
  connections: number;
  seconds: number;
  rate: number;
};
/** Sends one request and calls back when its answer is complete. */
type Ask = (done: (ok: boolean) => void) => void;

const load = JSON.parse(process.argv[2] ?? '{}') as Load;
const read = (name: string): Buffer => readFileSync(`${load.folder}/${name}`);
const tls = {
  cert: read('client.pem'),
  key: read('client.key'),
  ca: read('ca.pem'),
  checkServerIdentity: () => undefined,
};

const REQUEST = Buffer.from(
  'GET /api/v1/catalog/items?page=2 HTTP/1.1\r\nHost: agent.internal\r\nAccept: application/json\r\nUser-Agent: bench\r\nX-Team: blue\r\n\r\n',
);
const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 46]), Buffer.alloc(46, 'x')]);

async function http1(): Promise<Ask> {
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const opened: TLSSocket = connectTls(
      { ...tls, host: '127.0.0.1', port: load.port, ALPNProtocols: ['http/1.1'] },
      () => resolve(opened),
    );
    opened.once('error', reject);
  });
  const waiting: ((ok: boolean) => void)[] = [];
  let left = 0;
  let head = '';
  socket.on('data', (chunk: Buffer) => {
    let at = 0;
    while (at < chunk.length) {
      if (left === 0) {
        head += chunk.toString('latin1', at);
        const end = head.indexOf('\r\n\r\n');
        if (end === -1) return;
        at = chunk.length - (head.length - end - 4);
        left = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (!head.startsWith('HTTP/1.1 200')) throw new Error(`not allowed: ${head}`);
        head = '';
      }
      const taken = Math.min(left, chunk.length - at);
      left -= taken;
      at += taken;
      if (left === 0) waiting.shift()?.(true);
    }
  });
  socket.on('close', () => waiting.splice(0).forEach((done) => done(false)));
  return (done) => {
    waiting.push(done);
    socket.write(REQUEST);
  };
}

async function grpc(): Promise<Ask> {
  const session = await new Promise<ClientHttp2Session>((resolve, reject) => {
    const opened = connectHttp2(`https://127.0.0.1:${load.port}`, tls);
    opened.once('connect', () => resolve(opened));
    opened.once('error', reject);
  });
  const headers = {
    ':method': 'POST',
    ':path': '/bench.Echo/Unary',
    'content-type': 'application/grpc',
    te: 'trailers',
  };
  return (done) => {
    const stream = session.request(headers);
    let status: unknown;
    stream.on('response', (fields) => {
      status = fields['grpc-status'] ?? status;
    });
    stream.on('trailers', (fields) => {
      status = fields['grpc-status'];
    });
    stream.on('data', () => undefined);
    stream.on('close', () => done(status === '0'));
    stream.on('error', () => undefined);
    stream.end(MESSAGE);
  };
}

const latencies: number[] = [];
let errors = 0;

function ask(via: Ask, intended: number, then: () => void): void {
  via((ok) => {
    latencies.push((performance.now() - intended) * 1_000);
    if (!ok) errors += 1;
    then();
  });
}

/** Each connection asks again as soon as it was answered. */
async function closedLoop(asks: readonly Ask[], until: number): Promise<void> {
  await Promise.all(
    asks.map(
      (via) =>
        new Promise<void>((resolve) => {
          const next = (): void => {
            if (performance.now() >= until) resolve();
            else ask(via, performance.now(), next);
          };
          next();
        }),
    ),
  );
}

/** Evenly spaced starts, in turn over the connections; a late start is caught up and counted from when it was due. */
async function constantRate(asks: readonly Ask[], until: number): Promise<void> {
  const begun = performance.now();
  let sent = 0;
  let open = 0;
  await new Promise<void>((resolve) => {
    const tick = (): void => {
      const now = performance.now();
      const due = Math.floor(((Math.min(now, until) - begun) * load.rate) / 1_000);
      for (; sent < due; sent += 1) {
        open += 1;
        ask(asks[sent % asks.length] as Ask, begun + (sent * 1_000) / load.rate, () => {
          open -= 1;
        });
      }
      if (now >= until && open === 0) resolve();
      else setTimeout(tick, 1);
    };
    tick();
  });
}

const open = load.kind === 'http1' ? http1 : grpc;
const asks = await Promise.all(Array.from({ length: load.connections }, () => open()));
const until = performance.now() + load.seconds * 1_000;
await (load.rate === 0 ? closedLoop(asks, until) : constantRate(asks, until));
latencies.sort((a, b) => a - b);
const at = (share: number): number => Math.round(latencies[Math.floor(latencies.length * share)] ?? 0);
console.log(JSON.stringify({ requests: latencies.length, errors, p50: at(0.5), p99: at(0.99) }));
process.exit(0);
