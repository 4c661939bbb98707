import type { HeaderList } from '../../core/kernel/headers.ts';
import type { ProvenServer } from '../../core/model/destination.ts';
import type { Fault } from '../../core/model/faults.ts';
import type { UpstreamCall } from './downstream.ts';

/**
 * How far an attempt had got when it failed. `unconnected`: there was no connection for it; `unsent`: its connection was gone before a byte of the
 * request was written; `refused`: the other side said that it did not process it; `sent`: it may have been processed; `answered`: the head of the
 * final answer had come.
 */
export type Progress = 'unconnected' | 'unsent' | 'refused' | 'sent' | 'answered';

/** Who hears what comes of a request: `Answer` itself, or what stands before it and may send the request again. */
export interface AnswerSink {
  /** Ties it to the call that will bring the answer. */
  begin(call: UpstreamCall): void;
  /** The request is about to be written to a connection; `server` is who proved to be at its other end, where that was asked. */
  connected?(server: ProvenServer | undefined): void;
  /** A part of the request's body was passed on. */
  progressed(): void;
  /** The request's body ended without its end. */
  requestBroken(): void;
  interim(status: number, rawHeaders: HeaderList): void;
  head(status: number, rawHeaders: HeaderList): void;
  data(chunk: Uint8Array): void;
  end(rawTrailers: HeaderList): void;
  fail(reason: Fault, progress: Progress): void;
}
