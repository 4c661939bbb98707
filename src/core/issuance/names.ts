import { err, ok } from '../kernel/result.ts';

import type { Result } from '../kernel/result.ts';
import type { AlternativeName } from './extensions.ts';

/** The ID as the one URI, then DNS names and addresses. DNS names are judged with the certificate; an address that is none is an error here. */
export function alternativeNames(
  id: string,
  dnsNames: readonly string[] = [],
  ipAddresses: readonly string[] = [],
): Result<readonly AlternativeName[], string> {
  const addresses: AlternativeName[] = [];
  for (const text of ipAddresses) {
    const value = ipAddress(text);
    if (value === undefined) return err(`${JSON.stringify(text)} is no IP address`);
    addresses.push({ type: 'ip', value });
  }
  return ok([{ type: 'url', value: id }, ...dnsNames.map((value) => ({ type: 'dns' as const, value })), ...addresses]);
}

/** Four plain decimal numbers, or the canonical text (RFC 5952) of what RFC 4291 2.2 allows, without a zone; undefined for anything else. */
function ipAddress(text: string): string | undefined {
  if (text.includes(':')) {
    // The library writes `::ffff:1.2.3.4` wrongly; the canonical text has no dots.
    const url = /^[0-9A-Fa-f:.]+$/.test(text) ? URL.parse(`http://[${text}]/`) : null;
    return url === null ? undefined : url.hostname.slice(1, -1);
  }
  const numbers = text.split('.');
  const isAddress =
    numbers.length === 4 && numbers.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return isAddress ? text : undefined;
}
