import type { PermittedRequest } from '../../core/gate/permit.ts';
import type { UpstreamAddress } from './address.ts';
import type { Answer, Shared } from './answer.ts';
import { plainDial } from './dial.ts';
import type { Downstream } from './downstream.ts';
import { sendHttp2, type Http2Route } from './http2-call.ts';
import { Http2Pool } from './http2-pool.ts';

/** The agent over HTTP/2 without TLS: gRPC, and whatever else speaks h2c. */
export class Http2Upstream {
  readonly #pool: Http2Pool;
  readonly #route: Http2Route;
  readonly #shared: Shared;

  constructor(address: UpstreamAddress, shared: Shared) {
    this.#shared = shared;
    this.#pool = new Http2Pool(plainDial(address), shared.limits);
    this.#route = { sessions: this.#pool, scheme: 'http' };
  }

  /** Sends one request and lets `answer` hear what comes of it. */
  send(request: PermittedRequest, downstream: Downstream, answer: Answer): void {
    sendHttp2(this.#route, this.#shared, request, downstream, answer);
  }

  /** Lets calls under way end, then closes. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** Ends everything at once. */
  destroy(): void {
    this.#pool.destroy();
  }
}
