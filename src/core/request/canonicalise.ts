import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import type { Limits, PathTolerance } from '../model/limits.ts';
import type { BodyFraming, CanonicalRequest, RawHead } from '../model/request.ts';
import { readAuthority } from './authority.ts';
import { isToken, shown } from './characters.ts';
import { applyConnectionOptions } from './connection-options.ts';
import { checkHeadSize, readHttp1Fields, readHttp2Fields } from './fields.ts';
import type { Fields } from './fields.ts';
import { http1Framing, http2Framing } from './framing.ts';
import { checkGrpcCall, grpcTimeoutMs, isGrpcContentType } from './grpc-call.ts';
import { readPseudoHeaders } from './pseudo-headers.ts';
import { asksForTls } from './plain-call.ts';
import { originForm, readTarget } from './target.ts';
import type { Target } from './target.ts';
import { beginTrace, continueTrace, traceparentOf } from './trace-context.ts';
import { checkWebSocketHandshake } from './websocket.ts';

/** What a head is read with: the listener's rules, and what we say to the agent about this request. */
export type RequestContext = {
  readonly limits: Limits;
  readonly tolerance: PathTolerance;
  /** `http` for the agent's own calls on loopback; default `https`. */
  readonly scheme?: 'https' | 'http';
  /** Value of `x-forwarded-client-cert`, made once a connection by `forwardedClientCert`; undefined for an anonymous peer. */
  readonly clientCertHeader: string | undefined;
  /** Sent to the agent as `x-request-id`. */
  readonly requestId: string;
  /** 16 lower-case hexadecimal digits, not all zero. */
  readonly newSpanId: () => string;
  /** 32 lower-case hexadecimal digits, not all zero. */
  readonly newTraceId: () => string;
};

/**
 * Gives the one reading of a request head, frozen, or the fault that says why there is none: what two readers could read differently is
 * refused, not repaired. Never throws. Besides the faults of the parts: `request_line_invalid` for a version other than HTTP/1.0 and
 * 1.1, `method_refused`, `target_too_long`, `headers_too_large`, `body_too_large` for a length announced over the limit, `expectation_failed`.
 * Of the agent's own calls also `call_not_plain`.
 */
export function canonicalise(head: RawHead, context: RequestContext): Result<CanonicalRequest, Fault> {
  const request = head.kind === 'http1' ? readHttp1(head, context) : readHttp2(head, context);
  if (!('code' in request)) return ok(request);
  return err(context.scheme === 'http' ? (asksForTls(head) ?? request) : request);
}

type Http1Head = Extract<RawHead, { kind: 'http1' }>;
type Http2Head = Extract<RawHead, { kind: 'http2' }>;

function readHttp1(head: Http1Head, context: RequestContext): CanonicalRequest | Fault {
  const { method, version } = head;
  if (version !== '1.1' && version !== '1.0') return fault('request_line_invalid', `HTTP version ${shown(version)}`);
  const early =
    checkMethod(method) ?? checkTargetSize(head.target, context) ?? checkHeadSize(head.headers, context.limits);
  if (early !== undefined) return early;
  const fields = readHttp1Fields(head.headers);
  if ('code' in fields) return fields;
  const options = applyConnectionOptions(fields);
  if ('code' in options) return options;
  if (fields.host === undefined) return fault('host_invalid', 'no host (RFC 9112 3.2)');
  const authority = readAuthority(fields.host);
  if (typeof authority !== 'string') return authority;
  const raw = originForm(head.target, method, schemeOf(context), authority);
  if (typeof raw !== 'string') return raw;
  const target = readTarget(raw, method, context.tolerance);
  if ('code' in target) return target;
  const body = http1Framing(fields, version);
  if (body.kind === 'fault') return body;
  const protocol = version === '1.1' ? 'HTTP/1.1' : 'HTTP/1.0';
  const asksForUpgrade = head.upgrade || (options.upgrade && fields.upgrade !== undefined);
  if (!asksForUpgrade || (context.scheme === 'http' && offersHttp2(fields))) {
    return finish({ protocol, style: 'http', method, authority, target, body }, fields, context);
  }
  const problem = options.upgrade ? checkWebSocketHandshake(method, version, fields, body) : upgradeNotNamed();
  if (problem !== undefined) return problem;
  fields.passed.push('upgrade', 'websocket');
  return finish({ protocol, style: 'websocket', method, authority, target, body }, fields, context);
}

function readHttp2(head: Http2Head, context: RequestContext): CanonicalRequest | Fault {
  const tooLarge = checkHeadSize(head.headers, context.limits);
  if (tooLarge !== undefined) return tooLarge;
  const pseudo = readPseudoHeaders(head.headers);
  if ('code' in pseudo) return pseudo;
  const { method } = pseudo;
  const early = checkMethod(method) ?? checkTargetSize(pseudo.path, context) ?? checkPseudoHeaders(pseudo, context);
  if (early !== undefined) return early;
  const fields = readHttp2Fields(head.headers, pseudo.end);
  if ('code' in fields) return fields;
  const authority = readAuthority(pseudo.authority);
  if (typeof authority !== 'string') return authority;
  if (fields.host !== undefined && fields.host.toLowerCase() !== authority) {
    return fault('host_invalid', 'host is not :authority (RFC 9113 8.3.1)');
  }
  const target = readTarget(pseudo.path, method, context.tolerance);
  if ('code' in target) return target;
  const body = http2Framing(fields, head.endStream);
  if (body.kind === 'fault') return body;
  const style = isGrpcContentType(fields.contentType) ? 'grpc' : 'http';
  const problem = style === 'grpc' ? checkGrpcCall(method, target, fields) : undefined;
  if (problem !== undefined) return problem;
  if (fields.te !== undefined) fields.passed.push('te', 'trailers');
  return finish({ protocol: 'HTTP/2', style, method, authority, target, body }, fields, context);
}

