import type { ClientHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';

import type { Shared } from './answer.ts';
import type { Flushable } from './flush-queue.ts';
import { BodySource, type BodySink, type BodyWatcher } from './request-body.ts';

/**
 * Moves a request's body into a stream to the agent: each message as soon as the loop turn that brought it is over, the last one together with
 * END_STREAM, no faster than the agent takes it. Keeps the first bytes at hand, so that a stream that was refused can be opened again.
 */
export class RequestPump implements Flushable, BodySink {
  readonly #source: BodySource;
  readonly #watcher: BodyWatcher;
  readonly #shared: Shared;
  #stream: ClientHttp2Stream | undefined;
  #held: Uint8Array | undefined;
  #flushDue = false;
  #ended = false;
  /** What was written so far; undefined once it is more than may be kept. */
  #written: Uint8Array[] | undefined = [];
  #writtenBytes = 0;

  constructor(source: Readable, shared: Shared, watcher: BodyWatcher) {
    this.#shared = shared;
    this.#watcher = watcher;
    this.#source = new BodySource(source, this);
  }

  /** True while all that was read of the body could be sent again. */
  get replayable(): boolean {
    return this.#written !== undefined;
  }

  /** Starts to fill `stream`; what was written to an earlier one comes first. */
  attach(stream: ClientHttp2Stream): void {
    this.#stream = stream;
    for (const chunk of this.#written ?? []) stream.write(chunk);
    if (this.#ended) this.#finish(stream);
    else {
      if (this.#held !== undefined) this.#flushSoon();
      this.#source.resume();
    }
  }

  /** The stream has room again. */
  drained(): void {
    if (this.#stream !== undefined) this.#source.resume();
  }

  /** Lets the stream go and waits for another. */
  detach(): void {
    this.#stream = undefined;
    this.#source.pause();
  }

  /** Stops for good. */
  release(): void {
    this.#stream = undefined;
    this.#held = undefined;
    this.#written = undefined;
    this.#source.release();
  }

  flush(): void {
    this.#flushDue = false;
    const chunk = this.#held;
    if (chunk === undefined || this.#stream === undefined) return;
    this.#held = undefined;
    this.#write(chunk, this.#stream);
  }

  bodyData(chunk: Uint8Array): void {
    this.#watcher.progressed();
    if (this.#held !== undefined && this.#stream !== undefined) this.#write(this.#held, this.#stream);
    this.#held = chunk;
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#shared.flushes.add(this);
  }

  #write(chunk: Uint8Array, stream: ClientHttp2Stream): void {
    this.#keep(chunk);
    // A stream that was reset ends its writable side by itself; its `close` is about to tell.
    if (stream.writable && !stream.write(chunk)) this.#source.pause();
  }

  #keep(chunk: Uint8Array): void {
    this.#writtenBytes += chunk.length;
    if (this.#writtenBytes > this.#shared.limits.bufferBytes) this.#written = undefined;
    this.#written?.push(chunk);
  }

  bodyEnded(): void {
    this.#ended = true;
    if (this.#stream !== undefined) this.#finish(this.#stream);
  }

  bodyBroken(): void {
    this.#watcher.requestBroken();
  }

  #finish(stream: ClientHttp2Stream): void {
    const last = this.#held;
    this.#held = undefined;
    if (last !== undefined) this.#keep(last);
    if (stream.writable) stream.end(last);
  }
}
