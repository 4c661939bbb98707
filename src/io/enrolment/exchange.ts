import { request, type IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';

import { gatherBytes } from '../../core/kernel/gather-bytes.ts';
import { ok, type Result } from '../../core/kernel/result.ts';
import { isHttpFault, malformed, meaningOf, unavailable, type ClientFault } from './client-fault.ts';

/** One request on a connection that was verified. */
export type Ask = {
  readonly method: 'GET' | 'POST';
  /** With its query. */
  readonly path: string;
  readonly host: string;
  /** JSON text. */
  readonly body?: string | undefined;
};

export type RawAnswer = {
  readonly status: number;
  readonly body: string;
  /** Names in lower case. */
  readonly headers: IncomingMessage['headers'];
};

/** Largest head, and largest body: a trust document has roots of some hundred bytes and revocation lists of some 40 bytes an entry. */
const MAX_HEAD = 16_384;
export const MAX_ANSWER = 16 * 1_048_576;

/** Asks once and ends the connection, whatever comes. Never rejects; the deadline is the connection's. */
export async function exchange(socket: TLSSocket, ask: Ask): Promise<Result<RawAnswer, ClientFault>> {
  try {
    const response = await send(socket, ask);
    const { statusCode: status = 0, headers } = response;
    if ((headers['content-encoding'] ?? 'identity') !== 'identity')
      return malformed('the answer is compressed, which was not asked for');
    const body = await gather(response);
    if (body === undefined) return malformed(`the answer is larger than ${MAX_ANSWER} bytes`);
    return ok({ status, headers, body });
  } catch (error) {
    return isHttpFault(error) ? malformed('the answer is no HTTP') : unavailable(meaningOf(error));
  } finally {
    socket.destroy();
  }
}

function send(socket: TLSSocket, { method, path, host, body }: Ask): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request({
    createConnection: () => socket,
    method,
    path,
    maxHeaderSize: MAX_HEAD,
    headers: {
      host,
      accept: 'application/json',
      'accept-encoding': 'identity',
      connection: 'close',
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    },
  });
  outgoing.on('error', reject);
  outgoing.once('response', resolve);
  // Also what ends without an answer and without an error: a switch of protocols that nobody asked for.
  outgoing.once('close', () => reject(new Error('closed')));
  outgoing.end(body);
  return promise;
}

/** The whole body as UTF-8; undefined where it is too large, and then the rest is not read. */
async function gather(response: IncomingMessage): Promise<string | undefined> {
  if (Number(response.headers['content-length'] ?? 0) > MAX_ANSWER) return undefined;
  const bytes = await gatherBytes(response as AsyncIterable<Uint8Array>, MAX_ANSWER);
  return bytes && Buffer.from(bytes.buffer, 0, bytes.length).toString('utf8');
}
