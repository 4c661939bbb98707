import type { DecisionId } from '../kernel/brand.ts';
import type { HeaderList } from '../kernel/headers.ts';
import type { DenialAnswer } from '../model/decision.ts';
import { FAULTS, type Fault, type FaultCode } from '../model/faults.ts';
import type { CanonicalRequest } from '../model/request.ts';
import type { RefusalAnswer } from './exchange.ts';

/** Titles by status (RFC 9457 section 4.2.1: with `about:blank` the title is the status phrase). They say that it was refused, never why. */
const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** HTTP status to gRPC status for a status that a policy chose (gRPC, "HTTP to gRPC Status Code Mapping"). */
const GRPC_OF_HTTP: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};
const GRPC_UNKNOWN = 2;

/**
 * The answer to a refused request: status from the fault table, or what the policy's own denial says (OPA-Envoy `http_status`, `headers`, `body`).
 * The fault's code and detail never appear in it.
 */
export function refusalAnswer(
  fault: Fault,
  style: CanonicalRequest['style'],
  decisionId: DecisionId,
  denial?: DenialAnswer,
): RefusalAnswer {
  return style === 'grpc' ? grpcAnswer(fault, decisionId, denial) : httpAnswer(fault, decisionId, denial);
}

function httpAnswer(fault: Fault, decisionId: DecisionId, denial: DenialAnswer | undefined): RefusalAnswer {
  const row = FAULTS[fault.code];
  const status = denial?.status ?? row.http;
  const own = denial?.headers ?? [];
  const typed = own.includes('content-type');
  const body = denial?.body ?? (typed || status === 0 ? '' : problem(status, decisionId));
  const contentType = denial?.body === undefined ? 'application/problem+json' : 'text/plain';
  const headers: HeaderList = [
    ...own,
    ...(typed ? [] : ['content-type', contentType]),
    'content-length',
    String(Buffer.byteLength(body)),
    ...(REQUIRED[fault.code] ?? []),
  ];
  return { status, grpcStatus: undefined, headers, body, close: row.close };
}

/** Fields that the status must have (RFC 9110 sections 15.5.6 and 15.5.8). */
const REQUIRED: Partial<Record<FaultCode, HeaderList>> = {
  method_refused: ['allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
  caller_refused: ['proxy-authenticate', 'Basic realm="sallyport"'],
};

/** RFC 9457 problem details: these four members and no other. */
function problem(status: number, decisionId: DecisionId): string {
  const title = TITLES[status] ?? 'Refused';
  return `{"type":"about:blank","title":"${title}","status":${status},"decision_id":"${decisionId}"}`;
}

/** A trailers-only answer (gRPC over HTTP/2, "Responses"): HTTP 200 with grpc-status in the one HEADERS frame. */
function grpcAnswer(fault: Fault, decisionId: DecisionId, denial: DenialAnswer | undefined): RefusalAnswer {
  const row = FAULTS[fault.code];
  const grpcStatus = denial === undefined ? row.grpc : (GRPC_OF_HTTP[denial.status] ?? GRPC_UNKNOWN);
  const title = TITLES[denial?.status ?? row.http] ?? 'Refused';
  const message = denial?.body ?? `${title}; decision_id=${decisionId}`;
  const own = withoutReserved(denial?.headers ?? []);
  return {
    status: 200,
    grpcStatus,
    headers: [
      'content-type',
      'application/grpc',
      'grpc-status',
      String(grpcStatus),
      'grpc-message',
      percentEncode(message),
      ...own,
    ],
    body: '',
    close: false,
  };
}

const GRPC_RESERVED: ReadonlySet<string> = new Set(['content-type', 'content-length', 'grpc-status', 'grpc-message']);

function withoutReserved(headers: HeaderList): HeaderList {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!GRPC_RESERVED.has(name)) kept.push(name, headers[i + 1] as string);
  }
  return kept;
}

/** `grpc-message` (gRPC over HTTP/2): UTF-8 bytes outside %x20-%x24 and %x26-%x7E are percent-encoded. */
function percentEncode(message: string): string {
  let text = '';
  for (const byte of new TextEncoder().encode(message)) {
    text +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}
