import { createHash } from 'node:crypto';

import { registryOrigin, type ServerAccess } from '../../core/config/targets.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { readChallenge } from './auth-challenge.ts';
import { readRegistryCredentials, type RegistryCredentials } from './credentials.ts';
import { ACCEPT_MANIFESTS, MAX_MANIFEST_BYTES, readManifest, type Descriptor } from './oci-manifest.ts';
import { createRegistryRequests, type RegistryAsk, type RegistryRequests } from './registry-request.ts';
import { fetchRegistryToken } from './registry-token.ts';
import { retryAfterMs } from './retry-after.ts';

import type { OciReference } from '../../core/kernel/oci-reference.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { BundleAnswer, BundleAsk, BundleServer } from './bundle-server.ts';
import type { Answer } from './client.ts';
import type { ControlDeps } from './settings.ts';

/** Why a download came to nothing. `httpCode` tells of the tag or digest that is asked for, not of what it leads to. */
type PullFault = Omit<Extract<BundleAnswer, { readonly kind: 'failed' }>, 'kind'>;

const REFUSED = 'it does not let us in, or has no such repository; see token and tokenFile';
const REASONS: Readonly<Record<number, string>> = {
  401: REFUSED,
  403: REFUSED,
  429: 'it wants to be asked less often; see minDelay and maxDelay',
};
const ABSENT = { manifests: 'it has no such tag or digest', blobs: 'it has no such blob' } as const;

/** Small content may be answered by an error that is larger, bytes. */
const LEAST_BYTES = 65_536;

type PullDeps = ControlDeps & { readonly wallMs: () => number };

/**
 * Creates the client of a bundle in a registry (OCI Distribution Specification 1.1, "Pull"; OPA documentation, "OCI Registry"). Its ETag is the digest of the manifest that tag
 * or digest lead to. Content counts only where it has the digest that led to it. `archiveBytes`: the largest bundle that is read.
 */
export function createRegistryBundleServer(
  image: OciReference,
  access: ServerAccess,
  archiveBytes: number,
  deps: PullDeps,
): BundleServer {
  const origin = registryOrigin(image, access);
  const requests = createRegistryRequests(origin, access, deps);
  const puller = new Puller(image, access, archiveBytes, { ...deps, origin, requests });
  return { fetch: (ask) => puller.fetch(ask), stop: () => requests.stop() };
}

class Puller {
  readonly #image: OciReference;
  readonly #access: ServerAccess;
  readonly #archiveBytes: number;
  readonly #deps: PullDeps & { readonly origin: string; readonly requests: RegistryRequests };
  /** What the registry accepted last, and the credentials that it was got with; in memory only. */
  #shown: { readonly authorization: string; readonly by: string } | undefined;

  constructor(
    image: OciReference,
    access: ServerAccess,
    archiveBytes: number,
    deps: PullDeps & { readonly origin: string; readonly requests: RegistryRequests },
  ) {
    this.#image = image;
    this.#access = access;
    this.#archiveBytes = archiveBytes;
    this.#deps = deps;
  }

  async fetch({ etag }: BundleAsk): Promise<BundleAnswer> {
    if (etag !== undefined) {
      const known = await this.#compare(etag);
      if (known !== undefined) return known;
    }
    const pulled = await this.#pull();
    if (pulled.ok) return { kind: 'archive', ...pulled.value, longPolling: false };
    return this.#failed(pulled.error);
  }

