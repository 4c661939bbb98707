import { concat } from '../kernel/bytes.ts';
import { BLOCK } from './tar-header.ts';
import type { Files } from './tar-reader.ts';

/** Writes files as a tar archive with names as OPA writes them (`/policy.wasm`): sorted, without times and owners, so that the same files are the same bytes. */
export function writeTar(files: Files): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = [];
  for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = new TextEncoder().encode(`/${path}`);
    if (name.length > 100) blocks.push(...entry(encode('pax_header'), 'x', paxPath(name)));
    const short = name.length > 100 ? encode(`/${path}`.replaceAll(/[^ -~]/g, '_').slice(0, 100)) : name;
    blocks.push(...entry(short, '0', bytes));
  }
  return concat([...blocks, new Uint8Array(2 * BLOCK)]);
}

function entry(name: Uint8Array, type: '0' | 'x', content: Uint8Array): Uint8Array[] {
  const padding = (BLOCK - (content.length % BLOCK)) % BLOCK;
  return [header(name, type, content.length), content, new Uint8Array(padding)];
}

/** A ustar header (POSIX.1-1988): mode 0644, no owner, no time. */
function header(name: Uint8Array, type: '0' | 'x', size: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  block.set(name);
  block.set(encode(octal(0o644, 7)), 100);
  block.set(encode(octal(0, 7)), 108);
  block.set(encode(octal(0, 7)), 116);
  block.set(encode(octal(size, 11)), 124);
  block.set(encode(octal(0, 11)), 136);
  block.set(encode('        '), 148);
  block.set(encode(type), 156);
  block.set(encode('ustar\x0000'), 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(encode(`${octal(sum, 6)} `), 148);
  return block;
}

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')}\0`;
}

/** `LENGTH path=NAME\n`, where LENGTH counts its own digits too. */
function paxPath(name: Uint8Array): Uint8Array {
  const rest = concat([encode(' path='), name, encode('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return concat([encode(String(length)), rest]);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
