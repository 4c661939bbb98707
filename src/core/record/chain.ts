import { createHash, hash } from 'node:crypto';

/** `prev` of the first record of a chain that continues no other. */
export const GENESIS = '0'.repeat(64);

/*
 * Every line ends with the members `prev` and `hash` of `sallyport`, so their places are counted from the end:
 *   …,"prev":"<64 hex>","hash":"<64 hex>"}}
 */
const PREV = '"prev":"';
const HASH = '","hash":"';
const END = '"}}';
const HEX = 64;
/** Bytes of a line that its hash does not cover: `,"hash":"<64 hex>"}}`. */
const UNCOVERED = HASH.length - 1 + HEX + END.length;
const TAIL = PREV.length + HEX + HASH.length + HEX + END.length;

/** A finished line (without its line end) and its hash: the `prev` of the line after it. */
export type SealedLine = { readonly line: string; readonly hash: string };

/**
 * Ends a line. `open` is the line up to its `sallyport` object, which is still open and ends with a comma.
 * `hash` is the SHA-256, in lower-case hexadecimal, of the UTF-8 bytes of the line before `,"hash":"` (its last occurrence), so that
 * `printf %s "${line%,\"hash\":*}" | sha256sum` gives the same.
 */
export function sealLine(open: string, prev: string): SealedLine {
  const covered = `${open}${PREV}${prev}"`;
  const digest = sha256(covered);
  return { line: `${covered},"hash":"${digest}${END}`, hash: digest };
}

const encoder = new TextEncoder();
/** Room for the bytes of one line; longer ones are rare. */
const scratch = new Uint8Array(65_536);

/** SHA-256 of the UTF-8 of a text. Given a text, the library would make a copy of its own to encode it, a quarter of what hashing a record costs. */
function sha256(text: string): string {
  const { read, written } = encoder.encodeInto(text, scratch);
  return hash('sha256', read === text.length ? scratch.subarray(0, written) : text, 'hex');
}

/** `hash` of a line made by `sealLine`. */
export function hashOf(line: string): string {
  return line.slice(-END.length - HEX, -END.length);
}

/** `prev` of a line made by `sealLine`. */
export function prevOf(line: string): string {
  const begin = line.length - TAIL + PREV.length;
  return line.slice(begin, begin + HEX);
}

/** What the end of a line says about its place in the chain. */
export type Seal = {
  readonly prev: string;
  readonly hash: string;
  /** True when `hash` is the hash of this very line. */
  readonly intact: boolean;
};

/** Reads the end of a line (bytes without the line end); undefined where it has no seal. Bytes, not text: decoding would hide broken UTF-8. */
export function readSeal(line: Uint8Array): Seal | undefined {
  if (line.length < TAIL) return undefined;
  const tail = ascii(line.subarray(line.length - TAIL));
  const prev = tail.slice(PREV.length, PREV.length + HEX);
  const digest = tail.slice(TAIL - END.length - HEX, TAIL - END.length);
  if (tail !== `${PREV}${prev}${HASH}${digest}${END}` || !isHash(prev) || !isHash(digest)) return undefined;
  const covered = line.subarray(0, line.length - UNCOVERED);
  return { prev, hash: digest, intact: createHash('sha256').update(covered).digest('hex') === digest };
}

/** True for 64 lower-case hexadecimal digits. */
export function isHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
