import { firstHeader, type HeaderList } from '../kernel/headers.ts';
import { fault, type Fault } from '../model/faults.ts';
import type { RawHead } from '../model/request.ts';

/**
 * Whether a head that could not be read on a cleartext listener asks for TLS: CONNECT (which HTTP clients send to a proxy for https:// URLs), or
 * an https URI. The mutual TLS is ours to make, so the agent calls http://. Fault: `call_not_plain`; undefined for any other head.
 */
export function asksForTls(head: RawHead): Fault | undefined {
  const [method, scheme] =
    head.kind === 'http1'
      ? [head.method, /^https:\/\//i.test(head.target) ? 'https' : 'http']
      : [firstHeader(head.headers, ':method'), firstHeader(head.headers, ':scheme')];
  if (method === 'CONNECT') return fault('call_not_plain', 'CONNECT: call http://, the sidecar makes the mutual TLS');
  if (scheme !== 'https') return undefined;
  return fault('call_not_plain', 'an https target: call http://, the sidecar makes the mutual TLS');
}

/**
 * Whether a web page in a browser sent this, by the fields that a page cannot keep out: `Origin` (RFC 6454 section 7) and `Sec-Fetch-Site` (W3C
 * Fetch Metadata). The agent's own code has neither; a page that got a browser on this host to call the listener would act in the agent's name.
 * `headers`: of a canonical request. Fault: `browser_refused`.
 */
export function fromBrowser(headers: HeaderList): Fault | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name === 'origin' || name === 'sec-fetch-site') return fault('browser_refused', `the call has ${name}`);
  }
  return undefined;
}
