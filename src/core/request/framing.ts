import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import type { BodyFraming } from '../model/request.ts';
import { isDigits } from './characters.ts';
import type { Fields } from './fields.ts';

/** No body at all. */
export const NO_BODY: BodyFraming = Object.freeze({ kind: 'none' });
const STREAM: BodyFraming = Object.freeze({ kind: 'stream' });

/**
 * How an HTTP/1.1 body is delimited (RFC 9112 section 6). One `Transfer-Encoding: chunked` in HTTP/1.1, or one `Content-Length`, or neither;
 * both together, and every other form, is refused although the RFC allows some repairs: each of them is a smuggling vector where one
 * hop repairs and the next does not. A body with GET or DELETE is framed as clearly as any other and passes. Fault: `framing_ambiguous`.
 */
export function http1Framing(fields: Fields, version: string): BodyFraming | Fault {
  const coding = fields.transferEncoding;
  if (coding === undefined) return fields.contentLength === undefined ? NO_BODY : announced(fields.contentLength);
  if (fields.contentLength !== undefined)
    return ambiguous('content-length and transfer-encoding together (RFC 9112 6.1)');
  if (version !== '1.1') return ambiguous('transfer-encoding in HTTP/1.0 (RFC 9112 6.1)');
  return coding.toLowerCase() === 'chunked' ? STREAM : ambiguous('transfer-encoding other than one chunked');
}

/** How an HTTP/2 body is delimited: by END_STREAM, which a content-length must not contradict (RFC 9113 section 8.1.1). Fault: `framing_ambiguous`. */
export function http2Framing(fields: Fields, endStream: boolean): BodyFraming | Fault {
  if (fields.contentLength === undefined) return endStream ? NO_BODY : STREAM;
  const framing = announced(fields.contentLength);
  if (!endStream || framing.kind === 'fault') return framing;
  return fields.contentLength === '0' ? NO_BODY : ambiguous('a content-length with no body (RFC 9113 8.1.1)');
}

/** RFC 9110 section 8.6, without the zero-padding that some readers take for octal and others refuse. */
function announced(contentLength: string): BodyFraming | Fault {
  const bytes = Number(contentLength);
  const plain = isDigits(contentLength) && (contentLength === '0' || !contentLength.startsWith('0'));
  if (!plain || !Number.isSafeInteger(bytes)) return ambiguous('content-length is not a plain number (RFC 9110 8.6)');
  return Object.freeze({ kind: 'length', bytes });
}

function ambiguous(detail: string): Fault {
  return fault('framing_ambiguous', detail);
}
