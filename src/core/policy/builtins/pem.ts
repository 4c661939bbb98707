import { BuiltinError } from '../builtin.ts';
import { base64Bytes } from './go-bytes.ts';
import { trimmedRight } from './go-trim.ts';

/** One block of PEM, and the text behind it. */
export type PemBlock = { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer>; readonly rest: string };

const BEGIN = '-----BEGIN ';
const END = '\n-----END ';
const DASHES = '-----';
const SPACES = ' \t';

/**
 * The first block of PEM in a text as Go's `pem.Decode` finds it: text around blocks and damaged blocks are passed over. Every part of the text is looked at
 * once: a block is sought from the end before it back to the end before that, and headers that run over an end are the end of the search.
 */
export function readPem(text: string): PemBlock | undefined {
  let from = 0;
  for (;;) {
    const end = text.indexOf(END, from);
    if (end < 0) return undefined;
    const before = text.slice(from, end);
    const begin = before.lastIndexOf(BEGIN);
    const found = begin === 0 || before[begin - 1] === '\n' ? blockAt(text, from + begin, end) : undefined;
    if (found === 'overrun') return undefined;
    if (found !== undefined) return found;
    from = end + END.length;
  }
}

/** Every block of a text, in order. */
export function* allPem(text: string): Generator<PemBlock> {
  for (let block = readPem(text); block !== undefined; block = readPem(block.rest)) yield block;
}

/** The block between a beginning and an end; undefined where these do not make one. */
function blockAt(text: string, begin: number, end: number): PemBlock | 'overrun' | undefined {
  const [first, afterType] = lineAt(text, begin + BEGIN.length);
  if (!first.endsWith(DASHES)) return undefined;
  const type = first.slice(0, -DASHES.length);
  const trailer = end + END.length;
  const content = afterHeaders(text, afterType, trailer);
  if (content === undefined) return 'overrun';
  // Headers are followed by an empty line, a block without them may be empty.
  if (content > afterType && content > end) return undefined;
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

/** Headers are lines with a colon; they are read over. Undefined where they go on beyond `limit`. */
function afterHeaders(text: string, from: number, limit: number): number | undefined {
  let at = from;
  while (at <= limit && at < text.length) {
    const [line, next] = lineAt(text, at);
    if (!line.includes(':')) return at;
    at = next;
  }
  return undefined;
}

/** A line without its end and without spaces before that, and where the next begins. */
function lineAt(text: string, from: number): [string, number] {
  const end = text.indexOf('\n', from);
  if (end < 0) return [trimmedRight(text.slice(from), SPACES), text.length];
  const line = text.slice(from, end);
  return [trimmedRight(line.endsWith('\r') ? line.slice(0, -1) : line, SPACES), end + 1];
}
