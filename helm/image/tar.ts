import { readFileSync, statSync } from 'node:fs';

import type { ImageEntry } from './entry.ts';

const BLOCK = 512;
const TYPES = { file: '0', link: '2', folder: '5' } as const;

/** Takes the archive piece by piece. */
export type Sink = (bytes: Uint8Array) => void;

/** Writes entries as a tar archive (POSIX.1-1988 ustar): owner root, time zero, in the order given. */
export function writeTar(entries: Iterable<ImageEntry>, sink: Sink): void {
  for (const entry of entries) {
    const content = entry.kind === 'file' ? bytesOf(entry.from) : new Uint8Array();
    sink(header(entry, content.length));
    if (content.length > 0) sink(content);
    sink(new Uint8Array((BLOCK - (content.length % BLOCK)) % BLOCK));
  }
  sink(new Uint8Array(2 * BLOCK));
}

export function sizeOf(entry: ImageEntry): number {
  if (entry.kind !== 'file') return 0;
  return 'bytes' in entry.from ? entry.from.bytes.length : statSync(entry.from.file).size;
}

function bytesOf(from: Extract<ImageEntry, { kind: 'file' }>['from']): Uint8Array {
  return 'bytes' in from ? from.bytes : readFileSync(from.file);
}

function header(entry: ImageEntry, size: number): Uint8Array {
  const [prefix, name] = split(entry.path.replace(/^\//, '') + (entry.kind === 'folder' ? '/' : ''));
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0);
  block.write(octal(entry.kind === 'link' ? 0o777 : entry.mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write('        ', 148);
  block.write(TYPES[entry.kind], 156);
  if (entry.kind === 'link') block.write(entry.target, 157, 100);
  block.write('ustar\x0000', 257, 'latin1');
  block.write(prefix, 345);
  block.write(
    `${octal(
      block.reduce((total, byte) => total + byte, 0),
      6,
    )} `,
    148,
  );
  return block;
}

/** A path of up to 255 bytes as prefix and name, parted at a slash. */
function split(path: string): readonly [string, string] {
  if (Buffer.byteLength(path) <= 100) return ['', path];
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const parts = [path.slice(0, at), path.slice(at + 1)] as const;
    if (Buffer.byteLength(parts[0]) <= 155 && Buffer.byteLength(parts[1]) <= 100 && parts[1] !== '') return parts;
  }
  throw new Error(`too long for an archive: ${path}`);
}

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')}\0`;
}
