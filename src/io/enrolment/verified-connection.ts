import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';

import { encodePem } from '../../core/identity/pem.ts';
import { readPresentedChain } from '../../core/identity/presented-chain.ts';
import type { Result } from '../../core/kernel/result.ts';
import { ok } from '../../core/kernel/result.ts';
import type { AuthorityJudge } from './authority-judge.ts';
import { meaningOf, unavailable, type ClientFault } from './client-fault.ts';

/** What we show of ourselves. */
export type OwnCertificate = { readonly chain: readonly Uint8Array[]; readonly privateKey: KeyObject };

export type ConnectionAsk = {
  readonly url: URL;
  readonly judge: AuthorityJudge;
  readonly own: OwnCertificate | undefined;
  readonly atMs: number;
  /** Ends the attempt, and the connection after it. */
  readonly signal: AbortSignal;
};

const HTTPS_PORT = 443;

/**
 * Connects, and gives the connection only when its server was verified. OpenSSL checks the chain with our roots within the handshake, so that our own
 * certificate is not shown to just anybody; then our rules judge the DER and the SPIFFE ID. The host's name is not looked at: SVIDs have none.
 */
export async function connectVerified({
  url,
  judge,
  own,
  atMs,
  signal,
}: ConnectionAsk): Promise<Result<TLSSocket, ClientFault>> {
  if (judge.roots.length === 0) return unavailable('there are no roots to check the authority with');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  let socket: TLSSocket;
  try {
    socket = connect({
      host,
      port: url.port === '' ? HTTPS_PORT : Number(url.port),
      // RFC 6066 3: addresses are no server names.
      servername: isIP(host) === 0 ? host : '',
      ca: judge.roots.map((der) => encodePem('CERTIFICATE', der)),
      ...(own !== undefined && shown(own)),
      // Said outright: NODE_TLS_REJECT_UNAUTHORIZED must not switch it off.
      rejectUnauthorized: true,
      checkServerIdentity: () => undefined,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
    });
  } catch (error) {
    return unavailable(`our certificate cannot be shown: ${meaningOf(error)}`);
  }
  const failure = await secured(socket, signal);
  const wrong = failure ?? refusal(socket, judge, atMs);
  if (wrong === undefined) return ok(socket);
  socket.destroy();
  return unavailable(wrong);
}

function shown({ chain, privateKey }: OwnCertificate): { readonly cert: string; readonly key: string } {
  return {
    cert: chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
    // Node's TLS takes no KeyObject.
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

/** Waits for the end of the handshake; what went wrong, or undefined. The socket's later errors are told by whoever uses it then. */
function secured(socket: TLSSocket, signal: AbortSignal): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const abort = (): void => void socket.destroy();
  socket.on('error', (error) => resolve(meaningOf(error)));
  socket.once('secureConnect', () => resolve(undefined));
  socket.once('close', () => {
    signal.removeEventListener('abort', abort);
    resolve('the connection was cut');
  });
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  return promise;
}

function refusal(socket: TLSSocket, judge: AuthorityJudge, atMs: number): string | undefined {
  const presented = readPresentedChain(socket);
  if (!presented.ok) return 'its certificate cannot be read';
  const wrong = judge.judge(presented.value.chain, atMs);
  if (wrong !== undefined) return `its certificate was refused: ${wrong}`;
  if (!presented.value.authorized) return 'its certificate was refused by TLS';
  return socket.alpnProtocol === 'http/1.1' ? undefined : 'it does not speak HTTP/1.1';
}
