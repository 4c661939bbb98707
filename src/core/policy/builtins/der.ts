import { BuiltinError } from '../builtin.ts';

/** Tags of ASN.1 (ITU-T X.690 8.1.2), constructed where the type is. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  numeric: 0x12,
  printable: 0x13,
  t61: 0x14,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmp: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Largest number in an object identifier that is read: 31 bits, as in Go. */
const MOST_ARC = 2 ** 31 - 1;
/** As many bytes of seven bits as a JavaScript number holds exactly. */
const BYTES_OF_SAFE_ARC = 7;

/** One element: its tag, what is in it, and all of its bytes. */
export type DerElement = { readonly tag: number; readonly body: Uint8Array; readonly whole: Uint8Array };

/** A tag of context class, `[n]`. */
export function context(number: number, constructed = false): number {
  return 0x80 | number | (constructed ? 0x20 : 0);
}

/**
 * Reads DER from the front: definite, minimal lengths, tags below 31. What Go's own readers refuse is a BuiltinError here, and elements after those
 * that are asked for are ignored where Go ignores them.
 */
export class DerReader {
  #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get empty(): boolean {
    return this.#bytes.length === 0;
  }

  /** True where the next element has this tag. */
  next(tag: number): boolean {
    return this.#bytes[0] === tag;
  }

  /** The next element, whatever it is. */
  any(): DerElement {
    const bytes = this.#bytes;
    const tag = bytes[0] ?? 0;
    const { header, length } = lengthOf(bytes);
    if (bytes.length < 2 || (tag & 0x1f) === 0x1f || header + length > bytes.length) throw malformed();
    this.#bytes = bytes.subarray(header + length);
    return { tag, body: bytes.subarray(header, header + length), whole: bytes.subarray(0, header + length) };
  }

  element(tag: number): DerElement {
    if (!this.next(tag)) throw malformed();
    return this.any();
  }

  body(tag: number): Uint8Array {
    return this.element(tag).body;
  }

  /** A reader of what is in the next element. */
  into(tag: number): DerReader {
    return new DerReader(this.body(tag));
  }

  /** A reader of what is in the next element if it has this tag. */
  optional(tag: number): DerReader | undefined {
    return this.next(tag) ? this.into(tag) : undefined;
  }

  /** Everything that is left, element after element. */
  *all(): Generator<DerElement> {
    while (!this.empty) yield this.any();
  }

  integer(tag: number = TAG.integer): bigint {
    return integerOf(this.body(tag));
  }

  /** An integer of 64 bits with its sign. */
  long(tag: number = TAG.integer): bigint {
    const value = this.integer(tag);
    if (value !== BigInt.asIntN(64, value)) throw malformed();
    return value;
  }

  /** An integer of 63 bits or fewer, not negative. */
  size(): number {
    const value = this.integer();
    if (value < 0n || value > 2n ** 63n - 1n) throw malformed();
    return Number(value);
  }

  boolean(): boolean {
    const [byte, ...more] = this.body(TAG.boolean);
    if (more.length > 0 || (byte !== 0 && byte !== 0xff)) throw malformed();
    return byte === 0xff;
  }

  oid(): number[] {
    return oidOf(this.body(TAG.oid));
  }

  /** The bytes of a bit string, moved right by its unused bits, and how many these are. */
  bits(): { bytes: Uint8Array; unused: number } {
    const [unused = 8, ...bytes] = this.body(TAG.bitString);
    const last = bytes.at(-1) ?? 0;
    if (unused > 7 || (bytes.length === 0 && unused !== 0) || (last & ((1 << unused) - 1)) !== 0) throw malformed();
    return { bytes: Uint8Array.from(bytes), unused };
  }

  /** A bit string as the number that its bits are, which is how signatures and keys are written; whole bytes but for oddities. */
  rightAligned(): Uint8Array {
    const { bytes, unused } = this.bits();
    return bytes.map((byte, at) => (byte >> unused) | (((bytes[at - 1] ?? 0) << (8 - unused)) & 0xff));
  }
}

function lengthOf(bytes: Uint8Array): { header: number; length: number } {
  const first = bytes[1] ?? 0;
  if (first < 0x80) return { header: 2, length: first };
  const count = first & 0x7f;
  const digits = bytes.subarray(2, 2 + count);
  if (count === 0 || count > 4 || digits.length < count || digits[0] === 0) throw malformed();
  const length = digits.reduce((sum, byte) => sum * 256 + byte, 0);
  if (length < 0x80) throw malformed();
  return { header: 2 + count, length };
}

/** A two's complement integer in its least number of bytes. */
export function integerOf(body: Uint8Array): bigint {
  const [first, second = 0] = body;
  if (first === undefined) throw malformed();
  if (body.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) throw malformed();
  return BigInt.asIntN(body.length * 8, BigInt(`0x${body.toHex()}`));
}

/** The numbers of an object identifier (ITU-T X.690 8.19), each of 31 bits at most. */
export function oidOf(body: Uint8Array): number[] {
  const arcs = arcsOf(body).map((arc) => {
    if (arc > BigInt(MOST_ARC)) throw malformed();
    return Number(arc);
  });
  return firstTwo(arcs[0] ?? 0).concat(arcs.slice(1));
}

/** An object identifier as text, of any size. */
export function oidText(body: Uint8Array): string {
  const [first = 0n, ...arcs] = arcsOf(body);
  const head = first < 80n ? firstTwo(Number(first)).join('.') : `2.${first - 80n}`;
  return [head, ...arcs].join('.');
}

function firstTwo(first: number): number[] {
  return first < 80 ? [Math.trunc(first / 40), first % 40] : [2, first - 80];
}

function arcsOf(body: Uint8Array): bigint[] {
  const arcs: bigint[] = [];
  let from = 0;
  for (const [at, byte] of body.entries()) {
    if (at === from && byte === 0x80) throw malformed();
    if (byte >= 0x80) continue;
    arcs.push(arcOf(body.subarray(from, at + 1)));
    from = at + 1;
  }
  if (from < body.length || arcs.length === 0) throw malformed();
  return arcs;
}

/** A number of seven bits a byte, read at once: shifting it byte by byte takes the square of its length. */
function arcOf(bytes: Uint8Array): bigint {
  if (bytes.length <= BYTES_OF_SAFE_ARC) return BigInt(bytes.reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0));
  return BigInt(`0b${Array.from(bytes, (byte) => (byte & 0x7f).toString(2).padStart(7, '0')).join('')}`);
}

/** A sequence of elements. */
export function sequence(elements: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return written(
    TAG.sequence,
    elements.flatMap((element) => Array.from(element)),
  );
}

/** A bit string of whole bytes. */
export function bitString(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return written(TAG.bitString, [0, ...bytes]);
}

function written(tag: number, body: readonly number[]): Uint8Array<ArrayBuffer> {
  const hex = body.length.toString(16);
  const size = Array.from(Uint8Array.fromHex(hex.length % 2 === 0 ? hex : `0${hex}`));
  return Uint8Array.from([tag, ...(body.length < 0x80 ? size : [0x80 | size.length, ...size]), ...body]);
}

function malformed(): BuiltinError {
  return new BuiltinError('malformed DER');
}
