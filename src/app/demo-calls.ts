import { randomBytes } from 'node:crypto';

/** What a client saw of one call, and the trace that it called under: the decision record carries the same one. */
export type Seen = {
  /** HTTP status, `grpc N`, or `closed` where the connection ended without an answer. */
  readonly status: string;
  readonly traceId: string;
};

/** A connection that ended before an answer: what a peer sees that was refused by its certificate. */
export const CLOSED = 'closed';

/** Bound on each call, milliseconds. */
export const CALL_MS = 10_000;

/** A new trace (W3C Trace Context 3.2), sampled. */
export function newTrace(): { readonly traceId: string; readonly traceparent: string } {
  const traceId = randomBytes(16).toString('hex');
  return { traceId, traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` };
}

const CLOSED_CODES: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** The status of an HTTP call that failed: `closed`, or what went wrong in its own words. */
export function failureStatus(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && CLOSED_CODES.has(cause.code)) return CLOSED;
    if (cause.cause === undefined) return cause.message;
  }
  return String(error);
}
