import { createHash } from 'node:crypto';

import { Agent, type Dispatcher } from 'undici';

import { gatherBytes } from '../../core/kernel/gather-bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { readTokenReview } from './token-review-answer.ts';

import type { Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { ReviewFault, ServiceAccountCaller } from './token-review-answer.ts';

export type TokenReviewSettings = {
  /** `https://HOST:PORT` of the API server. */
  readonly url: string;
  /** The audience that tokens must be for; never that of the API server, whose tokens every pod may hold for other reasons. */
  readonly audience: string;
  /** File with our own token, which may create `tokenreviews` (ClusterRole system:auth-delegator). Read anew for each review: it rotates. */
  readonly tokenFile: string;
  /** File with the certificates that the API server's own is verified with, PEM. Read anew as well. */
  readonly caFile: string;
  /** For the whole exchange, milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
};

/** Reads a regular file of at most `maxBytes`; the error begins with the path and holds nothing of the content. */
export type ReadBoundedFile = (
  path: string,
  maxBytes: number,
) => Promise<Result<{ readonly bytes: Uint8Array; readonly mode: number }, string>>;

export type TokenReviewDeps = {
  readonly readFile: ReadBoundedFile;
  /** Runs `action` once after `ms` milliseconds; the function it returns cancels it. */
  readonly timer: Timer;
};

/** Asks the API server of a Kubernetes cluster who holds a token. */
export interface TokenReviewer {
  /**
   * One question, nothing tried again, nothing remembered. Never rejects. That the token was taken from another pod cannot be seen here: whoever
   * holds it is its pod, so the issuance record has the pod's name and UID, and such tokens should live for minutes.
   */
  review(token: string): Promise<Result<ServiceAccountCaller, ReviewFault>>;
  /** Ends what is under way, for good. */
  stop(): Promise<void>;
}

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';
const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const DEFAULT_TIMEOUT_MS = 5_000;
const MAX_FILE = 1_048_576;
const MAX_HEAD = 16_384;
/** A TokenReview holds the token and a few names. */
const MAX_ANSWER = 262_144;
/** RFC 6750 2.1, which a JWT keeps to; longer ones than 16 KiB are nobody's. */
const TOKEN = /^[A-Za-z0-9._~+/-]{1,16384}=*$/;

/** How a pod reaches its API server: the environment and the files that Kubernetes gives to each. */
export function inClusterReview(
  environment: Readonly<Record<string, string | undefined>>,
  audience: string,
): Result<TokenReviewSettings, string> {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = environment;
  if (!/^[0-9A-Za-z.:-]{1,253}$/.test(host) || !/^[0-9]{1,5}$/.test(port))
    return err(
      'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT do not say where the API server is; is this a pod?',
    );
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return ok({ url, audience, tokenFile: `${FOLDER}/token`, caFile: `${FOLDER}/ca.crt` });
}

/** Creates the client without effects. */
export function createTokenReviewer(settings: TokenReviewSettings, deps: TokenReviewDeps): TokenReviewer {
  return new ApiServer(settings, deps);
}

class ApiServer implements TokenReviewer {
  readonly #settings: TokenReviewSettings;
  readonly #deps: TokenReviewDeps;
  readonly #stopping = new AbortController();
  #agent: { readonly digest: string; readonly agent: Agent } | undefined;

  constructor(settings: TokenReviewSettings, deps: TokenReviewDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  async review(token: string): Promise<Result<ServiceAccountCaller, ReviewFault>> {
    if (!TOKEN.test(token))
      return err({ kind: 'refused', detail: 'service account token: it has not the form of one' });
    const credentials = await this.#credentials();
    if (!credentials.ok) return unavailable(credentials.error);
    const ms = this.#settings.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const deadline = new AbortController();
    const cancel = this.#deps.timer(ms, () => deadline.abort());
    const signal = AbortSignal.any([deadline.signal, this.#stopping.signal]);
    try {
      return await this.#ask(token, credentials.value, signal);
    } catch (error) {
      if (this.#stopping.signal.aborted) return unavailable('stopped');
      return unavailable(deadline.signal.aborted ? `no whole answer within ${ms} ms` : `failed (${codeOf(error)})`);
    } finally {
      cancel();
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#agent?.agent.destroy();
  }

  async #ask(
    token: string,
    credentials: { readonly token: string; readonly ca: string },
    signal: AbortSignal,
  ): Promise<Result<ServiceAccountCaller, ReviewFault>> {
    const { url, audience } = this.#settings;
    const review = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: [audience] },
    };
    const response = await this.#agentFor(credentials.ca).request({
      origin: new URL(url).origin,
      path: PATH,
      method: 'POST',
      headers: {
        authorization: `Bearer ${credentials.token}`,
        'content-type': 'application/json',
        accept: 'application/json',
        'accept-encoding': 'identity',
      },
      body: JSON.stringify(review),
      signal,
    });
    const text = await gather(response);
    if (text === undefined) return unavailable(`the answer is larger than ${MAX_ANSWER} bytes`);
    const { statusCode } = response;
    if (statusCode === 401) return unavailable('the API server does not know our own token (401)');
    if (statusCode === 403)
      return unavailable('we may not create tokenreviews (403); bind system:auth-delegator to our service account');
    // Creating answers 201; 200 is what some servers in front of it make of that.
    return statusCode === 200 || statusCode === 201
      ? readTokenReview(text, audience)
      : unavailable(`the API server answered ${statusCode}`);
  }

  async #credentials(): Promise<Result<{ readonly token: string; readonly ca: string }, string>> {
    const { tokenFile, caFile } = this.#settings;
    const [token, ca] = await Promise.all([
      this.#deps.readFile(tokenFile, MAX_FILE),
      this.#deps.readFile(caFile, MAX_FILE),
    ]);
    if (!token.ok) return token;
    if (!ca.ok) return ca;
    const tokenText = new TextDecoder().decode(token.value.bytes).trim();
    if (!TOKEN.test(tokenText)) return err(`${tokenFile}: holds no bearer token (RFC 6750 2.1)`);
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
async function gather(response: Dispatcher.ResponseData): Promise<string | undefined> {
  const bytes = await gatherBytes(response.body as AsyncIterable<Uint8Array>, MAX_ANSWER);
  if (bytes === undefined) response.body.on('error', () => undefined).destroy();
  return bytes && Buffer.from(bytes.buffer, 0, bytes.length).toString('utf8');
}

/** The error's code, or its cause's; never its text, which may hold what was sent. */
function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } | null };
  const codes = [code, cause?.code].filter((one) => typeof one === 'string');
  return codes.find((one) => /^[A-Z0-9_]{1,64}$/.test(one)) ?? 'unknown error';
}

function unavailable(detail: string): Result<never, ReviewFault> {
  return err({ kind: 'unavailable', detail: `TokenReview: ${detail}` });
}
