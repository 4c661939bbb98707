import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { Readable, type Duplex } from 'node:stream';
import { IncomingMessage } from 'node:http';

import type { RefusalAnswer } from '../../src/core/gate/exchange.ts';
import type { HeaderList } from '../../src/core/kernel/headers.ts';
import type { Fault } from '../../src/core/model/faults.ts';
import type { Outcome } from '../../src/core/model/outcome.ts';
import type { RawHead } from '../../src/core/model/request.ts';
import type { Downstream, OnClosed, RawDownstream, RequestBody } from '../../src/io/forward/downstream.ts';

/** One call that a forwarder made, in order. */
export type DownstreamEvent =
  | { readonly kind: 'informational'; readonly status: number; readonly headers: HeaderList }
  | { readonly kind: 'continue' }
  | {
      readonly kind: 'whole';
      readonly status: number;
      readonly headers: HeaderList;
      readonly body: string | undefined;
      readonly trailers: HeaderList | undefined;
    }
  | { readonly kind: 'head'; readonly status: number; readonly headers: HeaderList }
  | { readonly kind: 'data'; readonly chunk: string }
  | { readonly kind: 'end'; readonly trailers: HeaderList | undefined; readonly lastChunk: string | undefined }
  | { readonly kind: 'abort'; readonly fault: Fault }
  | { readonly kind: 'refuse'; readonly answer: RefusalAnswer };

export type FakeDownstreamOptions = {
  readonly protocol?: RawHead['kind'];
  readonly body?: RequestBody;
  /** How many bytes `respondData` takes before it asks to wait; `drain` makes room again. Default: no bound. */
  readonly capacity?: number;
  /** False: the peer does not take its answer, and `sent` has to be called. */
  readonly sends?: boolean;
  readonly upgrade?: ReturnType<Downstream['upgrade']>;
};

/** The peer's side of one request, without a peer: remembers what was written, paces it, and can go away. */
export class FakeDownstream implements Downstream {
  readonly head: { readonly kind: RawHead['kind'] };
  readonly body: RequestBody;
  readonly events: DownstreamEvent[] = [];
  onDrain: (() => void) | undefined;
  onClosed: OnClosed | undefined;
  onSent: (() => void) | undefined;
  bytesOut = 0;
  readonly #options: FakeDownstreamOptions;
  readonly #chunks: Uint8Array[] = [];
  #bytesIn = 0;
  #unread = 0;
  #waiting: (() => void)[] = [];

  constructor(options: FakeDownstreamOptions = {}) {
    this.#options = options;
    this.head = { kind: options.protocol ?? 'http1' };
    this.body = options.body ?? { kind: 'none' };
    if (this.body.kind === 'bytes') this.#bytesIn = this.body.bytes.length;
    if (this.body.kind === 'stream') {
      const { stream } = this.body;
      const push = stream.push.bind(stream);
      stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
        if (chunk instanceof Uint8Array) this.#bytesIn += chunk.length;
        return push(chunk, encoding);
      };
    }
  }

  get bytesIn(): number {
    return this.#bytesIn;
  }

  /** The body of the answer so far. */
  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Status and fields of the answer's head, as soon as there is one. */
  get answer(): { readonly status: number; readonly headers: HeaderList } | undefined {
    return this.events.find((event) => event.kind === 'whole' || event.kind === 'head');
  }

  /** The kinds of the calls, in order; what a test of sequence compares. */
  get kinds(): readonly string[] {
    return this.events.map((event) => event.kind);
  }

  /** Waits until `condition` holds, looking after each call. */
  async until(condition: (downstream: this) => boolean): Promise<void> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The peer has read everything written so far. */
  drain(): void {
    this.#unread = 0;
    this.onDrain?.();
  }

  /** The answer has left. */
  sent(): void {
    this.onSent?.();
  }

  requestTrailers(): HeaderList {
    return ['x-request-trailer', 'never read'];
  }

  informational(status: number, headers: HeaderList): void {
    this.#add({ kind: 'informational', status, headers });
  }

  sendContinue(): void {
    this.#add({ kind: 'continue' });
  }

  respondWhole(
    status: number,
    headers: HeaderList,
    body: Uint8Array | undefined,
    trailers: HeaderList | undefined,
  ): void {
    this.#take(body);
    this.#add({ kind: 'whole', status, headers, body: text(body), trailers });
    this.#finish();
  }

  respondHead(status: number, headers: HeaderList): void {
    this.#add({ kind: 'head', status, headers });
  }

  respondData(chunk: Uint8Array): boolean {
    this.#take(chunk);
    this.#unread += chunk.length;
    this.#add({ kind: 'data', chunk: text(chunk) ?? '' });
    return this.#unread < (this.#options.capacity ?? Number.POSITIVE_INFINITY);
  }

  respondEnd(trailers: HeaderList | undefined, lastChunk: Uint8Array | undefined): void {
    this.#take(lastChunk);
    this.#add({ kind: 'end', trailers, lastChunk: text(lastChunk) });
    this.#finish();
  }

  abort(fault: Fault): void {
    this.#add({ kind: 'abort', fault });
  }

  refuse(answer: RefusalAnswer, done: (outcome: Outcome) => void): void {
    this.#add({ kind: 'refuse', answer });
    setImmediate(done, { kind: 'refused', status: answer.status, grpcStatus: answer.grpcStatus } satisfies Outcome);
  }

  upgrade(): ReturnType<Downstream['upgrade']> {
    return this.#options.upgrade;
  }

  #take(chunk: Uint8Array | undefined): void {
    if (chunk === undefined) return;
    this.#chunks.push(chunk);
    this.bytesOut += chunk.length;
  }

  #finish(): void {
    if (this.#options.sends !== false) setImmediate(() => this.onSent?.());
  }

  #add(event: DownstreamEvent): void {
    this.events.push(event);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** A body that a test feeds piece by piece: `push(bytes)`, then `push(null)`. */
export function bodyToFeed(): Readable {
  return new Readable({ read() {} });
}

/** A body that comes in the pieces given. */
export function bodyOf(...pieces: readonly (string | Uint8Array)[]): RequestBody {
  return {
    kind: 'stream',
    stream: Readable.from(
      pieces.map((piece) => Buffer.from(piece)),
      { objectMode: false },
    ),
  };
}

/** Two ends of a real connection on loopback: what a tunnel is given, and the peer at the other end of it. */
export type SocketPair = { readonly ours: Socket; readonly peer: Socket; readonly close: () => void };

export async function socketPair(): Promise<SocketPair> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(peer, 'connect');
  const [ours] = await accepted;
  ours.on('error', () => {});
  peer.on('error', () => {});
  server.close();
  return {
    ours,
    peer,
    close: () => {
      ours.destroy();
      peer.destroy();
    },
  };
}

/** What `Downstream.upgrade` gives for the socket of a pair. */
export function upgradeOf(socket: Socket, head: Buffer = Buffer.alloc(0)): ReturnType<Downstream['upgrade']> {
  return { socket, request: new IncomingMessage(socket), head };
}

/** A connection whose bytes are forwarded unread. */
export class FakeRawDownstream implements RawDownstream {
  readonly socket: Duplex;
  onClosed: OnClosed | undefined;
  aborted: Fault | undefined;

  constructor(socket: Duplex) {
    this.socket = socket;
  }

  abort(fault: Fault): void {
    this.aborted = fault;
    this.socket.destroy();
  }
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1');
}
