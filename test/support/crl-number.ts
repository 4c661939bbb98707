/** The number of a revocation list (RFC 5280 5.2.3), found by its extension's OID 2.5.29.20. */
export function crlNumber(der: Uint8Array): number {
  const hex = der.toHex();
  const found = /0603551d1404(?:..)02(..)/.exec(hex);
  if (found === null) throw new Error('a list without number');
  const begin = found.index + found[0].length;
  return Number.parseInt(hex.slice(begin, begin + 2 * Number.parseInt(found[1] ?? '', 16)), 16);
}
