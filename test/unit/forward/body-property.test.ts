import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { after, before, test } from 'node:test';

import * as fc from 'fast-check';

import type { Upstream } from '../../../src/core/config/addresses.ts';
import type { Forwarder } from '../../../src/io/forward/forwarder.ts';
import { bodyToFeed, FakeDownstream } from '../../support/fake-downstream.ts';
import { forwarderTo, outcomeOf } from '../../support/forwarding.ts';

/** Sizes around the borders that matter: empty, one byte, a frame, a window, a buffer. */
const piece = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .tuple(fc.constantFrom(1, 1_024, 16_383, 16_384, 16_385, 32_768, 65_535, 65_537), fc.nat(255))
    .map(([length, byte]) => new Uint8Array(length).fill(byte)),
);
const pieces = fc.array(piece, { maxLength: 12 });
/** How the answer is framed and cut by the agent, and how much the peer takes before it asks to wait. */
type Scene = {
  readonly request: readonly Uint8Array[];
  readonly answer: readonly Uint8Array[];
  readonly framed: 'length' | 'chunked' | 'close';
  readonly capacity: number;
  readonly announced: boolean;
  readonly turns: boolean;
};
const scene: fc.Arbitrary<Scene> = fc.record({
  request: pieces,
  answer: pieces,
  framed: fc.constantFrom<Scene['framed']>('length', 'chunked', 'close'),
  capacity: fc.constantFrom(1, 20_000, 1_000_000),
  announced: fc.boolean(),
  turns: fc.boolean(),
});

const join = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part)));
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What the agents answer now, and what they received. */
let current: Scene;
let uploaded: Buffer;

const http1 = createServer((socket) => {
  let received: Buffer = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    const end = received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = received.toString('latin1', 0, end).toLowerCase();
    const rest = received.subarray(end + 4);
    const length = /content-length: (\d+)/.exec(head)?.[1];
    if (
      head.includes('transfer-encoding: chunked')
        ? !rest.toString('latin1').endsWith('0\r\n\r\n')
        : rest.length < Number(length ?? 0)
    )
      return;
    uploaded = head.includes('transfer-encoding: chunked') ? dechunk(rest) : Buffer.from(rest);
    received = Buffer.alloc(0);
    void answer(
      (text) => socket.write(text, 'latin1'),
      (bytes) => socket.write(bytes),
      () => socket.end(),
    );
  });
});

async function answer(
  text: (text: string) => void,
  bytes: (bytes: Uint8Array) => void,
  end: () => void,
): Promise<void> {
  const { framed, answer: parts, turns } = current;
  const field = {
    length: `Content-Length: ${join(parts).length}\r\n`,
    chunked: 'Transfer-Encoding: chunked\r\n',
    close: '',
  };
  text(`HTTP/1.1 200 OK\r\n${field[framed]}\r\n`);
  for (const part of parts) {
    if (turns) await new Promise((resolve) => setImmediate(resolve));
    if (framed === 'chunked' && part.length === 0) continue;
    if (framed === 'chunked') text(`${part.length.toString(16)}\r\n`);
    bytes(part);
    if (framed === 'chunked') text('\r\n');
  }
  if (framed === 'chunked') text('0\r\n\r\n');
  if (framed === 'close') end();
}

function dechunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const line = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
}

const http2 = createHttp2Server();
http2.on('stream', (stream: ServerHttp2Stream) => {
  const parts: Buffer[] = [];
  stream.on('error', () => {});
  stream.on('data', (bytes: Buffer) => parts.push(bytes));
  stream.on('end', async () => {
    uploaded = Buffer.concat(parts);
    const { framed, answer: body, turns } = current;
    stream.respond({ ':status': 200, ...(framed === 'length' ? { 'content-length': join(body).length } : {}) });
    for (const part of body) {
      if (turns) await new Promise((resolve) => setImmediate(resolve));
      stream.write(part);
    }
    stream.end();
  });
});

const forwarders = new Map<Upstream['protocol'], Forwarder>();

before(async () => {
  http1.listen(0, '127.0.0.1');
  http2.listen(0, '127.0.0.1');
  await Promise.all([once(http1, 'listening'), once(http2, 'listening')]);
  forwarders.set('http1', forwarderTo('http1', (http1.address() as AddressInfo).port));
  forwarders.set('h2c', forwarderTo('h2c', (http2.address() as AddressInfo).port));
});

after(async () => {
  for (const forwarder of forwarders.values()) await forwarder.stop(0);
  http1.close();
  http2.close();
});

async function arrives(protocol: 'http1' | 'h2c', peer: 'http1' | 'http2', drawn: Scene): Promise<void> {
  current = drawn;
  uploaded = Buffer.alloc(0);
  const stream = bodyToFeed();
  const downstream = new FakeDownstream({
    protocol: peer,
    capacity: drawn.capacity,
    body: { kind: 'stream', stream },
  });
  const upload = join(drawn.request);
  const outcome = outcomeOf(forwarders.get(protocol)!, downstream, {
    method: 'POST',
    headers: drawn.announced ? ['content-length', String(upload.length)] : [],
    body: { kind: 'stream' },
  });
  const reading = setInterval(() => downstream.onDrain !== undefined && downstream.drain(), 0);
  for (const part of drawn.request) {
    if (drawn.turns) await new Promise((resolve) => setImmediate(resolve));
    if (part.length > 0) stream.push(Buffer.from(part));
  }
  stream.push(null);
  const result = await outcome;
  clearInterval(reading);
  const sent = join(drawn.answer);
  assert.deepEqual(result, { kind: 'forwarded', status: 200, bytesIn: upload.length, bytesOut: sent.length });
  assert.equal(hash(uploaded), hash(upload));
  assert.equal(hash(downstream.received), hash(sent));
}

for (const protocol of ['http1', 'h2c'] as const) {
  for (const peer of ['http1', 'http2'] as const) {
    test(`bodies arrive byte for byte however they are cut: peer ${peer}, agent ${protocol}`, async () => {
      await fc.assert(
        fc.asyncProperty(scene, (drawn) => arrives(protocol, peer, drawn)),
        { numRuns: 40 },
      );
    });
  }
}
