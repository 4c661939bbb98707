import { applyPatch } from 'rfc6902';

import type { KubeCall } from './fake-kube-api.ts';

export type Stored = {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly resourceVersion?: string | undefined;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
};

export type StoredEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly path: string;
  readonly object: Stored;
};

type Answer = { readonly status: number; readonly json: unknown };

/** Objects by their path, with the resourceVersions of one etcd. */
export class FakeKubeStore {
  version = 100;
  readonly objects = new Map<string, Stored>();
  readonly #events: StoredEvent[] = [];
  readonly #listeners = new Set<(event: StoredEvent) => void>();
  /** Events up to here are not known any more. */
  #compacted = 0;

  /** The collection over all namespaces that an object's path belongs to. */
  static collectionOf(path: string): string {
    return path.slice(0, path.lastIndexOf('/')).replace(/\/namespaces\/[^/]+(?=\/)/, '');
  }

  onEvent(listener: (event: StoredEvent) => void): void {
    this.#listeners.add(listener);
  }

  put(path: string, object: object): Stored {
    const before = this.objects.get(path);
    this.version += 1;
    const { metadata = {} } = object as { metadata?: object };
    const namespace = /\/namespaces\/([^/]+)\/[^/]+\/[^/]+$/.exec(path)?.[1];
    const name = path.slice(path.lastIndexOf('/') + 1);
    const stored = {
      ...object,
      metadata: { name, ...(namespace && { namespace }), ...metadata, resourceVersion: String(this.version) },
    };
    this.objects.set(path, stored);
    this.#happen({ type: before === undefined ? 'ADDED' : 'MODIFIED', path, object: stored });
    return stored;
  }

  remove(path: string): void {
    const object = this.objects.get(path);
    if (object === undefined) return;
    this.version += 1;
    this.objects.delete(path);
    this.#happen({ type: 'DELETED', path, object: withVersion(object, this.version) });
  }

  /** Forgets what happened so far: watches from before are gone. */
  compact(): void {
    this.#compacted = this.version;
  }

  /** What happened after a resourceVersion; undefined where that is not known any more. */
  eventsSince(version: number): readonly StoredEvent[] | undefined {
    if (version < this.#compacted) return undefined;
    return this.#events.filter(({ object }) => Number(object.metadata.resourceVersion) > version);
  }

  answer({ method, path, query, type, body }: KubeCall): Answer {
    if (method === 'GET')
      return this.objects.has(path) || !isCollection(path) ? this.#get(path) : this.#list(path, query);
    if (method === 'POST') return this.#create(path, body as Stored);
    const before = this.objects.get(path);
    if (method === 'PATCH' && type.includes('apply'))
      return { status: 200, json: this.put(path, { ...before, ...(body as object) }) };
    if (before === undefined) return failure(404, 'NotFound');
    return method === 'PUT' ? this.#update(path, before, body as Stored) : this.#patch(path, before, type, body);
  }

  #get(path: string): Answer {
    const object = this.objects.get(path);
    return object === undefined ? failure(404, 'NotFound') : { status: 200, json: object };
  }

  #list(path: string, query: URLSearchParams): Answer {
    const field = query.get('fieldSelector');
    const all = [...this.objects]
      .filter(([at]) => at.slice(0, at.lastIndexOf('/')) === path || FakeKubeStore.collectionOf(at) === path)
      .map(([, object]) => object)
      .filter((object) => field === null || field === `metadata.name=${object.metadata.name}`);
    const from = Number(query.get('continue') ?? 0);
    const to = from + Number(query.get('limit') ?? all.length);
    const metadata = { resourceVersion: String(this.version), ...(to < all.length && { continue: String(to) }) };
    return { status: 200, json: { kind: 'List', metadata, items: all.slice(from, to) } };
  }

  #create(collection: string, object: Stored): Answer {
    const path = `${collection}/${object.metadata.name}`;
    return this.objects.has(path) ? failure(409, 'AlreadyExists') : { status: 201, json: this.put(path, object) };
  }

  #update(path: string, before: Stored, object: Stored): Answer {
    const { resourceVersion } = object.metadata;
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion)
      return failure(409, 'Conflict');
    return { status: 200, json: this.put(path, object) };
  }

  #patch(path: string, before: Stored, type: string, body: unknown): Answer {
    const copy = structuredClone(before);
    if (type.includes('json-patch')) {
      const errors = applyPatch(copy, body as Parameters<typeof applyPatch>[1]);
      if (errors.some((error) => error !== null)) return failure(422, 'Invalid');
      return { status: 200, json: this.put(path, copy) };
    }
    return { status: 200, json: this.put(path, { ...copy, ...(body as object), metadata: before.metadata }) };
  }

  #happen(event: StoredEvent): void {
    this.#events.push(event);
    for (const listener of this.#listeners) listener(event);
  }
}

function isCollection(path: string): boolean {
  const parts = path.replace(/^\/(?:api|apis\/[^/]+)\/[^/]+\//, '').split('/');
  return parts.length === 1 || (parts[0] === 'namespaces' && parts.length === 3);
}

function withVersion(object: Stored, version: number): Stored {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

function failure(status: number, reason: string): Answer {
  return { status, json: { kind: 'Status', status: 'Failure', code: status, reason, message: 'TOP SECRET' } };
}
