import { hexByte } from './characters.ts';

const PERCENT = 0x25;
const UTF8 = new TextEncoder();
/** Octets that are no UTF-8 become U+FFFD, as they do where OPA-Envoy's Go strings become JSON. */
const LENIENT = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Percent-decodes once (RFC 3986 section 2.1), or gives undefined where a percent sign has no two hexadecimal digits after it.
 * Octets that are no UTF-8 become U+FFFD.
 */
export function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // Either the escapes or the octets are wrong; only the former is an error here.
    return decodeOctets(UTF8.encode(text), text);
  }
}

function decodeOctets(source: Uint8Array, text: string): string | undefined {
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', at + 3)) {
    if (hexByte(text, at + 1) < 0) return undefined;
  }
  const octets = new Uint8Array(source.length);
  let length = 0;
  for (let i = 0; i < source.length; i++) {
    const byte = source[i] as number;
    octets[length++] = byte === PERCENT ? octetAt(source, i) : byte;
    if (byte === PERCENT) i += 2;
  }
  return LENIENT.decode(octets.subarray(0, length));
}

function octetAt(source: Uint8Array, at: number): number {
  return hexByte(String.fromCharCode(source[at + 1] as number, source[at + 2] as number), 0);
}
