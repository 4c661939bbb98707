/**
 * True for a network in CIDR notation: IPv4 as four plain decimal numbers, or IPv6 (RFC 4291 2.2 and 2.3), each with a prefix length of its family.
 * Nothing else can stand in such a text, so that it may be written into rules as it is.
 */
export function isCidr(text: string): boolean {
  const [address = '', length = '', ...more] = text.split('/');
  if (more.length > 0 || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return false;
  return isIpv4(address) ? Number(length) <= 32 : isIpv6(address) && Number(length) <= 128;
}

/** True for an IPv6 network of a text that `isCidr` took. */
export function isIpv6Cidr(cidr: string): boolean {
  return cidr.includes(':');
}

/** True for an IPv4 address as four plain decimal numbers. */
export function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** True for an IPv6 address without a zone; judged by the URL parser that every runtime has. */
export function isIpv6(text: string): boolean {
  return /^[0-9A-Fa-f:.]{2,45}$/.test(text) && text.includes(':') && URL.parse(`http://[${text}]/`) !== null;
}
