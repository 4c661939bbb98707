import type { HeaderList } from '../kernel/headers.ts';
import { fault, type Fault } from '../model/faults.ts';
import type { RawHead } from '../model/request.ts';
import { trimOws } from './fields.ts';

/**
 * Whether a call on an outbound listener shows the token that only the agent was given: in `Proxy-Authorization` (RFC 9110 section 11.7.2), as `Bearer` or as password
 * of `Basic`, which HTTP clients send by themselves where `HTTP_PROXY` is `http://agent:TOKEN@host:port`. The field ends here and is in no record.
 * Takes as long for any token of the same length. Fault: `caller_refused`.
 */
export function checkCallerToken(head: RawHead, token: string): Fault | undefined {
  const shown = proxyAuthorizations(head.headers);
  const [value, ...more] = shown;
  if (value === undefined) return refused('no proxy-authorization');
  if (more.length > 0) return refused('more than one proxy-authorization');
  const space = value.indexOf(' ');
  const credentials = trimOws(value.slice(space + 1));
  const scheme = space < 0 ? '' : value.slice(0, space).toLowerCase();
  const said = scheme === 'bearer' ? credentials : scheme === 'basic' ? passwordOf(credentials) : undefined;
  return said !== undefined && isSame(said, token) ? undefined : refused('the token is another one');
}

function proxyAuthorizations(headers: HeaderList): readonly string[] {
  const found: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === 19 && name.toLowerCase() === 'proxy-authorization')
      found.push(trimOws(headers[i + 1] as string));
  }
  return found;
}

/** RFC 7617 section 2: what stands behind the first colon. */
function passwordOf(credentials: string): string | undefined {
  const text = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : text.slice(colon + 1);
}

function isSame(said: string, token: string): boolean {
  if (said.length !== token.length) return false;
  let difference = 0;
  for (let i = 0; i < token.length; i++) difference |= said.charCodeAt(i) ^ token.charCodeAt(i);
  return difference === 0;
}

function refused(detail: string): Fault {
  return fault('caller_refused', detail);
}
