import type { Clock, Random } from '../kernel/clock.ts';

/** Time and randomness for what is signed. */
export type IssuanceDeps = { readonly clock: Clock; readonly random: Random };

/** A fresh serial number as hexadecimal: 20 octets, positive, 158 random bits (RFC 5280 4.1.2.2; CA/Browser Forum asks for 64). */
export function newSerial(random: Random): string {
  const bytes = random(20);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toHex();
}
