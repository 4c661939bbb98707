import { createReadStream } from 'node:fs';

/** Longest line that is held. Records are bounded well below it; a longer one is not one. */
const MAX_LINE = 16 * 1_048_576;

/** What comes out of a file: each line without its end, and last the bytes after the last line end (empty where there are none). */
export type FilePart =
  | { readonly kind: 'line'; readonly bytes: Uint8Array }
  | { readonly kind: 'rest'; readonly bytes: Uint8Array };

/** Reads a file (`-`: stdin) line by line in bounded memory. Rejects where it cannot be read or a line is longer than 16 MiB. */
export async function* logLines(file: string): AsyncGenerator<FilePart> {
  const stream: AsyncIterable<Buffer> = file === '-' ? process.stdin : createReadStream(file);
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of stream) {
    let begin = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, begin)) {
      yield { kind: 'line', bytes: Buffer.concat([...held, chunk.subarray(begin, end)]) };
      held = [];
      heldBytes = 0;
      begin = end + 1;
    }
    held.push(chunk.subarray(begin));
    heldBytes += chunk.length - begin;
    if (heldBytes > MAX_LINE) throw new RangeError(`${file}: a line is longer than ${MAX_LINE} bytes`);
  }
  yield { kind: 'rest', bytes: Buffer.concat(held) };
}
