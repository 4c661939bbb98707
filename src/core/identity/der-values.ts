import { latin1 } from './bytes.ts';
import type { DerReader } from './der.ts';
import { TAG } from './der.ts';

/** Object identifiers are short; 2.25 with a UUID takes 20 octets. */
const MAX_OID_OCTETS = 64;

/** BOOLEAN: 00 or FF and nothing else (X.690 11.1). */
export function readBoolean(reader: DerReader, what: string, tag: number = TAG.boolean): boolean {
  const content = reader.content(tag, what);
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) reader.fail(`${what}: a BOOLEAN is 00 or FF`);
  return content[0] === 0xff;
}

/** BOOLEAN DEFAULT FALSE: present means TRUE, since DER leaves defaults out (X.690 11.5). */
export function readFlag(reader: DerReader, what: string, tag: number = TAG.boolean): boolean {
  if (reader.nextTag !== tag) return false;
  if (!readBoolean(reader, what, tag)) reader.fail(`${what}: a default value is left out`);
  return true;
}

/** Content octets of an INTEGER of at most `maxOctets`, in its shortest form (X.690 8.3.2): equal octets are equal integers. */
export function readInteger(reader: DerReader, what: string, maxOctets: number, tag: number = TAG.integer): Uint8Array {
  const content = reader.content(tag, what);
  const [first = 0, second = 0] = content;
  const padded = content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
  if (content.length === 0 || padded) reader.fail(`${what}: an INTEGER not in its shortest form`);
  if (content.length > maxOctets) reader.fail(`${what}: an INTEGER of more than ${maxOctets} octets`);
  return content;
}

/** An INTEGER from 0 to 2^31 - 1. */
export function readSmallInteger(reader: DerReader, what: string, tag: number = TAG.integer): number {
  const content = readInteger(reader, what, 4, tag);
  if ((content[0] ?? 0) >= 0x80) reader.fail(`${what}: negative`);
  return content.reduce((value, octet) => value * 256 + octet, 0);
}

/** A BIT STRING as its octets and the number of unused bits at the end, which are zero (X.690 11.2.1). */
export function readBitString(
  reader: DerReader,
  what: string,
  tag: number = TAG.bitString,
): { readonly bytes: Uint8Array; readonly unused: number } {
  const content = reader.content(tag, what);
  const unused = content[0] ?? 8;
  const bytes = content.subarray(1);
  const last = bytes.at(-1) ?? 0;
  const spare = bytes.length === 0 ? unused !== 0 : (last & ((1 << (unused & 7)) - 1)) !== 0;
  if (unused > 7 || spare) reader.fail(`${what}: a BIT STRING with wrong unused bits`);
  return { bytes, unused };
}

/** The signature or key inside a BIT STRING: whole octets. */
export function readOctetsOfBitString(reader: DerReader, what: string): Uint8Array {
  const { bytes, unused } = readBitString(reader, what);
  if (unused !== 0) reader.fail(`${what}: not whole octets`);
  return bytes;
}

/** Numbers of the bits that are set in a named bit list of at most 16 bits, which has no trailing zero bits (X.690 11.2.2). */
export function readNamedBits(reader: DerReader, what: string, tag: number = TAG.bitString): ReadonlySet<number> {
  const { bytes, unused } = readBitString(reader, what, tag);
  const last = bytes.at(-1) ?? 0;
  if (bytes.length > 2 || (bytes.length > 0 && (last & (1 << unused)) === 0)) {
    reader.fail(`${what}: a named bit list that is too long or ends in zero bits`);
  }
  const set = new Set<number>();
  for (let bit = 0; bit < Math.min(bytes.length, 2) * 8; bit += 1) {
    if (((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0) set.add(bit);
  }
  return set;
}

/** An OBJECT IDENTIFIER in dotted form. */
export function readOid(reader: DerReader, what: string): string {
  const content = reader.content(TAG.oid, what);
  const last = content.at(-1) ?? 0x80;
  if (last >= 0x80 || content.length > MAX_OID_OCTETS) {
    reader.fail(`${what}: an OBJECT IDENTIFIER cut short or too long`);
    return '';
  }
  const arcs: bigint[] = [];
  let arc = 0n;
  let fresh = true;
  for (const octet of content) {
    if (fresh && octet === 0x80) reader.fail(`${what}: an arc with a leading zero group`);
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    fresh = octet < 0x80;
    if (fresh) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  return dotted(arcs);
}

/** The first subidentifier holds two arcs (X.690 8.19.4). */
function dotted(arcs: readonly bigint[]): string {
  const [both = 0n, ...others] = arcs;
  const first = both < 40n ? 0n : both < 80n ? 1n : 2n;
  return [first, both - first * 40n, ...others].join('.');
}

const UTC_TIME = /^\d{12}Z$/;
const GENERALIZED_TIME = /^\d{14}Z$/;

/**
 * A moment of a certificate or list, milliseconds since the epoch (RFC 5280 4.1.2.5): UTCTime with seconds and Z through 2049,
 * GeneralizedTime with seconds, Z and no fraction from 2050.
 */
export function readTime(reader: DerReader, what: string): number {
  const utc = reader.nextTag === TAG.utcTime;
  const text = latin1(reader.content(utc ? TAG.utcTime : TAG.generalizedTime, what));
  if (!(utc ? UTC_TIME : GENERALIZED_TIME).test(text)) {
    reader.fail(`${what}: not of the one form of time that is allowed`);
    return 0;
  }
  const shortYear = Number(text.slice(0, 2));
  const year = utc ? shortYear + (shortYear < 50 ? 2000 : 1900) : Number(text.slice(0, 4));
  if (!utc && year < 2050) reader.fail(`${what}: GeneralizedTime before 2050`);
  const ms = momentOf(year, text.slice(utc ? 2 : 4));
  if (Number.isNaN(ms)) reader.fail(`${what}: no such moment`);
  return ms;
}

/** `rest` is MMDDHHMMSSZ. NaN where the calendar or the clock has no such moment. */
function momentOf(year: number, rest: string): number {
  const at = (index: number): number => Number(rest.slice(index, index + 2));
  const moment = Date.UTC(year, at(0) - 1, at(2), at(4), at(6), at(8));
  const back = new Date(moment);
  const same =
    back.getUTCMonth() === at(0) - 1 &&
    back.getUTCDate() === at(2) &&
    back.getUTCHours() === at(4) &&
    back.getUTCMinutes() === at(6) &&
    back.getUTCSeconds() === at(8);
  return same ? moment : Number.NaN;
}
