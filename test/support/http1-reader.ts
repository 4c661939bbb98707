/** One HTTP/1.1 request as it stood on the wire; only chunked coding is undone. */
export type Http1Message = {
  readonly requestLine: string;
  /** Flat list, names and values as received (values without the white space around them). */
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly trailers: readonly string[];
};

type Framing = { readonly kind: 'length'; readonly bytes: number } | { readonly kind: 'chunked' };

/**
 * Reads requests off a connection, one after the other, and throws at the first byte that is out of place: an upstream for tests must notice what
 * a tolerant one would make something of.
 */
export class Http1Reader {
  readonly #complete: (message: Http1Message) => void;
  #pending: Buffer = Buffer.alloc(0);

  constructor(complete: (message: Http1Message) => void) {
    this.#complete = complete;
  }

  push(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    for (let message = this.#take(); message !== undefined; message = this.#take()) this.#complete(message);
  }

  #take(): Http1Message | undefined {
    const end = this.#pending.indexOf('\r\n\r\n');
    if (end === -1) return undefined;
    const [requestLine = '', ...lines] = this.#pending.toString('latin1', 0, end).split('\r\n');
    const headers = lines.flatMap(field);
    const framing = framingOf(headers);
    const start = end + 4;
    if (framing.kind === 'length') {
      if (this.#pending.length < start + framing.bytes) return undefined;
      const body = this.#pending.subarray(start, start + framing.bytes);
      this.#pending = this.#pending.subarray(start + framing.bytes);
      return { requestLine, headers, body, trailers: [] };
    }
    const chunked = readChunked(this.#pending, start);
    if (chunked === undefined) return undefined;
    this.#pending = this.#pending.subarray(chunked.end);
    return { requestLine, headers, body: chunked.body, trailers: chunked.trailers };
  }
}

function framingOf(headers: readonly string[]): Framing {
  const lengths: string[] = [];
  const codings: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i]?.toLowerCase();
    if (name === 'content-length') lengths.push(headers[i + 1] ?? '');
    if (name === 'transfer-encoding') codings.push(headers[i + 1] ?? '');
  }
  if (lengths.length + codings.length > 1) throw new Error('more than one framing field reached the upstream');
  if (codings.length === 1) {
    if (codings[0] !== 'chunked') throw new Error(`transfer coding ${codings[0]}`);
    return { kind: 'chunked' };
  }
  const length = lengths[0] ?? '0';
  if (!/^\d+$/.test(length)) throw new Error(`content-length ${length}`);
  return { kind: 'length', bytes: Number(length) };
}

function readChunked(
  bytes: Buffer,
  from: number,
): { readonly body: Buffer; readonly trailers: string[]; readonly end: number } | undefined {
  const chunks: Buffer[] = [];
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-fA-F]+$/.test(line)) throw new Error(`chunk size ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return undefined;
    chunks.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
  const trailers: string[] = [];
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const line = bytes.toString('latin1', at, lineEnd);
    at = lineEnd + 2;
    if (line === '') return { body: Buffer.concat(chunks), trailers, end: at };
    trailers.push(...field(line));
  }
}

function field(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new Error(`field line ${JSON.stringify(line)}`);
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}
