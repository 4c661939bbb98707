import { constants } from 'node:http2';

import { fault, type Fault, type FaultCode } from '../../core/model/faults.ts';

const {
  NGHTTP2_CANCEL: CANCEL,
  NGHTTP2_ENHANCE_YOUR_CALM: ENHANCE_YOUR_CALM,
  NGHTTP2_INTERNAL_ERROR: INTERNAL_ERROR,
} = constants;

/** nghttp2's own codes for what it takes for a flood (nghttp2.h): flooded, too many CONTINUATION frames, and refused streams beyond a bound. */
const FLOOD_ERRNOS: ReadonlySet<unknown> = new Set([-904, -905, -902]);

/** The error code that tells a peer of a stream's end (RFC 9113 section 7) without telling why. */
export function resetCode(reason: Fault): number {
  const codes: Partial<Record<FaultCode, number>> = {
    flood: ENHANCE_YOUR_CALM,
    upstream_aborted: INTERNAL_ERROR,
    upstream_protocol_error: INTERNAL_ERROR,
    internal_error: INTERNAL_ERROR,
  };
  return codes[reason.code] ?? CANCEL;
}

/**
 * What an error of the session means; undefined for one that is not nghttp2's (the connection broke). `isExcessive`: there were more control frames than any use has; nghttp2 reports floods that it found by rate
 * (PRIORITY, unknown frames) as protocol errors.
 */
export function faultOfSession(error: Error, isExcessive: boolean): Fault | undefined {
  const code = 'code' in error ? error.code : undefined;
  const errno = 'errno' in error ? error.errno : undefined;
  if (code !== 'ERR_HTTP2_ERROR' && code !== 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES') return undefined;
  const isFlood = FLOOD_ERRNOS.has(errno) || isExcessive;
  return fault(isFlood ? 'flood' : 'request_malformed', error.message);
}
