import { Agent } from 'undici';

import { err } from '../../core/kernel/result.ts';
import { hearEvents, objectOf, pageOf, statusFault } from './api-answer.ts';
import { readApiCredentials } from './api-credentials.ts';
import { connectionFault } from './api-fault.ts';
import { resourcePath } from './api-resource.ts';

import type { Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { ApiResponse, ObjectPage } from './api-answer.ts';
import type { ApiCredentials, ReadBoundedFile } from './api-credentials.ts';
import type { ApiFault } from './api-fault.ts';
import type { KubeObject, Resource, Verb } from './api-resource.ts';
import type { ApiSettings } from './in-cluster.ts';
import type { WatchEvent } from './watch-event.ts';

export type ApiClientDeps = {
  readonly readFile: ReadBoundedFile;
  /** Runs `action` once after `ms` milliseconds; the function it returns cancels it. */
  readonly timer: Timer;
  /** Hears of each request that failed, for metrics. */
  readonly onFault?: ((verb: Verb, fault: ApiFault) => void) | undefined;
};

/** Which objects of a collection, and how much of them. */
export type Selection = {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Nothing but `metadata` (PartialObjectMetadata). Default false. */
  readonly metadataOnly?: boolean | undefined;
};

/** One page of a collection. */
export type ListAsk = Selection & {
  /** Objects of one page. */
  readonly limit: number;
  /** `continue` of the page before. */
  readonly continue?: string | undefined;
  readonly maxBytes: number;
};

/** A watch from a resourceVersion on. */
export type WatchAsk = Selection & {
  readonly resourceVersion: string;
  /** How long the API server is to keep it, seconds; a watch that is silent for longer than that is given up. */
  readonly timeoutSeconds: number;
  /** Longest line. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** The API server has taken it: from now on nothing is missed. */
  readonly opened?: (() => void) | undefined;
};

/** How an object is to be changed. */
export type Change =
  | { readonly kind: 'merge'; readonly patch: unknown }
  /** RFC 6902. A `test` that fails is a `conflict`. */
  | { readonly kind: 'json'; readonly patch: readonly object[] }
  /** Server-side apply: of these fields, `manager` is the owner from then on. `force`: take them from others. */
  | { readonly kind: 'apply'; readonly patch: object; readonly manager: string; readonly force: boolean };

/** The Kubernetes API, as far as it is needed here. One request each, nothing is tried again; nothing rejects. */
export interface ApiClient {
  get(resource: Resource): Promise<Result<KubeObject, ApiFault>>;
  list(resource: Resource, ask: ListAsk): Promise<Result<ObjectPage, ApiFault>>;
  /** Tells of events until the watch ends: undefined where the API server ended it as agreed. */
  watch(resource: Resource, ask: WatchAsk, hear: (event: WatchEvent) => void): Promise<ApiFault | undefined>;
  /** `resource` is the collection. An object of that name that is there already is a `conflict`. */
  create(resource: Resource, object: object): Promise<Result<KubeObject, ApiFault>>;
  /** Replaces; where the object's `metadata.resourceVersion` is not the present one, that is a `conflict`. */
  update(resource: Resource, object: object): Promise<Result<KubeObject, ApiFault>>;
  patch(resource: Resource, change: Change): Promise<Result<KubeObject, ApiFault>>;
  /** Ends what is under way, for good. */
  stop(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_HEAD = 16_384;
/** A watch may end this much later than it was asked to, milliseconds. */
const WATCH_GRACE_MS = 10_000;
/** Watches hold one each. */
const CONNECTIONS = 32;

const METHODS = { get: 'GET', list: 'GET', watch: 'GET', create: 'POST', update: 'PUT', patch: 'PATCH' } as const;

const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
} as const satisfies Record<Change['kind'], string>;

/** Creates a client without effects; connections are made when it is asked. TLS 1.2 at least, HTTP/1.1, no redirect, no proxy of the environment. */
export function createApiClient(settings: ApiSettings, deps: ApiClientDeps): ApiClient {
  return new UndiciApiClient(settings, deps);
}

type Exchange = {
  readonly verb: Verb;
  readonly resource: Resource;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly accept?: string;
  readonly body?: { readonly type: string; readonly text: string };
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

class UndiciApiClient implements ApiClient {
  readonly #settings: ApiSettings;
  readonly #deps: ApiClientDeps;
  readonly #stopping = new AbortController();
  #agent: { readonly digest: string; readonly agent: Agent } | undefined;

  constructor(settings: ApiSettings, deps: ApiClientDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  get(resource: Resource): Promise<Result<KubeObject, ApiFault>> {
    return this.#exchange({ verb: 'get', resource }, objectOf);
  }

  list(resource: Resource, ask: ListAsk): Promise<Result<ObjectPage, ApiFault>> {
    const query = { ...selectors(ask), limit: String(ask.limit), continue: ask.continue };
    const accept = acceptOf(ask, 'PartialObjectMetadataList');
    return this.#exchange({ verb: 'list', resource, query, accept }, (response) => pageOf(response, ask.maxBytes));
  }

  async watch(resource: Resource, ask: WatchAsk, hear: (event: WatchEvent) => void): Promise<ApiFault | undefined> {
    const query = {
      ...selectors(ask),
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: ask.resourceVersion,
      timeoutSeconds: String(ask.timeoutSeconds),
    };
    const accept = acceptOf(ask, 'PartialObjectMetadata');
    const timeoutMs = ask.timeoutSeconds * 1_000 + WATCH_GRACE_MS;
    const ended = await this.#exchange(
      { verb: 'watch', resource, query, accept, timeoutMs, signal: ask.signal },
      (response) => {
        ask.opened?.();
        return hearEvents(response, ask.maxBytes, hear);
      },
    );
    return ended.ok ? undefined : ended.error;
  }

  create(resource: Resource, object: object): Promise<Result<KubeObject, ApiFault>> {
    return this.#exchange({ verb: 'create', resource, body: jsonBody(object) }, objectOf);
  }

  update(resource: Resource, object: object): Promise<Result<KubeObject, ApiFault>> {
    return this.#exchange({ verb: 'update', resource, body: jsonBody(object) }, objectOf);
  }

  patch(resource: Resource, change: Change): Promise<Result<KubeObject, ApiFault>> {
    const body = { type: PATCH_TYPES[change.kind], text: JSON.stringify(change.patch) };
    const query = change.kind === 'apply' ? { fieldManager: change.manager, force: String(change.force) } : {};
    return this.#exchange({ verb: 'patch', resource, query, body }, objectOf);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#agent?.agent.destroy();
  }

  async #exchange<T>(
    exchange: Exchange,
    read: (response: ApiResponse) => Promise<Result<T, ApiFault>>,
  ): Promise<Result<T, ApiFault>> {
    const answer = await this.#bounded(exchange, read);
    if (!answer.ok && answer.error.kind !== 'stopped') this.#deps.onFault?.(exchange.verb, answer.error);
    return answer;
  }

  async #bounded<T>(
    exchange: Exchange,
    read: (response: ApiResponse) => Promise<Result<T, ApiFault>>,
  ): Promise<Result<T, ApiFault>> {
    const ms = exchange.timeoutMs ?? this.#settings.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const deadline = new AbortController();
    const cancel = this.#deps.timer(ms, () => deadline.abort());
    const told = exchange.signal === undefined ? [] : [exchange.signal];
    const stop = AbortSignal.any([this.#stopping.signal, ...told]);
    try {
      return await this.#ask(exchange, AbortSignal.any([deadline.signal, stop]), read);
    } catch (error) {
      if (stop.aborted) return err({ kind: 'stopped', detail: 'API client: stopped' });
      const late = `${exchange.verb} ${resourcePath(exchange.resource)}: no whole answer within ${ms} ms`;
      return err(deadline.signal.aborted ? { kind: 'unavailable', detail: late } : connectionFault(error));
    } finally {
      cancel();
    }
  }

  async #ask<T>(
    exchange: Exchange,
    signal: AbortSignal,
    read: (response: ApiResponse) => Promise<Result<T, ApiFault>>,
  ): Promise<Result<T, ApiFault>> {
    const credentials = await readApiCredentials(this.#settings, this.#deps.readFile);
    if (!credentials.ok) return err({ kind: 'unavailable', detail: credentials.error });
    const { verb, resource, query = {}, accept = 'application/json', body } = exchange;
    const response = await this.#agentFor(credentials.value).request({
      origin: new URL(this.#settings.url).origin,
      path: `${resourcePath(resource)}${queryText(query)}`,
      method: METHODS[verb],
      headers: {
        authorization: credentials.value.authorization,
        accept,
        'accept-encoding': 'identity',
        'user-agent': 'sallyport',
        ...(body !== undefined && { 'content-type': body.type }),
      },
      body: body?.text ?? null,
      signal,
    });
    if (response.statusCode === 200 || response.statusCode === 201) return read(response);
    return err(await statusFault(response, exchange));
  }

  /** An agent that believes these authorities; the one that believed others finishes what it has begun. */
  #agentFor({ ca, caDigest }: ApiCredentials): Agent {
    if (this.#agent?.digest === caDigest) return this.#agent.agent;
    void this.#agent?.agent.close();
    const agent = new Agent({
      // Said outright: NODE_TLS_REJECT_UNAUTHORIZED must not switch it off for what decides here.
      connect: { ca, rejectUnauthorized: true, minVersion: 'TLSv1.2' },
      allowH2: false,
      connections: CONNECTIONS,
      // Deadlines are ours and cover the whole exchange; undici's would end a quiet watch.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEAD,
    });
    this.#agent = { digest: caDigest, agent };
    return agent;
  }
}

function selectors({ labelSelector, fieldSelector }: Selection): Readonly<Record<string, string | undefined>> {
  return { labelSelector, fieldSelector };
}

function acceptOf({ metadataOnly }: Selection, kind: string): string {
  return metadataOnly === true ? `application/json;as=${kind};g=meta.k8s.io;v=v1` : 'application/json';
}

function queryText(query: Readonly<Record<string, string | undefined>>): string {
  const said = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return said.length === 0 ? '' : `?${new URLSearchParams(said).toString()}`;
}

function jsonBody(object: object): NonNullable<Exchange['body']> {
  return { type: 'application/json', text: JSON.stringify(object) };
}
