import { createHash, hash } from 'node:crypto';

/** True when both hold the same octets. Not for secrets: its time depends on where they differ. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

/** SHA-256 of all parts one after the other, lower-case hexadecimal. */
export function sha256Hex(...parts: readonly Uint8Array[]): string {
  const [only] = parts;
  // In one call: no object that Node makes and the collector has to finalise.
  if (only !== undefined && parts.length === 1) return hash('sha256', only, 'hex');
  const whole = createHash('sha256');
  for (const part of parts) whole.update(part);
  return whole.digest('hex');
}

/** Octets as characters of the same number. Not for long input: at most a few thousand octets. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
