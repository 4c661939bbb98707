import { createHash } from 'node:crypto';

import { Agent, type Dispatcher } from 'undici';

import { gatherBytes } from '../../core/kernel/gather-bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';

/** How the API server of a Kubernetes cluster is reached, and who we are there. */
export type ApiServerSettings = {
  /** `https://HOST:PORT` of the API server. */
  readonly url: string;
  /** File with our own token. Read anew for each request: it rotates. */
  readonly tokenFile: string;
  /** File with the certificates that the API server's own is verified with, PEM. Read anew as well. */
  readonly caFile: string;
  /** For a whole exchange, milliseconds. Default 5,000. */
  readonly timeoutMs?: number | undefined;
};

/** Reads a regular file of at most `maxBytes`; the error begins with the path and holds nothing of the content. */
export type ReadBoundedFile = (
  path: string,
  maxBytes: number,
) => Promise<Result<{ readonly bytes: Uint8Array; readonly mode: number }, string>>;

export type ApiServerDeps = {
  readonly readFile: ReadBoundedFile;
  /** Runs `action` once after `ms` milliseconds; the function it returns cancels it. */
  readonly timer: Timer;
};

/** One request. `path` begins with `/` and is sent as it stands. */
export type ApiAsk = {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  /** Sent as JSON, under `contentType` (default `application/json`). */
  readonly body?: unknown;
  readonly contentType?: string;
  /** Largest answer that is read, bytes. */
  readonly maxBytes: number;
};

/** The answer of the API server, whatever its status. */
export type ApiAnswer = { readonly status: number; readonly text: string };

/** The API server of a cluster, as far as an authority speaks to it. */
export interface ApiServer {
  /** One question, nothing tried again, nothing remembered, no redirect followed. Never rejects; the error is for the operator and holds nothing that was sent. */
  ask(ask: ApiAsk): Promise<Result<ApiAnswer, string>>;
  /** Ends what is under way, for good. */
  stop(): Promise<void>;
}

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
/** File in which each pod finds the name of its own namespace. */
export const OWN_NAMESPACE_FILE = `${FOLDER}/namespace`;
const DEFAULT_TIMEOUT_MS = 5_000;
const MAX_FILE = 1_048_576;
const MAX_HEAD = 16_384;
/** RFC 6750 2.1, which a JWT keeps to; longer ones than 16 KiB are nobody's. */
const TOKEN = /^[A-Za-z0-9._~+/-]{1,16384}=*$/;

/** True for what can be a bearer token (RFC 6750 2.1). */
export function isBearerToken(text: string): boolean {
  return TOKEN.test(text);
}

/** How a pod reaches its API server: the environment and the files that Kubernetes gives to each. */
export function inClusterApi(
  environment: Readonly<Record<string, string | undefined>>,
): Result<ApiServerSettings, string> {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = environment;
  if (!/^[0-9A-Za-z.:-]{1,253}$/.test(host) || !/^[0-9]{1,5}$/.test(port))
    return err(
      'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT do not say where the API server is; is this a pod?',
    );
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return ok({ url, tokenFile: `${FOLDER}/token`, caFile: `${FOLDER}/ca.crt` });
}

/** Creates the client without effects. */
export function createApiServer(settings: ApiServerSettings, deps: ApiServerDeps): ApiServer {
  return new HttpsApiServer(settings, deps);
}

type Credentials = { readonly token: string; readonly ca: string };

class HttpsApiServer implements ApiServer {
  readonly #settings: ApiServerSettings;
  readonly #deps: ApiServerDeps;
  readonly #stopping = new AbortController();
  #agent: { readonly digest: string; readonly agent: Agent } | undefined;

  constructor(settings: ApiServerSettings, deps: ApiServerDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  async ask(ask: ApiAsk): Promise<Result<ApiAnswer, string>> {
    const credentials = await this.#credentials();
    if (!credentials.ok) return credentials;
    const ms = this.#settings.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const deadline = new AbortController();
    const cancel = this.#deps.timer(ms, () => deadline.abort());
    const signal = AbortSignal.any([deadline.signal, this.#stopping.signal]);
    try {
      return await this.#exchange(ask, credentials.value, signal);
    } catch (error) {
      if (this.#stopping.signal.aborted) return err('stopped');
      return err(deadline.signal.aborted ? `no whole answer within ${ms} ms` : `failed (${codeOf(error)})`);
    } finally {
      cancel();
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#agent?.agent.destroy();
  }

  async #exchange(ask: ApiAsk, { token, ca }: Credentials, signal: AbortSignal): Promise<Result<ApiAnswer, string>> {
    const { method, path, body, contentType = 'application/json', maxBytes } = ask;
    const response = await this.#agentFor(ca).request({
      origin: new URL(this.#settings.url).origin,
      path,
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': contentType }),
        accept: 'application/json',
        'accept-encoding': 'identity',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal,
    });
    const text = await gather(response, maxBytes);
    if (text === undefined) return err(`the answer is larger than ${maxBytes} bytes`);
    const { statusCode: status } = response;
    return status === 401 ? err('the API server does not know our own token (401)') : ok({ status, text });
  }

  async #credentials(): Promise<Result<Credentials, string>> {
    const { tokenFile, caFile } = this.#settings;
    const [token, ca] = await Promise.all([
      this.#deps.readFile(tokenFile, MAX_FILE),
      this.#deps.readFile(caFile, MAX_FILE),
    ]);
    if (!token.ok) return token;
    if (!ca.ok) return ca;
    const tokenText = new TextDecoder().decode(token.value.bytes).trim();
    if (!isBearerToken(tokenText)) return err(`${tokenFile}: holds no bearer token (RFC 6750 2.1)`);
    const caText = new TextDecoder().decode(ca.value.bytes);
    // An empty file would count for no file, and the system's authorities would be believed.
    if (!/^-----BEGIN CERTIFICATE-----/m.test(caText)) return err(`${caFile}: holds no certificate in PEM`);
    return ok({ token: tokenText, ca: caText });
  }

  /** An agent that believes these authorities; the one that believed others finishes what it has begun. */
  #agentFor(ca: string): Agent {
    const digest = createHash('sha256').update(ca).digest('hex');
    if (this.#agent?.digest === digest) return this.#agent.agent;
    void this.#agent?.agent.close();
    const agent = new Agent({
      // Said outright: NODE_TLS_REJECT_UNAUTHORIZED must not switch it off for what decides here.
      connect: { ca, rejectUnauthorized: true, minVersion: 'TLSv1.2' },
      allowH2: false,
      connections: 4,
      // The deadline is ours and covers the whole exchange.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEAD,
    });
    this.#agent = { digest, agent };
    return agent;
  }
}

/** The whole body; undefined where it is too large, and then the rest is not read and the connection not used again. */
async function gather(response: Dispatcher.ResponseData, maxBytes: number): Promise<string | undefined> {
  const bytes = await gatherBytes(response.body as AsyncIterable<Uint8Array>, maxBytes);
  if (bytes === undefined) response.body.on('error', () => undefined).destroy();
  return bytes && Buffer.from(bytes.buffer, 0, bytes.length).toString('utf8');
}

/** The error's code, or its cause's; never its text, which may hold what was sent. */
function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } | null };
  const codes = [code, cause?.code].filter((one) => typeof one === 'string');
  return codes.find((one) => /^[A-Z0-9_]{1,64}$/.test(one)) ?? 'unknown error';
}
