import { err, ok, type Result } from '../../core/kernel/result.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import { readEnrolled, readTrust, type Enrolled } from './answers.ts';
import { createAuthorityJudge, type AuthorityJudge } from './authority-judge.ts';
import { malformed, unavailable, type ClientFault } from './client-fault.ts';
import { exchange, type Ask, type RawAnswer } from './exchange.ts';
import type { EnrolmentDeps, EnrolmentSettings } from './settings.ts';
import { readToken } from './token-file.ts';
import { connectVerified, type OwnCertificate } from './verified-connection.ts';

/** Speaks to one authority. Nothing of it throws or rejects, and nothing is tried again: when to ask again is the caller's to say. */
export interface AuthorityClient {
  /** Enrols a new key by the token, whose file is read at each call. `csr`: DER of a PKCS #10 request. The token is sent to nobody but the authority. */
  enrol(csr: Uint8Array): Promise<Result<Enrolled, ClientFault>>;
  /** Renews by the certificate in force, shown in mTLS. A key that cannot be exported (PKCS#11) cannot be shown: `unavailable`. */
  renew(csr: Uint8Array, current: OwnCertificate): Promise<Result<Enrolled, ClientFault>>;
  /**
   * Whom to believe now; with the revision that we hold it waits up to `waitMs` (at most a minute) for a change. An authority that cannot let us wait
   * answers early: then this takes a second all the same, so that whoever asks in a loop does not become a flood.
   */
  trust(revision: string | undefined, waitMs: number): Promise<Result<TrustDocument | 'unchanged', ClientFault>>;
  /** DER of the roots that the authority's own certificate is verified with, from now on. Before the first call it is not believed at all. */
  trustRoots(bundle: readonly Uint8Array[]): void;
  /** Ends what is under way, for good. */
  stop(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_WAIT_MS = 60_000;
/** Shortest time that asking for what has not changed takes. */
const PACE_MS = 1_000;
/** An authority may not silence us for longer than this: our certificate would end meanwhile. */
const MAX_RETRY_MS = 600_000;

/** Creates a client without effects. Throws for an ID that is no authority's (a start-up fault). */
export function createAuthorityClient(settings: EnrolmentSettings, deps: EnrolmentDeps): AuthorityClient {
  return new HttpsClient(settings, deps);
}

class HttpsClient implements AuthorityClient {
  readonly #settings: EnrolmentSettings;
  readonly #deps: EnrolmentDeps;
  readonly #url: URL;
  readonly #judge: AuthorityJudge;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(settings: EnrolmentSettings, deps: EnrolmentDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#url = new URL(settings.url);
    this.#judge = createAuthorityJudge(settings.id);
  }

  async enrol(csr: Uint8Array): Promise<Result<Enrolled, ClientFault>> {
    const { method } = this.#settings;
    const token = await readToken(this.#settings, this.#deps.readFile);
    if (!token.ok) return unavailable(token.error);
    return this.#certificate({ csr: csr.toBase64(), method, token: token.value }, undefined);
  }

  renew(csr: Uint8Array, current: OwnCertificate): Promise<Result<Enrolled, ClientFault>> {
    return this.#certificate({ csr: csr.toBase64() }, current);
  }

  async trust(revision: string | undefined, waitMs: number): Promise<Result<TrustDocument | 'unchanged', ClientFault>> {
    const startedMs = this.#deps.clock.monotonicMs();
    const waitS = Math.floor(Math.min(Math.max(waitMs, 0), MAX_WAIT_MS) / 1_000);
    const query = revision === undefined ? '' : `?revision=${encodeURIComponent(revision)}&wait=${waitS}`;
    const answer = await this.#ask({ method: 'GET', path: `/v1/trust${query}` }, undefined, waitS * 1_000);
    if (!answer.ok) return answer;
    if (answer.value.status === 304) {
      if (revision === undefined) return malformed('the answer is 304, though we hold nothing');
      await this.#pace(startedMs, Math.min(waitMs, PACE_MS));
      return ok('unchanged');
    }
    const body = bodyOf(answer.value);
    if (!body.ok) return body;
    const trust = readTrust(body.value, this.#judge.trustDomain);
    if (trust.ok) this.#judge.useLists(trust.value.crls);
    return trust;
  }

  trustRoots(bundle: readonly Uint8Array[]): void {
    this.#judge.trustRoots(bundle);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  async #certificate(ask: object, own: OwnCertificate | undefined): Promise<Result<Enrolled, ClientFault>> {
    const answer = await this.#ask({ method: 'POST', path: '/v1/svid', body: JSON.stringify(ask) }, own, 0);
    if (!answer.ok) return answer;
    const body = bodyOf(answer.value);
    if (!body.ok) return body;
    const enrolled = readEnrolled(body.value, this.#judge.trustDomain);
    if (enrolled.ok) this.#judge.useLists(enrolled.value.trust.crls);
    return enrolled;
  }

  async #ask(
    ask: Omit<Ask, 'host'>,
    own: OwnCertificate | undefined,
    extraMs: number,
  ): Promise<Result<RawAnswer, ClientFault>> {
    const running = this.#within((this.#settings.timeoutMs ?? DEFAULT_TIMEOUT_MS) + extraMs, async (signal) => {
      const url = this.#url;
      const atMs = this.#deps.clock.wallMs();
      const socket = await connectVerified({ url, judge: this.#judge, own, atMs, signal });
      if (!socket.ok) return socket;
      const base = url.pathname.replace(/\/$/, '');
      return exchange(socket.value, { ...ask, path: `${base}${ask.path}`, host: url.host });
    });
    this.#running.add(running);
    const answer = await running;
    this.#running.delete(running);
    return answer;
  }

  /** Work with a deadline; what it failed with because of that, or of stopping, is told as that. */
  async #within<T>(
    ms: number,
    work: (signal: AbortSignal) => Promise<Result<T, ClientFault>>,
  ): Promise<Result<T, ClientFault>> {
    const deadline = new AbortController();
    const cancel = this.#deps.timer(ms, () => deadline.abort());
    const answer = await work(AbortSignal.any([deadline.signal, this.#stopping.signal]));
    cancel();
    if (answer.ok) return answer;
    if (this.#stopping.signal.aborted) return unavailable('stopped');
    return deadline.signal.aborted ? unavailable(`no whole answer within ${ms} ms`) : answer;
  }

  /** Waits until `ms` after `startedMs`, or until we are stopped. */
  async #pace(startedMs: number, ms: number): Promise<void> {
    const restMs = startedMs + ms - this.#deps.clock.monotonicMs();
    const { signal } = this.#stopping;
    if (restMs <= 0 || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#deps.timer(restMs, resolve);
    const stopped = (): void => resolve();
    signal.addEventListener('abort', stopped, { once: true });
    await promise;
    cancel();
    signal.removeEventListener('abort', stopped);
  }
}

/** The JSON text of an answer that is one. */
function bodyOf({ status, headers, body }: RawAnswer): Result<string, ClientFault> {
  const retryAfterMs = waitOf(headers['retry-after']);
  if (status === 403) return err({ kind: 'refused', detail: 'the authority refused; its log says why' });
  if (status === 429) return unavailable('the authority has too many requests of us', retryAfterMs);
  if (status >= 500) return unavailable(`the authority cannot answer now (${status})`, retryAfterMs);
  if (status !== 200) return malformed(`the authority answered ${status}`);
  const isJson = /^application\/json(?:;|$)/i.test(headers['content-type'] ?? '');
  return isJson ? ok(body) : malformed('the answer is no JSON');
}

/** `Retry-After` in seconds (RFC 9110 10.2.3), which is how an authority says it. */
function waitOf(field: string | undefined): number | undefined {
  return field !== undefined && /^[0-9]{1,9}$/.test(field) ? Math.min(MAX_RETRY_MS, Number(field) * 1_000) : undefined;
}
