import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import { classOf, isDigits } from './characters.ts';

/** RFC 1035 letters, digits and hyphen, and the underscore that service names of container networks have. */
const LABEL = classOf('abcdefghijklmnopqrstuvwxyz0123456789-_');

/** RFC 1035 section 2.3.4. */
const MAX_HOST = 253;

/**
 * Checks `Host` or `:authority` (RFC 9110 section 7.2, RFC 3986 section 3.2) and gives it in lower case.
 *
 * Stricter than the grammar, where readers part ways: no userinfo, no percent-encoding or sub-delims, no empty label (so no trailing dot,
 * which is a second spelling of the same name), no empty, zero-padded or impossible port. Fault: `host_invalid`.
 */
export function readAuthority(text: string): string | Fault {
  const authority = text.toLowerCase();
  const end = authority.startsWith('[') ? authority.indexOf(']') + 1 : endOfName(authority);
  const host = authority.slice(0, end);
  const sound = host.startsWith('[') ? isIpv6(host.slice(1, -1)) : isName(host);
  if (!sound) return fault('host_invalid', 'the host is not well-formed (RFC 3986 3.2.2)');
  if (end < authority.length && !isPort(authority, end)) return fault('host_invalid', 'the port is not well-formed');
  return authority;
}

function endOfName(authority: string): number {
  const colon = authority.indexOf(':');
  return colon < 0 ? authority.length : colon;
}

function isName(host: string): boolean {
  if (host.length === 0 || host.length > MAX_HOST) return false;
  let previous = '.'.charCodeAt(0);
  for (let i = 0; i < host.length; i++) {
    const code = host.charCodeAt(i);
    if (code === 0x2e ? previous === 0x2e : LABEL[code] !== 1) return false;
    previous = code;
  }
  return previous !== 0x2e;
}

/** `:` and 1 to 65535 without leading zeros. */
function isPort(authority: string, at: number): boolean {
  if (authority.charCodeAt(at) !== 0x3a) return false;
  const port = authority.slice(at + 1);
  return port.length <= 5 && isDigits(port) && !port.startsWith('0') && Number(port) <= 65535;
}

/** IPv6address of RFC 3986 section 3.2.2, without zone. */
function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    const counted = countGroups(half, index === halves.length - 1);
    if (counted < 0) return false;
    groups += counted;
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}

/** Groups of 16 bits in `half`, or -1. A dotted IPv4 address may end the last half and counts two. */
function countGroups(half: string, last: boolean): number {
  if (half === '') return 0;
  const parts = half.split(':');
  let groups = 0;
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/.test(part)) groups += 1;
    else if (last && index === parts.length - 1 && isIpv4(part)) groups += 2;
    else return -1;
  }
  return groups;
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
}
