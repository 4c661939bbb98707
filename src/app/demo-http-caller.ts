import { Agent, request } from 'undici';

import { CALL_MS, failureStatus, newTrace, type Seen } from './demo-calls.ts';

import type { CallerIdentity } from './demo-identities.ts';

/** Plain HTTP, over mTLS. */
export class HttpCaller {
  readonly #agent: Agent;
  readonly #origin: string;

  constructor({ cert, key, ca }: CallerIdentity, port: number) {
    this.#agent = new Agent({ connect: { cert, key, ca } });
    this.#origin = `https://localhost:${port}`;
  }

  async call(method: 'GET' | 'DELETE', path: string): Promise<Seen> {
    const { traceId, traceparent } = newTrace();
    try {
      const { statusCode, body } = await request(`${this.#origin}${path}`, {
        method,
        dispatcher: this.#agent,
        headers: { traceparent },
        signal: AbortSignal.timeout(CALL_MS),
      });
      await body.dump();
      return { status: String(statusCode), traceId };
    } catch (error) {
      return { status: failureStatus(error), traceId };
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}
