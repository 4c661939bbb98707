import type { HeaderList } from '../kernel/headers.ts';
import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import { isDigits, isToken, shown } from './characters.ts';
import { FIELDS } from './field-table.ts';
import { trimOws } from './fields.ts';

/**
 * What of an agent's answer is passed to the peer: all fields in their order, without those about the connection (RFC 9110 section 7.6.1)
 * and those its `Connection` names, without what we told the agent about the peer (RFC 9440 section 2.4: never in responses) and without our own
 * `x-sallyport-…`. `:status` is left out. With `http2`, names are in lower case (RFC 9113 section 8.2.1); otherwise as the agent wrote them.
 *
 * Refused, because writing them on would throw, or split the answer for one of two readers: names that are no tokens, values with CR, LF, NUL or
 * another control character, and content-lengths that are no number or disagree. Fault: `upstream_protocol_error`.
 */
export function answerHeaders(rawHeaders: HeaderList, http2: boolean): Result<HeaderList, Fault> {
  return filtered(rawHeaders, http2, DROPPED);
}

/** What of an agent's trailers is passed on: as `answerHeaders`, and without the fields that frame or route (RFC 9110 section 6.5.1). */
export function answerTrailers(rawTrailers: HeaderList, http2: boolean): Result<HeaderList, Fault> {
  return filtered(rawTrailers, http2, DROPPED_FROM_TRAILERS);
}

const DROPPED: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'x-forwarded-client-cert',
  'client-cert',
  'client-cert-chain',
]);

const DROPPED_FROM_TRAILERS: ReadonlySet<string> = new Set([
  ...DROPPED,
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
  'host',
  'set-cookie',
  'trailer',
]);

function filtered(raw: HeaderList, http2: boolean, dropped: ReadonlySet<string>): Result<HeaderList, Fault> {
  const kept: string[] = [];
  let named: ReadonlySet<string> | undefined;
  let contentLength: string | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const rawName = raw[i] as string;
    const value = raw[i + 1] as string;
    if (rawName === ':status') continue;
    if (FORBIDDEN.test(value)) return refused(`the value of ${shown(rawName)} has control characters (RFC 9110 5.5)`);
    const name = FIELDS.get(rawName)?.name ?? lowerToken(rawName);
    if (name === undefined) return refused(`${shown(rawName)} is no token (RFC 9110 5.1)`);
    if (name === 'connection') named = union(named, namedBy(value));
    if (dropped.has(name) || name.startsWith('x-sallyport-')) continue;
    if (name === 'content-length') {
      if (!isDigits(value) || (contentLength ?? value) !== value)
        return refused('content-length is no number, or two numbers');
      if (contentLength !== undefined) continue;
      contentLength = value;
    }
    kept.push(http2 ? name : rawName, value);
  }
  return ok(named === undefined ? kept : without(kept, named));
}

/** A control character other than tab. Bytes above ASCII are allowed in answers (RFC 9110 section 5.5, obs-text). */
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/;

function lowerToken(name: string): string | undefined {
  return isToken(name) ? name.toLowerCase() : undefined;
}

/** Fields that an agent's `Connection` names, but for end-to-end ones that we know: those it cannot take back, and needs not. */
function namedBy(value: string): ReadonlySet<string> | undefined {
  if (value === 'keep-alive' || value === 'close') return undefined;
  const options = value.split(',').map((option) => trimOws(option).toLowerCase());
  return new Set(options.filter((option) => FIELDS.get(option)?.hopByHop ?? true));
}

function union(
  some: ReadonlySet<string> | undefined,
  more: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  if (some === undefined || more === undefined) return some ?? more;
  return new Set([...some, ...more]);
}

function without(list: readonly string[], named: ReadonlySet<string>): HeaderList {
  const kept: string[] = [];
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i] as string;
    if (!named.has(name.toLowerCase())) kept.push(name, list[i + 1] as string);
  }
  return kept;
}

function refused(detail: string): Result<never, Fault> {
  return err(fault('upstream_protocol_error', detail));
}
