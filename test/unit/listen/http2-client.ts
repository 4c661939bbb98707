import { connect, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { once } from 'node:events';

import type { Bench } from './harness.ts';

/** What came back on one stream. */
export type Answer = {
  readonly headers: IncomingHttpHeaders;
  readonly informational: readonly IncomingHttpHeaders[];
  readonly body: string;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly rstCode: number;
};

/** An ordinary HTTP/2 client on a bench. */
export async function connectH2(bench: Bench): Promise<ClientHttp2Session> {
  const socket = bench.tls({ ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  const session = connect('https://agent.test', { createConnection: () => socket });
  session.on('error', () => undefined);
  bench.keep({ close: () => session.destroy() });
  return session;
}

/** Starts a request; errors of the stream end up in `Answer.rstCode`. */
export function ask(
  session: ClientHttp2Session,
  headers: Record<string, string | number> = {},
  endStream = true,
): ClientHttp2Stream {
  const stream = session.request({ ':path': '/', ...headers }, { endStream });
  stream.on('error', () => undefined);
  return stream;
}

/** Everything that comes back until the stream closes. */
export async function answer(stream: ClientHttp2Stream): Promise<Answer> {
  const informational: IncomingHttpHeaders[] = [];
  const chunks: Buffer[] = [];
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  stream.on('headers', (each) => informational.push(each));
  stream.on('response', (each) => (headers = each));
  stream.on('trailers', (each) => (trailers = each));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => stream.once('close', resolve));
  const body = Buffer.concat(chunks).toString('latin1');
  return { headers, informational, body, trailers, rstCode: stream.rstCode ?? -1 };
}
