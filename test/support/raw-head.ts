import assert from 'node:assert/strict';

import type { FaultCode } from '../../src/core/model/faults.ts';
import { DEFAULT_LIMITS, STRICT_PATHS } from '../../src/core/model/limits.ts';
import type { CanonicalRequest, RawHead } from '../../src/core/model/request.ts';
import { canonicalise } from '../../src/core/request/canonicalise.ts';
import type { RequestContext } from '../../src/core/request/canonicalise.ts';

type Http1 = Extract<RawHead, { kind: 'http1' }>;
type Http2 = Extract<RawHead, { kind: 'http2' }>;

export const XFCC = 'Hash=00;Subject="";URI=spiffe://example.org/peer';
export const REQUEST_ID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';
export const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
export const SPAN_ID = 'b7ad6b7169203331';

/** What our own fields look like at the end of a canonical request whose peer sent no trace. */
export const OUR_FIELDS: readonly string[] = [
  'x-forwarded-client-cert',
  XFCC,
  'x-request-id',
  REQUEST_ID,
  'traceparent',
  `00-${TRACE_ID}-${SPAN_ID}-01`,
];

/** A listener with defaults and identifiers that are the same each time. */
export function context(changes: Partial<RequestContext> = {}): RequestContext {
  return {
    limits: DEFAULT_LIMITS,
    tolerance: STRICT_PATHS,
    clientCertHeader: XFCC,
    requestId: REQUEST_ID,
    newSpanId: () => SPAN_ID,
    newTraceId: () => TRACE_ID,
    ...changes,
  };
}

/** `GET / HTTP/1.1` with a Host, changed as told; `more` are further fields. */
export function http1(changes: Partial<Http1> = {}, ...more: string[]): Http1 {
  return {
    kind: 'http1',
    version: '1.1',
    method: 'GET',
    target: '/',
    headers: ['Host', 'agent.example.org', ...more],
    upgrade: false,
    ...changes,
  };
}

/** The four pseudo-headers of `GET https://agent.example.org/`, changed as told (undefined leaves one out); `more` are further fields. */
export function http2(
  pseudo: Readonly<Record<string, string | undefined>> = {},
  more: readonly string[] = [],
  endStream = true,
): Http2 {
  const all = { ':method': 'GET', ':scheme': 'https', ':authority': 'agent.example.org', ':path': '/', ...pseudo };
  const headers = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  return { kind: 'http2', headers: [...headers, ...more], endStream };
}

/** A sound gRPC call. */
export function grpc(pseudo: Readonly<Record<string, string | undefined>> = {}, ...more: string[]): Http2 {
  const fields = ['content-type', 'application/grpc', 'te', 'trailers', ...more];
  return http2({ ':method': 'POST', ':path': '/demo.Echo/Say', ...pseudo }, fields, false);
}

/** The canonical request; a fault fails the test. */
export function accepted(head: RawHead, changes: Partial<RequestContext> = {}): CanonicalRequest {
  const result = canonicalise(head, context(changes));
  assert.ok(result.ok, `refused: ${result.ok ? '' : `${result.error.code}: ${result.error.detail}`}`);
  return result.value;
}

/** The code it is refused with; an accepted request fails the test. */
export function refusal(head: RawHead, changes: Partial<RequestContext> = {}): FaultCode {
  const result = canonicalise(head, context(changes));
  assert.ok(!result.ok, 'accepted');
  assert.equal(result.error.kind, 'fault');
  assert.notEqual(result.error.detail, '');
  return result.error.code;
}

/** What the peer's own fields became: the canonical list without ours at its end. */
export function peerFields(request: CanonicalRequest): readonly string[] {
  const ours = request.headers.indexOf('x-forwarded-client-cert');
  return request.headers.slice(0, ours);
}
