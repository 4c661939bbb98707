import { Pool } from 'undici';

import type { PermittedRequest } from '../../core/gate/permit.ts';
import type { UpstreamAddress } from './address.ts';
import type { Answer, Shared } from './answer.ts';
import type { Downstream } from './downstream.ts';
import { dispatchHttp1 } from './http1-call.ts';

/** Connections to one agent at a time; requests beyond wait in line, within their deadline. */
const MAX_CONNECTIONS = 1_024;

/** An idle connection is closed after this long: sooner than the common servers do (5 s), so that we seldom write into a connection that is closing. */
export const IDLE_MS = 4_000;

/**
 * The agent over HTTP/1.1, by undici's dispatch. Nothing is sent twice: undici moves a request to another connection only while not a byte of it
 * was written, and an answer that does not come is a fault, whatever the method.
 */
export class Http1Upstream {
  readonly #pool: Pool;
  readonly #shared: Shared;

  constructor(address: UpstreamAddress, shared: Shared) {
    const { limits } = shared;
    this.#shared = shared;
    this.#pool = new Pool(originOf(address), {
      connections: MAX_CONNECTIONS,
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      // Deadlines are ours: undici's count from the write to a connection, not from the start of waiting for one.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: limits.headerBytes,
      connectTimeout: limits.upstreamConnectTimeoutMs,
      ...(address.kind === 'unix' ? { socketPath: address.path } : {}),
    });
  }

  /** Sends one request and lets `answer` hear what comes of it. */
  send(request: PermittedRequest, downstream: Downstream, answer: Answer): void {
    dispatchHttp1(this.#pool, request, downstream, answer, this.#shared);
  }

  /** Lets requests under way end, then closes. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** Ends everything at once. */
  async destroy(): Promise<void> {
    await this.#pool.destroy();
  }
}

function originOf(address: UpstreamAddress): string {
  if (address.kind === 'unix') return 'http://localhost';
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `http://${host}:${address.port}`;
}
