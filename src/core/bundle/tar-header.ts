import { utf8 } from './member-name.ts';

/** A tar archive is made of blocks of this many bytes. */
export const BLOCK = 512;

/** What one header block says (POSIX.1-1988 ustar, and the GNU format's magic). */
export type TarHeader = {
  /** Undefined where it is not UTF-8, as when a writer cut it and put the whole name into an extended header. */
  readonly name: string | undefined;
  readonly size: number;
  /** Type flag: `0` file, `5` folder, `x` and `g` pax headers, `L` GNU long name, others refused by the reader. */
  readonly type: string;
};

/** Reads one header block; a text says what is wrong with it. */
export function readHeader(block: Uint8Array): TarHeader | string {
  const magic = latin1(block, 257, 8);
  const isPosix = magic === 'ustar\x0000';
  if (!isPosix && magic !== 'ustar  \0') return 'a header block without the ustar magic';
  if (octal(block, 148, 8) !== checksum(block)) return 'a header block whose checksum is wrong';
  const size = octal(block, 124, 12);
  if (size === undefined) return 'a size that is no octal number';
  const name = text(block, 0, 100);
  const prefix = isPosix ? text(block, 345, 155) : '';
  const flag = String.fromCharCode(block[156] ?? 0);
  return { name: joined(prefix, name), size, type: flag === '\0' ? '0' : flag };
}

function joined(prefix: string | undefined, name: string | undefined): string | undefined {
  if (prefix === undefined || name === undefined) return undefined;
  return prefix === '' ? name : `${prefix}/${name}`;
}

function latin1(block: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...block.subarray(offset, offset + length));
}

/** A field up to its first NUL. */
function text(block: Uint8Array, offset: number, length: number): string | undefined {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return utf8(end < 0 ? field : field.subarray(0, end));
}

/** An octal number with leading spaces and a terminator of NUL or space. GNU's base-256 form is for sizes that no member may have. */
function octal(block: Uint8Array, offset: number, length: number): number | undefined {
  const match = /^ *([0-7]{1,12})[ \0]*$/.exec(latin1(block, offset, length));
  return match === null ? undefined : Number.parseInt(match[1] ?? '', 8);
}

/** Sum of all bytes, those of the checksum itself counted as spaces. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < BLOCK; index++) sum += index >= 148 && index < 156 ? 32 : (block[index] ?? 0);
  return sum;
}
