/** One member of a tar archive, as wrong as a test wants it. */
export interface RawMember {
  readonly name: string | Uint8Array;
  readonly content?: string | Uint8Array;
  /** Type flag; default `0`, a file. */
  readonly type?: string;
  /** What the header says; default is the length of the content. */
  readonly size?: number | string;
  readonly prefix?: string;
  /** Default is the POSIX magic; `ustar  \0` is GNU's. */
  readonly magic?: string;
  readonly checksum?: number;
}

/** End of an archive: two zero blocks. */
export const TAR_END = new Uint8Array(1024);

/** Builds an archive block by block; without `end` it lacks its end marker. */
export function rawTar(members: readonly RawMember[], end: Uint8Array = TAR_END): Buffer {
  return Buffer.concat([
    ...members.flatMap((member) => [rawHeader(member), padded(bytesOf(member.content ?? ''))]),
    end,
  ]);
}

/** One pax record, its length counted. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + Buffer.byteLength(rest) !== length) length += 1;
  return `${length}${rest}`;
}

function rawHeader(member: RawMember): Buffer {
  const header = Buffer.alloc(512);
  const size = member.size ?? bytesOf(member.content ?? '').length;
  header.set(bytesOf(member.name).subarray(0, 100), 0);
  header.write('0000644\0', 100, 'latin1');
  header.write('0000000\0', 108, 'latin1');
  header.write('0000000\0', 116, 'latin1');
  header.write(typeof size === 'string' ? size : `${size.toString(8).padStart(11, '0')}\0`, 124, 12, 'latin1');
  header.write('00000000000\0', 136, 'latin1');
  header.write(member.type ?? '0', 156, 'latin1');
  header.write(member.magic ?? 'ustar\x0000', 257, 'latin1');
  header.write(member.prefix ?? '', 345, 155, 'latin1');
  header.write('        ', 148, 'latin1');
  const sum = member.checksum ?? header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : content;
}

function padded(content: Uint8Array): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
