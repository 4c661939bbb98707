import { constants } from 'node:http2';

import { fault, type Fault, type FaultCode } from '../../core/model/faults.ts';

/** What an error of the upstream side means. Everything not listed here ended an exchange that had begun: `upstream_aborted`. */
const CODES: ReadonlyMap<string, FaultCode> = new Map<string, FaultCode>(
  Object.entries({
    ECONNREFUSED: 'upstream_unreachable',
    ENOENT: 'upstream_unreachable',
    EACCES: 'upstream_unreachable',
    EPERM: 'upstream_unreachable',
    ENOTSOCK: 'upstream_unreachable',
    EHOSTUNREACH: 'upstream_unreachable',
    EHOSTDOWN: 'upstream_unreachable',
    ENETUNREACH: 'upstream_unreachable',
    EADDRNOTAVAIL: 'upstream_unreachable',
    ENOTFOUND: 'upstream_unreachable',
    EAI_AGAIN: 'upstream_unreachable',
    EMFILE: 'overloaded',
    ENFILE: 'overloaded',
    ETIMEDOUT: 'upstream_timeout',
    UND_ERR_CONNECT_TIMEOUT: 'upstream_timeout',
    UND_ERR_HEADERS_OVERFLOW: 'upstream_protocol_error',
    ERR_HTTP2_ERROR: 'upstream_protocol_error',
    UND_ERR_DESTROYED: 'draining',
    UND_ERR_CLOSED: 'draining',
    UND_ERR_INVALID_ARG: 'internal_error',
    UND_ERR_NOT_SUPPORTED: 'internal_error',
    UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'internal_error',
  } satisfies Record<string, FaultCode>),
);

/** The error of a connection that we ended ourselves, or never made: it knows its fault. */
export class ConnectionFault extends Error {
  readonly fault: Fault;

  constructor(reason: Fault) {
    super(reason.detail);
    this.name = 'ConnectionFault';
    this.fault = reason;
  }
}

/** The fault of an upstream connection's error. `detail` holds the error's own text, which never has request content in it. */
export function faultOfError(error: unknown): Fault {
  return faultOf(error, 'upstream_aborted');
}

/**
 * The fault of an error that undici reports, by code, name and (where one code means two things) text. `answered`: the head of the final answer
 * was there, so that a body of another length than announced is one that ended early, not a head with contradictory lengths.
 */
export function faultOfHttp1Error(error: Error, answered: boolean): Fault {
  const { code, message } = describe(error);
  const malformed =
    (error.name === 'HTTPParserError' && !message.includes('EOF')) ||
    MISPLACED_ANSWERS.has(message) ||
    (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && !answered);
  return faultOf(error, malformed ? 'upstream_protocol_error' : 'upstream_aborted');
}

/** undici reports answers that were not asked for under the code of a lost connection. */
const MISPLACED_ANSWERS: ReadonlySet<string> = new Set(['bad response', 'bad upgrade']);

function faultOf(error: unknown, unlisted: FaultCode): Fault {
  if (error instanceof ConnectionFault) return error.fault;
  const { code, message } = describe(error);
  if (TLS_ALERT.test(code)) return fault('destination_refused_identity', code);
  const parsing = code.startsWith('HPE_') && code !== ENDED_EARLY;
  const kind = CODES.get(code) ?? (parsing ? 'upstream_protocol_error' : unlisted);
  return fault(kind, code === '' ? message : `${code}: ${message}`);
}

/** Codes of errors that say that the other side sent a TLS alert (RFC 8446 6.2). In TLS 1.3 a client hears of a refused certificate after its handshake. */
const TLS_ALERT = /^ERR_SSL_\w*_ALERT_/;

/** Code of node:http's parser for a connection that ended inside a message. */
const ENDED_EARLY = 'HPE_INVALID_EOF_STATE';

function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: 'unknown error' };
  const code = (error as NodeJS.ErrnoException).code;
  return { code: typeof code === 'string' ? code : '', message: error.message };
}

/** Reset codes by which an upstream says that the two sides do not understand each other (RFC 9113 section 7). */
const MISUNDERSTOOD: ReadonlySet<number> = new Set([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
  constants.NGHTTP2_FRAME_SIZE_ERROR,
  constants.NGHTTP2_COMPRESSION_ERROR,
  constants.NGHTTP2_HTTP_1_1_REQUIRED,
]);

/** The fault of a stream that was reset, or lost with its connection. */
export function faultOfReset(code: number): Fault {
  const kind = MISUNDERSTOOD.has(code) ? 'upstream_protocol_error' : 'upstream_aborted';
  return fault(kind, `the stream ended early, HTTP/2 code ${code}`);
}
