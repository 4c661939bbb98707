import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';

import type { RefusalAnswer } from '../../src/core/gate/exchange.ts';
import type { HeaderList } from '../../src/core/kernel/headers.ts';
import type { Outcome } from '../../src/core/model/outcome.ts';
import type { Downstream, OnClosed, RequestBody } from '../../src/io/forward/downstream.ts';

/** The peer's side of one request on an ordinary HTTP/2 stream: as little as real clients need to talk through a forwarder. */
export class StreamDownstream implements Downstream {
  readonly head = { kind: 'http2' } as const;
  readonly body: RequestBody;
  readonly bytesIn = 0;
  readonly bytesOut = 0;
  onClosed: OnClosed | undefined;
  onSent: (() => void) | undefined;
  onDrain: (() => void) | undefined;
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    this.body = { kind: 'stream', stream };
    stream.on('error', () => {});
    stream.on('drain', () => this.onDrain?.());
    stream.on('finish', () => this.onSent?.());
  }

  requestTrailers(): HeaderList {
    return [];
  }

  informational(): void {}

  sendContinue(): void {}

  respondWhole(
    status: number,
    headers: HeaderList,
    body: Uint8Array | undefined,
    trailers: HeaderList | undefined,
  ): void {
    // A gRPC trailers-only answer is one HEADERS frame with END_STREAM; anything after it makes it another answer.
    if (body === undefined && trailers === undefined) {
      this.#stream.respond([':status', String(status), ...headers], { endStream: true });
      return;
    }
    this.respondHead(status, headers);
    this.respondEnd(trailers, body);
  }

  respondHead(status: number, headers: HeaderList): void {
    this.#stream.respond([':status', String(status), ...headers], { waitForTrailers: true });
  }

  respondData(chunk: Uint8Array): boolean {
    return this.#stream.write(chunk);
  }

  respondEnd(trailers: HeaderList | undefined, lastChunk: Uint8Array | undefined): void {
    const fields: OutgoingHttpHeaders = {};
    for (let i = 0; i + 1 < (trailers?.length ?? 0); i += 2) fields[trailers?.[i] ?? ''] = trailers?.[i + 1];
    this.#stream.on('wantTrailers', () => this.#stream.sendTrailers(fields));
    if (lastChunk === undefined) this.#stream.end();
    else this.#stream.end(lastChunk);
  }

  abort(): void {
    this.#stream.destroy(new Error('aborted'));
  }

  refuse(answer: RefusalAnswer, done: (outcome: Outcome) => void): void {
    this.respondWhole(answer.status, answer.headers, undefined, undefined);
    done({ kind: 'refused', status: answer.status, grpcStatus: answer.grpcStatus });
  }

  upgrade(): undefined {
    return undefined;
  }
}
