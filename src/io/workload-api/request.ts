import { FrameReader } from './framing.ts';
import { GRPC } from './grpc-status.ts';
import { isOfService, METHOD, SECURITY_HEADER } from './method.ts';

import type { Timer } from '../../core/kernel/clock.ts';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { GrpcStatus } from './grpc-status.ts';

/** What a head asks for: one of our two streams, a status, or an HTTP status where it is no gRPC call. */
export type Asked =
  | { readonly kind: 'x509-svid' | 'x509-bundles' }
  | { readonly kind: 'refused'; readonly status: GrpcStatus }
  | { readonly kind: 'not-grpc'; readonly http: number };

/** The largest request message in bytes; those of this API are empty. */
const MAX_REQUEST_BYTES = 4_096;

/** How long a caller may take to send its request, milliseconds. */
const REQUEST_MS = 10_000;

/** Reads the head of a call. The security header comes before all else (SPIFFE_Workload_Endpoint 6: `InvalidArgument` without). */
export function askedBy(headers: IncomingHttpHeaders): Asked {
  if (headers[':method'] !== 'POST') return { kind: 'not-grpc', http: 405 };
  if (!/^application\/grpc(?:\+proto)?(?:;|$)/i.test(headers['content-type'] ?? ''))
    return { kind: 'not-grpc', http: 415 };
  const path = headers[':path'] ?? '';
  if (isOfService(path) && headers[SECURITY_HEADER] !== 'true')
    return refused(GRPC.invalidArgument, `metadata ${SECURITY_HEADER}: true is missing`);
  if (path === METHOD.x509Svid) return { kind: 'x509-svid' };
  if (path === METHOD.x509Bundles) return { kind: 'x509-bundles' };
  return refused(GRPC.unimplemented, 'this server has X509-SVIDs and X.509 bundles only');
}

/**
 * Takes the one message that a request has, and calls `done` once with what is wrong with it, or undefined. Unknown fields of the message are nobody's
 * business here; its size, its compression and its time are.
 */
export function takeRequest(
  stream: ServerHttp2Stream,
  timer: Timer,
  done: (wrong: GrpcStatus | undefined) => void,
): void {
  const reader = new FrameReader(MAX_REQUEST_BYTES);
  let count = 0;
  let isOver = false;
  const finish = (wrong?: GrpcStatus): void => {
    if (isOver) return;
    isOver = true;
    cancel();
    stream.resume();
    done(wrong);
  };
  const cancel = timer(REQUEST_MS, () =>
    finish({ code: GRPC.invalidArgument, message: `no whole request within ${REQUEST_MS / 1_000} s` }),
  );
  stream.on('data', (chunk: Buffer) => {
    if (isOver) return;
    const messages = reader.push(chunk);
    if (!messages.ok) finish({ code: FAULT_CODES[messages.error.kind], message: messages.error.detail });
    else count += messages.value.length;
  });
  stream.once('end', () => {
    const isWhole = count === 1 && !reader.isWithin;
    finish(isWhole ? undefined : { code: GRPC.invalidArgument, message: 'a request has exactly one message' });
  });
  stream.once('close', cancel);
}

/** gRPC, "Compression": an unknown encoding is unimplemented; "Status codes": a message over the limit is an exhausted resource. */
const FAULT_CODES = { compressed: GRPC.unimplemented, 'too-large': GRPC.resourceExhausted } as const;

function refused(code: number, message: string): Asked {
  return { kind: 'refused', status: { code, message } };
}
