import { err, ok } from '../../core/kernel/result.ts';
import { createControlClient, type Answer, type ControlClient } from './client.ts';

import type { ServerAccess } from '../../core/config/targets.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { ControlDeps } from './settings.ts';

/** One question to a registry, or to the token service that it names. */
export type RegistryAsk = {
  readonly method: 'GET' | 'HEAD';
  readonly url: string;
  readonly accept: string;
  /** For the origin of `url` alone. */
  readonly authorization: string | undefined;
  readonly maxBytes: number;
};

/** Speaks to a registry and to whom it sends us. Never throws. */
export interface RegistryRequests {
  /** Asks, and follows redirects. The error is for the operator. */
  ask(request: RegistryAsk): Promise<Result<Answer, string>>;
  /** Whether credentials and content may go over this URL: HTTPS, or plain HTTP on this machine where the registry is there too. */
  isSafe(url: URL): boolean;
  stop(): Promise<void>;
}

/** Redirects in a row that are followed. */
const MAX_REDIRECTS = 5;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Creates what asks the registry at `origin`. No effects yet; each request has a connection of its own. */
export function createRegistryRequests(origin: string, access: ServerAccess, deps: ControlDeps): RegistryRequests {
  return new Requests(origin, access, deps);
}

class Requests implements RegistryRequests {
  readonly #origin: URL;
  readonly #access: ServerAccess;
  readonly #deps: ControlDeps;
  #current: ControlClient | undefined;
  #stopped = false;

  constructor(origin: string, access: ServerAccess, deps: ControlDeps) {
    this.#origin = new URL(origin);
    this.#access = access;
    this.#deps = deps;
  }

  async ask(request: RegistryAsk): Promise<Result<Answer, string>> {
    const first = new URL(request.url);
    let url = first;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      // Storage elsewhere is shown nothing of ours: its links carry what it wants to see.
      const authorization = url.origin === first.origin ? request.authorization : undefined;
      // oxlint-disable-next-line no-await-in-loop -- the next place is known by the answer of this one
      const answer = await this.#askOnce(url, request, authorization);
      if (!answer.ok) return url.origin === first.origin ? answer : err(`at ${url.host}: ${answer.error}`);
      // What another place wants to be shown is no question of the registry's: nothing of ours goes where it says.
      if (url.origin !== first.origin && answer.value.status === 401) return err(`at ${url.host}: answered 401`);
      if (!REDIRECTS.has(answer.value.status)) return answer;
      const next = this.#next(url, answer.value.headers['location']);
      if (!next.ok) return next;
      url = next.value;
    }
    return err(`it redirects more than ${MAX_REDIRECTS} times`);
  }

  isSafe(url: URL): boolean {
    if (url.username !== '' || url.password !== '') return false;
    if (url.protocol === 'https:') return true;
    return url.protocol === 'http:' && this.#origin.protocol === 'http:' && url.hostname === this.#origin.hostname;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#current?.stop();
  }

  async #askOnce(url: URL, request: RegistryAsk, authorization: string | undefined): Promise<Result<Answer, string>> {
    if (this.#stopped) return err('stopped');
    const client = createControlClient(this.#settingsFor(url), this.#deps);
    this.#current = client;
    const { method, accept, maxBytes } = request;
    const headers = { accept, ...(authorization !== undefined && { authorization }) };
    const answer = await client.ask({ method, headers, maxBytes });
    this.#current = undefined;
    await client.stop();
    return answer.ok ? answer : err(answer.error.detail);
  }

  /** The authorities that we believe hold for all; our certificate is for the registry. */
  #settingsFor(url: URL): ServerAccess & { readonly url: string } {
    const { timeout, trustBundle, certificate, privateKey } = this.#access;
    const own = url.origin === this.#origin.origin && { certificate, privateKey };
    return { url: url.href, timeout, ...(url.protocol === 'https:' && { trustBundle, ...own }) };
  }

  #next(from: URL, location: string | undefined): Result<URL, string> {
    const url = location === undefined ? null : URL.parse(location, from);
    if (url === null) return err('it redirects to nowhere (Location)');
    return this.isSafe(url) ? ok(url) : err('it redirects to a place that is not asked: only https:// is');
  }
}