/** Methods that frameworks recognise in any case; in lower case they are a second spelling of the same call. */
const STANDARD_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'CONNECT',
  'TRACE',
]);

/** RFC 9110 section 9.1: any token, but CONNECT opens a tunnel past the gate and TRACE sends back what we add (RFC 9110 9.3.8). */
function checkMethod(method: string): Fault | undefined {
  if (method === 'CONNECT' || method === 'TRACE') return fault('method_refused', method);
  if (STANDARD_METHODS.has(method)) return undefined;
  if (!isToken(method)) return fault('method_refused', `${shown(method)} is no token`);
  if (STANDARD_METHODS.has(method.toUpperCase())) return fault('method_refused', `${shown(method)} in another case`);
  return undefined;
}

function checkTargetSize(target: string, context: RequestContext): Fault | undefined {
  const { targetBytes } = context.limits;
  return target.length > targetBytes
    ? fault('target_too_long', `${target.length} bytes, ${targetBytes} allowed`)
    : undefined;
}

function checkPseudoHeaders(
  pseudo: { readonly method: string; readonly scheme: string; readonly path: string },
  context: RequestContext,
): Fault | undefined {
  const scheme = schemeOf(context);
  if (pseudo.scheme !== scheme) return fault('pseudo_header_invalid', `:scheme is not ${scheme}`);
  // gRPC-Go CVE-2026-33186: a path without its slash misses the rules for paths.
  if (pseudo.path.startsWith('/') || (pseudo.path === '*' && pseudo.method === 'OPTIONS')) return undefined;
  return fault('pseudo_header_invalid', ':path does not start with a slash (RFC 9113 8.3.1)');
}

function schemeOf(context: RequestContext): 'https' | 'http' {
  return context.scheme ?? 'https';
}

/**
 * Clients that would rather speak HTTP/2 offer it with their first cleartext request (Java's does). The offer may be ignored (RFC 9110 section 7.8); neither it
 * nor its settings are passed on.
 */
function offersHttp2(fields: Fields): boolean {
  return fields.upgrade?.toLowerCase() === 'h2c';
}

function upgradeNotNamed(): Fault {
  return fault('upgrade_refused', 'connection does not name upgrade (RFC 9110 7.8)');
}

type Reading = Pick<CanonicalRequest, 'protocol' | 'style' | 'method' | 'authority' | 'body'> & {
  readonly target: Target;
};

/** What both protocols have in common once the parts are read: expectations, the body's limit, our own fields, the frozen value. */
function finish(reading: Reading, fields: Fields, context: RequestContext): CanonicalRequest | Fault {
  const { protocol, style, method, authority, target, body } = reading;
  if (fields.expect !== undefined && fields.expect.toLowerCase() !== '100-continue') {
    return fault('expectation_failed', 'an expectation other than 100-continue');
  }
  const { bodyBytes } = context.limits;
  if (body.kind === 'length' && bodyBytes > 0 && body.bytes > bodyBytes) {
    return fault('body_too_large', `${body.bytes} bytes announced, ${bodyBytes} allowed`);
  }
  const trace = continueOrBegin(fields, context);
  appendOurs(fields, context, traceparentOf(trace), trace.parentSpanId === undefined ? undefined : fields.tracestate);
  return Object.freeze({
    protocol,
    style,
    method,
    scheme: schemeOf(context),
    authority,
    target: target.target,
    path: target.path,
    query: target.query,
    headers: Object.freeze(fields.passed),
    body,
    expectContinue: awaitsContinue(fields, body, protocol),
    grpcTimeoutMs: style === 'grpc' && fields.grpcTimeout !== undefined ? grpcTimeoutMs(fields.grpcTimeout) : undefined,
    trace,
  });
}

/** RFC 9110 section 10.1.1: ignored in HTTP/1.0 and where no body follows. */
function awaitsContinue(fields: Fields, body: BodyFraming, protocol: CanonicalRequest['protocol']): boolean {
  return fields.expect !== undefined && protocol !== 'HTTP/1.0' && body.kind !== 'none';
}

function continueOrBegin(fields: Fields, context: RequestContext): CanonicalRequest['trace'] {
  const continued = fields.traceparent === undefined ? undefined : continueTrace(fields.traceparent, context.newSpanId);
  return continued ?? beginTrace(context.newTraceId, context.newSpanId);
}

/** Our fields come last, after everything a peer could name away. `tracestate` says nothing without the trace it belongs to. */
function appendOurs(
  fields: Fields,
  context: RequestContext,
  traceparent: string,
  tracestate: string | undefined,
): void {
  const { passed } = fields;
  if (context.clientCertHeader !== undefined) passed.push('x-forwarded-client-cert', context.clientCertHeader);
  passed.push('x-request-id', context.requestId, 'traceparent', traceparent);
  if (tracestate !== undefined) passed.push('tracestate', tracestate);
}