  /**
   * Whether the registry says that its manifest is still this one: it counts a GET of a manifest as a pull, and a HEAD not. Undefined where the manifest itself is to be asked
   * for, because it is another or because nothing of use was said.
   */
  async #compare(digest: string): Promise<BundleAnswer | undefined> {
    const answer = await this.#ask({
      method: 'HEAD',
      url: this.#url('manifests', this.#image.reference),
      accept: ACCEPT_MANIFESTS,
      maxBytes: MAX_MANIFEST_BYTES,
    });
    if (!answer.ok) return this.#failed(answer.error);
    const judged = this.#judged(answer.value, 'manifests');
    if (!judged.ok) return answer.value.status === 429 ? this.#failed(judged.error) : undefined;
    const isStill = answer.value.headers['docker-content-digest'] === digest;
    return isStill ? { kind: 'unchanged', etag: digest, longPolling: false } : undefined;
  }

  #failed(error: PullFault): BundleAnswer {
    const { registry, repository, reference } = this.#image;
    const suffix = `${reference.includes(':') ? '@' : ':'}${reference}`;
    return { kind: 'failed', ...error, detail: `oci://${registry}/${repository}${suffix}: ${error.detail}` };
  }

  async #pull(): Promise<Result<{ readonly bytes: Uint8Array; readonly etag: string }, PullFault>> {
    const { reference } = this.#image;
    const top = await this.#content('manifests', reference, MAX_MANIFEST_BYTES);
    if (!top.ok) return top;
    const etag = digestOf(top.value.body);
    if (reference.includes(':') && reference !== etag)
      return fault('the manifest has another digest than the one asked for');
    const layer = await this.#layer(top.value);
    if (!layer.ok) return layer;
    if (layer.value.size > this.#archiveBytes) return fault(`the bundle is larger than ${this.#archiveBytes} bytes`);
    const blob = await this.#described('blobs', layer.value);
    return blob.ok ? ok({ bytes: blob.value.body, etag }) : blob;
  }

  /** The bundle that a manifest leads to, over an index with one image. */
  async #layer(top: Answer): Promise<Result<Descriptor, PullFault>> {
    const read = readManifest(top.body, top.headers['content-type']);
    if (!read.ok) return fault(read.error);
    if (read.value.kind === 'bundle') return ok(read.value.layer);
    const { manifest } = read.value;
    if (manifest.size > MAX_MANIFEST_BYTES) return fault(`the manifest is larger than ${MAX_MANIFEST_BYTES} bytes`);
    const inner = await this.#described('manifests', manifest);
    if (!inner.ok) return inner;
    const image = readManifest(inner.value.body, manifest.mediaType);
    if (!image.ok) return fault(image.error);
    return image.value.kind === 'bundle' ? ok(image.value.layer) : fault('the index leads to another index');
  }

  /** Content that has to be what led to it said. That it is not there says nothing of the tag. */
  async #described(kind: 'blobs' | 'manifests', { digest, size }: Descriptor): Promise<Result<Answer, PullFault>> {
    const answer = await this.#content(kind, digest, Math.max(size, LEAST_BYTES));
    if (!answer.ok) return err({ ...answer.error, httpCode: undefined });
    const { length } = answer.value.body;
    if (length !== size)
      return fault(`what the manifest leads to has ${length} bytes, and not the ${size} that it says`);
    return digestOf(answer.value.body) === digest
      ? answer
      : fault('what came has another digest than the manifest says');
  }

  async #content(kind: 'blobs' | 'manifests', reference: string, maxBytes: number): Promise<Result<Answer, PullFault>> {
    const accept = kind === 'manifests' ? ACCEPT_MANIFESTS : 'application/octet-stream, */*';
    const answer = await this.#ask({ method: 'GET', url: this.#url(kind, reference), accept, maxBytes });
    return answer.ok ? this.#judged(answer.value, kind) : answer;
  }

  #judged(answer: Answer, kind: 'blobs' | 'manifests'): Result<Answer, PullFault> {
    const { status, headers } = answer;
    if (status === 200) return ok(answer);
    const why = status === 404 ? ABSENT[kind] : REASONS[status];
    return err({
      detail: `answered ${status}${why === undefined ? '' : `: ${why}`}`,
      httpCode: status,
      retryAfterMs: retryAfterMs(headers['retry-after'], this.#deps.wallMs()),
    });
  }

  /** Asks with what was accepted last; where that is no good, once more with what the registry wants. */
  async #ask(request: Omit<RegistryAsk, 'authorization'>): Promise<Result<Answer, PullFault>> {
    const { requests, readFile } = this.#deps;
    const credentials = await readRegistryCredentials(this.#access, readFile);
    if (!credentials.ok) return fault(credentials.error);
    const authorization = this.#known(credentials.value);
    const first = await requests.ask({ ...request, authorization });
    if (!first.ok) return fault(first.error);
    if (first.value.status !== 401) return first;
    const wanted = await this.#wanted(first.value.headers['www-authenticate'], credentials.value);
    if (!wanted.ok) return wanted;
    if (wanted.value === undefined) return first;
    const second = await requests.ask({ ...request, authorization: wanted.value });
    if (!second.ok) return fault(second.error);
    this.#shown =
      second.value.status === 401 ? undefined : { authorization: wanted.value, by: keyOf(credentials.value) };
    return second;
  }

  /** What is shown unasked: a token that is configured, or what other credentials have led to. A login only once it was asked for. */
  #known(credentials: RegistryCredentials): string | undefined {
    if (credentials.kind === 'bearer') return credentials.authorization;
    return this.#shown?.by === keyOf(credentials) ? this.#shown.authorization : undefined;
  }

  /** What a 401 asks for; undefined where we have nothing of that kind. */
  async #wanted(
    field: string | undefined,
    credentials: RegistryCredentials,
  ): Promise<Result<string | undefined, PullFault>> {
    if (credentials.kind === 'bearer') return ok(undefined);
    const login = credentials.kind === 'basic' ? credentials.authorization : undefined;
    const challenge = readChallenge(field);
    if (challenge === undefined)
      return fault('answered 401, and does not say how it is shown who asks (WWW-Authenticate: Bearer or Basic)', 401);
    if (challenge.kind === 'basic') return ok(login);
    const { requests, wallMs } = this.#deps;
    const token = await fetchRegistryToken(requests, challenge, this.#image.repository, login, wallMs());
    if (!token.ok) return err({ ...token.error, httpCode: undefined });
    return ok(`Bearer ${token.value}`);
  }

  #url(kind: 'blobs' | 'manifests', reference: string): string {
    return `${this.#deps.origin}/v2/${this.#image.repository}/${kind}/${reference}`;
  }
}

function fault(detail: string, httpCode?: number): Result<never, PullFault> {
  return err({ detail, httpCode, retryAfterMs: undefined });
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function keyOf(credentials: RegistryCredentials): string {
  return credentials.kind === 'none' ? '' : credentials.authorization;
}
