import { concat } from '../../core/kernel/bytes.ts';

/**
 * The part of the protobuf wire format that the Workload API uses: length-delimited fields (strings, bytes, messages, map entries). Varints and fixed
 * numbers only occur in fields that are not known here and are gone over; groups do not occur and are refused. Hand-written: it is smaller than what a
 * library would need around it to be bounded, to check UTF-8 and never to throw.
 */

/** Wire types (protobuf encoding, "Message Structure"). */
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** A varint has at most ten bytes. */
const MAX_VARINT_BYTES = 10;

/** The largest field number. */
const MAX_FIELD = 2 ** 29 - 1;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one message: `visit` gets the number and the bytes (a view) of each length-delimited field, in order, and may refuse it with a sentence. Returns
 * what is wrong, or undefined. Never throws.
 */
export function readFields(
  message: Uint8Array,
  visit: (field: number, value: Uint8Array) => string | undefined,
): string | undefined {
  let at = 0;
  while (at < message.length) {
    const tag = readVarint(message, at);
    if (tag === undefined) return 'a field without a readable tag';
    const number = Math.floor(tag.value / 8);
    if (number < 1 || number > MAX_FIELD) return `field number ${number}`;
    const body = bodyOf(message, tag.value % 8, tag.end);
    if (body === undefined) return `field ${number} is cut off or of a type that does not occur`;
    const wrong = body.value === undefined ? undefined : visit(number, body.value);
    if (wrong !== undefined) return wrong;
    at = body.end;
  }
  return undefined;
}

/** The text of a string field; undefined where it is not UTF-8 (proto3 demands it). */
export function textOf(value: Uint8Array): string | undefined {
  try {
    return utf8.decode(value);
  } catch {
    return undefined;
  }
}

/** One length-delimited field. */
export function field(number: number, value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return concat([varint(number * 8 + LENGTH_DELIMITED), varint(bytes.length), bytes]);
}

/** As `field`; nothing for an empty value, as proto3 leaves out defaults. */
export function fieldUnlessEmpty(number: number, value: Uint8Array | string): Uint8Array {
  return value.length === 0 ? new Uint8Array(0) : field(number, value);
}

type Span = { readonly value: Uint8Array | undefined; readonly end: number };

function bodyOf(message: Uint8Array, wireType: number, at: number): Span | undefined {
  switch (wireType) {
    case VARINT: {
      const number = readVarint(message, at);
      return number && { value: undefined, end: number.end };
    }
    case FIXED64:
      return skip(message, at + 8);
    case FIXED32:
      return skip(message, at + 4);
    case LENGTH_DELIMITED: {
      const length = readVarint(message, at);
      if (length === undefined || length.value > message.length - length.end) return undefined;
      const end = length.end + length.value;
      return { value: message.subarray(length.end, end), end };
    }
    default:
      return undefined;
  }
}

function skip(message: Uint8Array, end: number): Span | undefined {
  return end > message.length ? undefined : { value: undefined, end };
}

/** Numbers beyond 2^53 lose their last digits; nothing that long passes the checks of whoever asks. */
function readVarint(message: Uint8Array, at: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    const byte = message[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  return undefined;
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}
