import { Agent, type Dispatcher } from 'undici';

import { gatherBytes } from '../../core/kernel/gather-bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { readCredentials, type Credentials } from './credentials.ts';
import { peerConnection } from './peer-connection.ts';
import { PeerRefused, requestFault, type RequestFault } from './request-fault.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { ControlDeps, ControlSettings } from './settings.ts';

/** One request to the one URL of the client. */
export type Ask = {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** Most bytes of the answer; more is a fault, and the rest is not read. */
  readonly maxBytes: number;
  /** Time beyond the configured timeout, milliseconds: what a long poll may wait. Default 0. */
  readonly extraMs?: number | undefined;
};

export type Answer = {
  readonly status: number;
  /** Names in lower case; of a field that came several times the first. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** Speaks to one endpoint of a management API. */
export interface ControlClient {
  /** Asks once: no redirect is followed, nothing is tried again. Never throws. */
  ask(request: Ask): Promise<Result<Answer, RequestFault>>;
  /** Ends what is under way, for good. */
  stop(): Promise<void>;
}

/** Largest head of an answer, bytes. */
const MAX_HEAD = 16_384;

/** Creates a client without effects; connections are made when it is asked, and kept for a while. */
export function createControlClient(settings: ControlSettings, deps: ControlDeps): ControlClient {
  return new HttpsClient(settings, deps);
}

class HttpsClient implements ControlClient {
  readonly #settings: ControlSettings;
  readonly #deps: ControlDeps;
  readonly #stopping = new AbortController();
  #agent: { readonly digest: string; readonly agent: Agent } | undefined;

  constructor(settings: ControlSettings, deps: ControlDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  async ask(request: Ask): Promise<Result<Answer, RequestFault>> {
    const credentials = await readCredentials(this.#settings, this.#deps.readFile);
    if (!credentials.ok) return err({ kind: 'credentials', detail: credentials.error });
    const deadline = new AbortController();
    const ms = this.#settings.timeout + (request.extraMs ?? 0);
    const cancel = this.#deps.timer(ms, () => deadline.abort());
    const signal = AbortSignal.any([deadline.signal, this.#stopping.signal]);
    try {
      const { peer } = this.#settings;
      if (peer !== undefined) return await this.#exchangeWithPeer(peer, request, credentials.value, signal);
      return await this.#exchange(this.#agentFor(credentials.value), request, credentials.value, signal);
    } catch (error) {
      if (this.#stopping.signal.aborted) return err({ kind: 'stopped', detail: 'stopped' });
      if (deadline.signal.aborted) return err({ kind: 'timeout', detail: `no whole answer within ${ms} ms` });
      return err(requestFault(error));
    } finally {
      cancel();
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#agent?.agent.destroy();
  }

  /** One connection for one request, by our identity of now; what it brought counts only while the server is who it has to be. */
  async #exchangeWithPeer(
    peer: string,
    request: Ask,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<Result<Answer, RequestFault>> {
    const { identity } = this.#deps;
    const context = identity?.context() ?? err('there is no identity of ours here');
    if (identity === undefined || !context.ok)
      return err({ kind: 'credentials', detail: context.ok ? '' : `no connection can be made: ${context.error}` });
    const { timeout } = this.#settings;
    const { agent, refusal } = peerConnection(peer, identity, {
      context: context.value,
      maxHeaderSize: MAX_HEAD,
      timeout,
    });
    try {
      const answer = await this.#exchange(agent, request, credentials, signal);
      const wrong = answer.ok ? refusal() : undefined;
      return wrong === undefined ? answer : err(requestFault(new PeerRefused(wrong)));
    } finally {
      await agent.destroy();
    }
  }

  async #exchange(
    agent: Agent,
    request: Ask,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<Result<Answer, RequestFault>> {
    const { origin, pathname, search } = new URL(this.#settings.url);
    const { method, body } = request;
    const response = await agent.request({
      origin,
      path: `${pathname}${search}`,
      method,
      headers: {
        'accept-encoding': 'identity',
        ...request.headers,
        ...(credentials.authorization !== undefined && { authorization: credentials.authorization }),
      },
      body: body ?? null,
      signal,
    });
    const headers = firstValues(response.headers);
    const coding = headers['content-encoding'] ?? 'identity';
    if (coding !== 'identity')
      return giveUp(response, { kind: 'broken', detail: 'the answer is compressed, which was not asked for' });
    return readAnswer(response, headers, request.maxBytes);
  }

  /** An agent with these credentials; the one with earlier ones finishes what it has begun. */
  #agentFor({ tls, tlsDigest }: Credentials): Agent {
    if (this.#agent?.digest === tlsDigest) return this.#agent.agent;
    void this.#agent?.agent.close();
    const { timeout } = this.#settings;
    // Deadlines are ours and cover the whole exchange; undici's would end a long poll.
    const agent = new Agent({
      // Said outright: NODE_TLS_REJECT_UNAUTHORIZED must not switch it off for what decides here.
      connect: { ...tls, rejectUnauthorized: true, minVersion: 'TLSv1.2', timeout },
      // HTTP/1.1 is all that is needed, and what the bounds below are about; undici would let the server choose HTTP/2.
      allowH2: false,
      connections: 2,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEAD,
    });
    this.#agent = { digest: tlsDigest, agent };
    return agent;
  }
}

async function readAnswer(
  response: Dispatcher.ResponseData,
  headers: Answer['headers'],
  maxBytes: number,
): Promise<Result<Answer, RequestFault>> {
  const tooLarge = { kind: 'too_large', detail: `the answer is larger than ${maxBytes} bytes` } as const;
  if (Number(headers['content-length'] ?? 0) > maxBytes) return giveUp(response, tooLarge);
  const body = await gatherBytes(response.body as AsyncIterable<Uint8Array>, maxBytes);
  if (body === undefined) return giveUp(response, tooLarge);
  return ok({ status: response.statusCode, headers, body });
}

/** Ends an exchange whose answer is no good: the rest of it is not read, and its connection not used again. */
function giveUp(response: Dispatcher.ResponseData, fault: RequestFault): Result<never, RequestFault> {
  response.body.on('error', () => undefined).destroy();
  return err(fault);
}

function firstValues(headers: Dispatcher.ResponseData['headers']): Readonly<Record<string, string>> {
  const first: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) {
    const text = Array.isArray(value) ? value[0] : value;
    if (text !== undefined) first[name.toLowerCase()] = text;
  }
  return first;
}
