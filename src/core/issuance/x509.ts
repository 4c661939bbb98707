// tsyringe, which @peculiar/x509 stands on, refuses to load before this.
import 'reflect-metadata';

import * as x509 from '@peculiar/x509';

import type { Clock, Random } from '../kernel/clock.ts';

export { x509 };

/** Time and randomness for what is signed. */
export type IssuanceDeps = { readonly clock: Clock; readonly random: Random };

/** How far a certificate's notBefore lies back, milliseconds: clocks of peers may be behind ours. */
export const BACKDATE_MS = 60_000;

/** A fresh serial number as hexadecimal: 20 octets, positive, 158 random bits (RFC 5280 4.1.2.2; CA/Browser Forum asks for 64). */
export function newSerial(random: Random): string {
  const bytes = random(20);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toHex();
}

/** Whole seconds, which is all that certificates can say (RFC 5280 4.1.2.5). */
export function certificateTime(ms: number): Date {
  return new Date(Math.floor(ms / 1_000) * 1_000);
}
