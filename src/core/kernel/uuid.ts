import type { Random } from './clock.ts';
import type { DecisionId } from './brand.ts';

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** `Uint8Array.prototype.toHex` (ECMA-262 2026), a tenth of the cost of a loop; Node has it from version 25 on. */
const hasHex = 'toHex' in Uint8Array.prototype;

/** Lower-case hexadecimal of `bytes`. */
export function hex(bytes: Uint8Array): string {
  if (hasHex) return bytes.toHex();
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** A version 4 UUID (RFC 9562 section 5.4) from 16 random bytes. */
export function uuidV4(random: Random): DecisionId {
  const bytes = random(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const text = hex(bytes);
  // Joined, for V8 writes JSON several times slower where it meets a text that it keeps as a tree of parts, as template strings make them.
  const parts = [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)];
  return parts.join('-') as DecisionId;
}
