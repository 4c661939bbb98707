import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Agent, fetch } from 'undici';

import { CALL_MS, failureStatus, newTrace, type Seen } from './demo-calls.ts';

import type { CallerIdentity } from './demo-identities.ts';

/** The official MCP client over Streamable HTTP. All that it is given of ours is a certificate. */
export class McpCaller {
  readonly #agent: Agent;
  readonly #client = new Client({ name: 'sallyport-demo', version: '1.0.0' });
  readonly #transport: StreamableHTTPClientTransport;
  #posted: Seen = { status: 'not sent', traceId: '' };

  constructor({ cert, key, ca }: CallerIdentity, port: number) {
    this.#agent = new Agent({ connect: { cert, key, ca } });
    const url = new URL(`https://localhost:${port}/mcp`);
    this.#transport = new StreamableHTTPClientTransport(url, { fetch: this.#fetch });
  }

  /** `initialize`: the first message of a session. */
  open(): Promise<Seen> {
    // The client's own type does not know `exactOptionalPropertyTypes`.
    const transport = this.#transport as unknown as Parameters<Client['connect']>[0];
    return this.#seen('initialize', async () => {
      await this.#client.connect(transport, { timeout: CALL_MS });
      return '';
    });
  }

  /** `tools/call` of one tool. */
  callTool(name: string, args: Readonly<Record<string, unknown>>): Promise<Seen> {
    return this.#seen('tools/call', async () => {
      const result = await this.#client.callTool({ name, arguments: { ...args } }, undefined, { timeout: CALL_MS });
      return result['isError'] === true ? ' with an error of the tool' : '';
    });
  }

  /** Ends the session as the protocol asks for, and every connection. */
  async close(): Promise<void> {
    await this.#transport.terminateSession().catch(() => undefined);
    await this.#client.close();
    await this.#agent.destroy();
  }

  /** Runs `call`; what is reported is the HTTP exchange that carried the message `method`. */
  async #seen(method: string, call: () => Promise<string>): Promise<Seen> {
    this.#method = method;
    try {
      const addition = await call();
      return { ...this.#posted, status: `${this.#posted.status}${addition}` };
    } catch (error) {
      // The client gives up on any status but 2xx; the status itself was seen below.
      return this.#posted.status === '' ? { ...this.#posted, status: failureStatus(error) } : this.#posted;
    }
  }

  #method = '';

  readonly #fetch = async (url: string | URL, init: RequestInit = {}): Promise<Response> => {
    const { traceId, traceparent } = newTrace();
    const watched = typeof init.body === 'string' && messageOf(init.body) === this.#method;
    if (watched) this.#posted = { status: '', traceId };
    const headers = { ...Object.fromEntries(new Headers(init.headers)), traceparent };
    const answer = await fetch(url, { ...init, headers, dispatcher: this.#agent } as Parameters<typeof fetch>[1]);
    if (watched) this.#posted = { status: String(answer.status), traceId };
    return answer as unknown as Response;
  };
}

/** `method` of a JSON-RPC message. */
function messageOf(body: string): unknown {
  const message: unknown = JSON.parse(body);
  return typeof message === 'object' && message !== null && 'method' in message ? message.method : undefined;
}
