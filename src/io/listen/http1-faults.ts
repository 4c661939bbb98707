import { STATUS_CODES } from 'node:http';

import type { RefusalAnswer } from '../../core/gate/exchange.ts';
import { fault, type Fault } from '../../core/model/faults.ts';

/**
 * What an error of Node's HTTP/1 server says about the request; undefined where it says nothing about one (the connection broke).
 * `reason` and `code` come from fixed tables of llhttp and hold none of the peer's bytes.
 */
export function faultOfParser(error: Error): Fault | undefined {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return fault('request_timeout', 'the request did not arrive in time');
  if (code === 'HPE_HEADER_OVERFLOW') return fault('headers_too_large', code);
  if (!code.startsWith('HPE_')) return undefined;
  const reason = 'reason' in error && typeof error.reason === 'string' ? `: ${error.reason}` : '';
  return fault('request_malformed', `${code}${reason}`);
}

/** True when the peer closed in the middle of a message. */
export function isEndOfInput(error: Error): boolean {
  return 'code' in error && error.code === 'HPE_INVALID_EOF_STATE';
}

/** A refusal for a request that has no response object; the connection ends with it. */
export function plainAnswer(answer: RefusalAnswer, nowMs: number): string {
  const { status, headers, body } = answer;
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`];
  for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  lines.push(`date: ${new Date(nowMs).toUTCString()}`, 'connection: close', '', body);
  return lines.join('\r\n');
}
