import { createHash } from 'node:crypto';
import { createServer as createPlainServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { gzipSync } from 'node:zlib';

import { createAuthority } from './pki.ts';
import { until } from './until.ts';

import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';

export type RegistryRequest = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly certified: boolean;
};

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export type Described = { readonly mediaType: string; readonly digest: string; readonly size: number };

/** What a registry asks for before it answers. */
export type RegistryGuard =
  | { readonly kind: 'basic'; readonly login: string }
  /** Tokens of `/token` of this server; for `login`, or for anybody where there is none. */
  | { readonly kind: 'bearer'; readonly login?: string };

export type RegistryOptions = { readonly plain?: boolean; readonly authority?: ReturnType<typeof createAuthority> };

/**
 * A registry on loopback with one repository, `team/policies`: what the OCI Distribution Specification says of pulling, with HTTPS of an authority of its own or in the clear.
 * Debian's docker-registry is our server in test/conformance, which shows that a real one answers so.
 */
export class ScriptedRegistry {
  readonly repository = 'team/policies';
  readonly authority: ReturnType<typeof createAuthority>;
  readonly received: RegistryRequest[] = [];
  /** In place of an answer, by path without query; until they are taken away. */
  readonly scripts = new Map<string, Handler>();
  guard: RegistryGuard | undefined;
  /** The token that counts; another one makes those given out before worth nothing. */
  token = 'token-1';
  readonly #content = new Map<string, { readonly type: string; readonly bytes: Uint8Array }>();
  readonly #tags = new Map<string, string>();
  readonly #plain: boolean;
  readonly #server: Server;
  #port = 0;

  constructor({ plain = false, authority = createAuthority({ trustDomain: 'registry.test' }) }: RegistryOptions = {}) {
    this.#plain = plain;
    this.authority = authority;
    const serve: Handler = (request, response) => this.#serve(request, response);
    const issued = authority.issue({ uris: [], dnsNames: ['localhost'], subject: 'localhost' });
    const tls = { key: issued.keyPem, cert: issued.chainPem, ca: authority.bundlePem, requestCert: true };
    this.#server = plain ? createPlainServer(serve) : createServer({ ...tls, rejectUnauthorized: false }, serve);
  }

  get origin(): string {
    return `${this.#plain ? 'http' : 'https'}://localhost:${this.#port}`;
  }

  /** `oci://…` of a tag (`:1`) or digest (`@sha256:…`). */
  reference(suffix: string): string {
    return `oci://localhost:${this.#port}/${this.repository}${suffix}`;
  }

  path(kind: 'manifests' | 'blobs', reference: string): string {
    return `/v2/${this.repository}/${kind}/${reference}`;
  }

  /** Puts bytes there, as what their digest says. */
  put(bytes: Uint8Array, type: string): Described {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    this.#content.set(digest, { type, bytes });
    return { mediaType: type, digest, size: bytes.length };
  }

  /** Puts a document there and lets a tag lead to it. */
  tag(tag: string, document: unknown, type: string): Described {
    const described = this.put(new TextEncoder().encode(JSON.stringify(document)), type);
    this.#tags.set(tag, described.digest);
    return described;
  }

  /** A bundle as `oras push` stores it; gives what describes its manifest. */
  push(tag: string, bundle: Uint8Array): Described {
    return this.tag(tag, this.manifest([this.put(bundle, OCI_LAYER)]), OCI_MANIFEST);
  }

  /** An image manifest with these layers. */
  manifest(layers: readonly unknown[]): Record<string, unknown> {
    const config = this.put(new TextEncoder().encode('{}'), OCI_CONFIG);
    return { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers };
  }

  untag(tag: string): void {
    this.#tags.delete(tag);
  }

  /** Methods and paths so far, without the part that all have in common. */
  get asked(): readonly string[] {
    return this.received.map(({ method, path }) => `${method} ${path.replace(`/v2/${this.repository}/`, '')}`);
  }

  async heard(what: string, more = 1): Promise<void> {
    const count = (): number => this.asked.filter((one) => one === what).length;
    const from = count();
    await until(`${more} times ${what}`, () => count() >= from + more);
  }

  /** Listens on the port that it had before, or on a free one. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = request;
    const { pathname } = new URL(url, this.origin);
    const certified = (request.socket as { authorized?: boolean }).authorized === true;
    this.received.push({ method, path: url, headers, certified });
    const script = this.scripts.get(pathname);
    if (script !== undefined) script(request, response);
    else if (pathname === '/token') this.#giveToken(headers.authorization, response);
    else if (this.#letsIn(headers.authorization)) this.#answer(method, pathname, response);
    else response.writeHead(401, { 'www-authenticate': this.#challenge() }).end('{"errors": []}');
  }

  #challenge(): string {
    if (this.guard?.kind === 'basic') return 'Basic realm="registry"';
    return `Bearer realm="${this.origin}/token",service="registry.test",scope="repository:${this.repository}:pull,push,delete"`;
  }

  #letsIn(authorization: string | undefined): boolean {
    if (this.guard === undefined) return true;
    return authorization === (this.guard.kind === 'basic' ? basic(this.guard.login) : `Bearer ${this.token}`);
  }

  #giveToken(authorization: string | undefined, response: ServerResponse): void {
    const wanted = this.guard?.login === undefined ? undefined : basic(this.guard.login);
    if (authorization !== wanted) response.writeHead(401).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ token: this.token }));
  }

  #answer(method: string, path: string, response: ServerResponse): void {
    const [, kind, reference = ''] = /^\/v2\/team\/policies\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    const digest = kind === 'manifests' ? (this.#tags.get(reference) ?? reference) : reference;
    const content = this.#content.get(digest);
    if (content === undefined) {
      response.writeHead(404).end('{"errors": [{"code": "MANIFEST_UNKNOWN"}]}');
      return;
    }
    const type = kind === 'manifests' ? content.type : 'application/octet-stream';
    const fields = { 'content-type': type, 'content-length': content.bytes.length, 'docker-content-digest': digest };
    response.writeHead(200, fields).end(method === 'HEAD' ? undefined : content.bytes);
  }
}

/** Starts one that is gone when the test ends. */
export async function startRegistry(context: TestContext, options?: RegistryOptions): Promise<ScriptedRegistry> {
  const registry = new ScriptedRegistry(options);
  await registry.start();
  context.after(() => registry.stop());
  return registry;
}

/** Bytes that look like an archive. */
export function someArchive(word: string): Uint8Array {
  return gzipSync(word);
}

function basic(login: string): string {
  return `Basic ${Buffer.from(login).toString('base64')}`;
}
