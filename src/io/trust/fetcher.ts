import { err, ok } from '../../core/kernel/result.ts';
import { checkUrl, redirectTarget } from './address.ts';
import { spiffeConnector, webConnector } from './connector.ts';
import { exchange } from './exchange.ts';
import { fetchFault } from './fetch-fault.ts';
import { publicAuthorities } from './public-authorities.ts';
import { shownUrl } from './settings.ts';
import { conditions, validatorsOf, type Validators } from './validators.ts';

import type { buildConnector } from 'undici';
import type { Result } from '../../core/kernel/result.ts';
import type { Answer } from './exchange.ts';
import type { TrustDeps, TrustSettings } from './settings.ts';

/** What one question gave. `detail` is for the operator and begins with the URL; `retryAfterMs`: what the server asked for, milliseconds. */
export type Fetched =
  | { readonly kind: 'content'; readonly bytes: Uint8Array; readonly validators: Validators | undefined }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'failed'; readonly detail: string; readonly retryAfterMs: number | undefined };

/** Fetches from one address. */
export interface TrustFetcher {
  /** Asks once; with the validators of what is held, an answer may be `unchanged`. Never throws. */
  fetch(known: Validators | undefined): Promise<Fetched>;
  /** Ends what is under way, for good. */
  stop(): void;
}

const MAX_REDIRECTS = 3;
const MAX_BYTES = { https_web: 1_048_576, https_spiffe: 1_048_576, 'revocation-list': 16_777_216 } as const;
const MAX_CA_FILE = 1_048_576;
const ACCEPT = {
  https_web: 'application/json',
  https_spiffe: 'application/json',
  'revocation-list': 'application/pkix-crl, application/x-pem-file;q=0.9, */*;q=0.1',
} as const;

/** A server may not silence us for longer than this, milliseconds. */
const MAX_RETRY_AFTER = 600_000;

/** Creates a fetcher without effects. A bundle has at most 1 MiB, an answer with revocation lists 16 MiB. */
export function createTrustFetcher(settings: TrustSettings, deps: TrustDeps): TrustFetcher {
  return new Fetcher(settings, deps);
}

/** Why there is no content, before it is said where. */
type Failure = { readonly detail: string; readonly retryAfterMs?: number | undefined };

class Fetcher implements TrustFetcher {
  readonly #settings: TrustSettings;
  readonly #deps: TrustDeps;
  readonly #stopping = new AbortController();

  constructor(settings: TrustSettings, deps: TrustDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  async fetch(known: Validators | undefined): Promise<Fetched> {
    const { url, kind, timeoutMs } = this.#settings;
    const first = checkUrl(url, kind);
    if (!first.ok)
      return { kind: 'failed', detail: `the address of a ${kind} ${first.error}`, retryAfterMs: undefined };
    const deadline = new AbortController();
    const cancel = this.#deps.timer(timeoutMs, () => deadline.abort());
    try {
      const signal = AbortSignal.any([deadline.signal, this.#stopping.signal]);
      const fetched = await this.#follow(first.value, known, signal);
      return fetched.ok ? fetched.value : this.#failed(fetched.error);
    } catch (error) {
      if (this.#stopping.signal.aborted) return this.#failed({ detail: 'stopped' });
      if (deadline.signal.aborted) return this.#failed({ detail: `no whole answer within ${timeoutMs} ms` });
      return this.#failed({ detail: fetchFault(error) });
    } finally {
      cancel();
    }
  }

  stop(): void {
    this.#stopping.abort();
  }

  #failed({ detail, retryAfterMs }: Failure): Fetched {
    return { kind: 'failed', detail: `${shownUrl(this.#settings.url)}: ${detail}`, retryAfterMs };
  }

  async #follow(first: URL, known: Validators | undefined, signal: AbortSignal): Promise<Result<Fetched, Failure>> {
    const connect = await this.#connector();
    if (!connect.ok) return err({ detail: connect.error });
    const { kind } = this.#settings;
    let url = first;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const condition = conditions(url, known);
      const headers = { accept: ACCEPT[kind], ...condition };
      // oxlint-disable-next-line no-await-in-loop -- each redirect follows from the answer before it
      const answer = await exchange({ url, headers, connect: connect.value, maxBytes: MAX_BYTES[kind], signal });
      if (!answer.ok) return err({ detail: answer.error });
      const target = redirectTarget(answer.value.status, answer.value.headers['location'], url, kind);
      if (!target.ok) return err({ detail: target.error });
      if (target.value === undefined) return contentOf(answer.value, url, condition !== undefined);
      url = target.value;
    }
    return err({ detail: `more than ${MAX_REDIRECTS} redirects` });
  }

  /** Files are read anew for each question, so that they may be replaced. */
  async #connector(): Promise<Result<buildConnector.connector, string>> {
    const settings = this.#settings;
    if (settings.kind === 'https_spiffe') return ok(spiffeConnector(settings.judge));
    if (new URL(settings.url).protocol === 'http:') return ok(webConnector([]));
    if (settings.trustBundle === undefined) return ok(webConnector(publicAuthorities()));
    const file = await this.#deps.readFile(settings.trustBundle, MAX_CA_FILE);
    if (!file.ok) return file;
    const pem = new TextDecoder().decode(file.value.bytes);
    // An empty file would count for no file: the system's authorities would be believed in its place.
    if (!/^-----BEGIN CERTIFICATE-----/m.test(pem)) return err(`${settings.trustBundle}: holds no certificate in PEM`);
    return ok(webConnector([pem]));
  }
}

function contentOf({ status, headers, body }: Answer, url: URL, conditional: boolean): Result<Fetched, Failure> {
  if (status === 200) return ok({ kind: 'content', bytes: body, validators: validatorsOf(url, headers) });
  if (status === 304 && conditional) return ok({ kind: 'unchanged' });
  const seconds = /^[0-9]{1,10}$/.exec(headers['retry-after'] ?? '')?.[0];
  const retryAfterMs = seconds === undefined ? undefined : Math.min(MAX_RETRY_AFTER, Number(seconds) * 1_000);
  const why =
    status === 401 || status === 403
      ? ': it must not ask who we are (SPIFFE Federation 5.2); is the path right? `sallyport ca serve` has /v1/bundle and /v1/crl'
      : '';
  return err({ detail: `answered ${status}${why}`, retryAfterMs });
}
