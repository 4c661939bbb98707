import { Client, type buildConnector } from 'undici';

import { err, ok } from '../../core/kernel/result.ts';

import type { Dispatcher } from 'undici';
import type { Result } from '../../core/kernel/result.ts';

/** One GET. */
export type Question = {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly connect: buildConnector.connector;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
};

/** `headers`: names in lower case; of a field that came several times the first. The body only where the status is 200. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** Largest head of an answer, bytes. */
const MAX_HEAD = 16_384;

const NOTHING = new Uint8Array(0);

/** Asks over a connection of its own that is closed in the end. Throws what undici throws; the error is what is wrong with an answer that came. */
export async function exchange({ url, headers, connect, maxBytes, signal }: Question): Promise<Result<Answer, string>> {
  // Deadlines are the caller's and cover all of a question.
  const client = new Client(url.origin, { connect, maxHeaderSize: MAX_HEAD, headersTimeout: 0, bodyTimeout: 0 });
  try {
    const response = await client.request({
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: { 'accept-encoding': 'identity', ...headers },
      signal,
    });
    return await readAnswer(response, maxBytes);
  } finally {
    await client.destroy();
  }
}

async function readAnswer(response: Dispatcher.ResponseData, maxBytes: number): Promise<Result<Answer, string>> {
  const { statusCode: status, body } = response;
  // Ending the connection early would otherwise be an error that nobody handles.
  body.on('error', () => undefined);
  const headers = firstValues(response.headers);
  if (status !== 200) return ok({ status, headers, body: NOTHING });
  if ((headers['content-encoding'] ?? 'identity') !== 'identity')
    return err('the answer is compressed, which was not asked for');
  const tooLarge = `the answer is larger than ${maxBytes} bytes`;
  if (Number(headers['content-length'] ?? 0) > maxBytes) return err(tooLarge);
  const bytes = await gather(body as AsyncIterable<Uint8Array>, maxBytes);
  return bytes === undefined ? err(tooLarge) : ok({ status, headers, body: bytes });
}

/** Copied into one place as they come, which grows where it stands: many small pieces cost no more memory than few large ones. */
async function gather(pieces: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array | undefined> {
  const place = new ArrayBuffer(0, { maxByteLength: maxBytes });
  let length = 0;
  for await (const piece of pieces) {
    if (length + piece.length > maxBytes) return undefined;
    place.resize(length + piece.length);
    new Uint8Array(place).set(piece, length);
    length += piece.length;
  }
  return new Uint8Array(place.slice(0));
}

function firstValues(headers: Dispatcher.ResponseData['headers']): Readonly<Record<string, string>> {
  const first: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) {
    const text = Array.isArray(value) ? value[0] : value;
    if (text !== undefined) first[name.toLowerCase()] = text;
  }
  return first;
}
