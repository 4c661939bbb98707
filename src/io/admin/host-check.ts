import { isIP } from 'node:net';

/**
 * True for a Host that a page cannot have been rebound to: a literal address, or `localhost` (RFC 6761 section 6.3), with or without a port. DNS rebinding
 * needs a name: a browser sends the name that the attacker owns, whatever address it leads to by now.
 */
export function isUnreboundHost(host: string | undefined): boolean {
  const match = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9.-]{1,253}))(?::\d{1,5})?$/.exec(host ?? '');
  if (match === null) return false;
  const [, ipv6, name] = match;
  if (ipv6 !== undefined) return isIP(ipv6) === 6;
  return name?.toLowerCase() === 'localhost' || isIP(name ?? '') === 4;
}
