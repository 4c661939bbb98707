import { BuiltinError } from '../builtin.ts';
import { base64Bytes } from './go-bytes.ts';

/** One block of PEM, and the text behind it. */
export type PemBlock = { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer>; readonly rest: string };

const BEGIN = '-----BEGIN ';
const END = '\n-----END ';
const DASHES = '-----';

/** The first block of PEM in a text as Go's `pem.Decode` finds it: text around blocks and damaged blocks are passed over. */
export function readPem(text: string): PemBlock | undefined {
  let from = 0;
  for (;;) {
    const end = text.indexOf(END, from);
    if (end < 0) return undefined;
    const begin = text.lastIndexOf(BEGIN, end);
    if (begin >= from && (begin === from || text[begin - 1] === '\n')) {
      const block = blockAt(text, begin, end);
      if (block !== undefined) return block;
    }
    from = end + END.length;
  }
}

/** Every block of a text, in order. */
export function* allPem(text: string): Generator<PemBlock> {
  for (let block = readPem(text); block !== undefined; block = readPem(block.rest)) yield block;
}

function blockAt(text: string, begin: number, end: number): PemBlock | undefined {
  const [first, afterType] = lineAt(text, begin + BEGIN.length);
  if (!first.endsWith(DASHES)) return undefined;
  const type = first.slice(0, -DASHES.length);
  const content = afterHeaders(text, afterType);
  if (content > end + 1) return undefined;
  const trailer = end + END.length;
  const close = text.slice(trailer, trailer + type.length + DASHES.length);
  const [behind, rest] = lineAt(text, trailer + close.length);
  if (close !== type + DASHES || behind !== '') return undefined;
  try {
    const bytes = base64Bytes(text.slice(content, Math.max(content, end)).replaceAll(/[ \t]/g, ''));
    return { type, bytes, rest: text.slice(rest) };
  } catch (problem) {
    if (problem instanceof BuiltinError) return undefined;
    throw problem;
  }
}

/** Headers are lines with a colon; they are read over. */
function afterHeaders(text: string, from: number): number {
  let at = from;
  for (;;) {
    const [line, next] = lineAt(text, at);
    if (!line.includes(':')) return at;
    at = next;
  }
}

/** A line without its end and without spaces before that, and where the next begins. */
function lineAt(text: string, from: number): [string, number] {
  const end = text.indexOf('\n', from);
  const line = end < 0 ? text.slice(from) : text.slice(from, end);
  return [line.replace(/\r$/, '').replace(/[ \t]+$/, ''), end < 0 ? text.length : end + 1];
}
