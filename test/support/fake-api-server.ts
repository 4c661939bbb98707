import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

import { createAuthority } from './pki.ts';

type Json = Readonly<Record<string, unknown>>;

/** What an API server can do instead of answering as it should. */
export type ApiServerFault =
  /** Another status with a Kubernetes `Status` object. */
  | { readonly kind: 'status'; readonly status: number }
  /** This text as the answer, with status 201. */
  | { readonly kind: 'text'; readonly text: string }
  /** A right answer to a review with its `status` changed. */
  | { readonly kind: 'changed'; readonly change: (status: Json) => unknown }
  /** A right answer changed as a whole. */
  | { readonly kind: 'whole'; readonly change: (review: Json) => unknown }
  /** Never answers. */
  | { readonly kind: 'silent' }
  /** Sends half of its answer, then nothing more. */
  | { readonly kind: 'stalled' }
  /** Cuts the connection without an answer. */
  | { readonly kind: 'reset' }
  /** A body without end. */
  | { readonly kind: 'endless' };

/** Who holds a token that the fake knows. */
export type KnownToken = {
  readonly audiences: readonly string[];
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod?: { readonly name: string; readonly uid: string };
};

/** A ConfigMap as it was applied. */
export type AppliedConfigMap = {
  readonly query: string;
  readonly contentType: string | undefined;
  readonly body: Json;
};

/**
 * What an authority asks of a Kubernetes API server, over HTTPS on loopback: TokenReview for the tokens that it is told of, its pods, and ConfigMaps by
 * server-side apply. It answers as kube-apiserver 1.37 does: 201 for any review that could be made, what is false left out, audiences only where they
 * overlap. It asks for a token of its own, as the real one does.
 */
export class FakeApiServer {
  readonly authority = createAuthority({ trustDomain: 'cluster.test' });
  /** The certificates to believe it by, PEM. */
  readonly caPem = this.authority.bundlePem;
  /** The token that its clients must show. */
  clientToken = 'client-token';
  readonly tokens = new Map<string, KnownToken>();
  /** Reviews so far, as they came. */
  readonly reviews: Json[] = [];
  /** By `NAMESPACE/NAME`; whole objects as `podObject` makes them. */
  readonly pods = new Map<string, Json>();
  /** Pods that were asked for, as `NAMESPACE/NAME`. */
  readonly asked: string[] = [];
  /** By `NAMESPACE/NAME`, each as often as it was applied. */
  readonly applied = new Map<string, AppliedConfigMap[]>();
  /** In place of every right answer. */
  fault: ApiServerFault | undefined = undefined;
  /** The same for pods alone. */
  podFault: ApiServerFault | undefined = undefined;
  readonly #server: Server;

  constructor() {
    const issued = this.authority.issue({ uris: [], dnsNames: ['localhost'], subject: 'localhost' });
    const tls = { key: issued.keyPem, cert: issued.chainPem };
    this.#server = createServer(tls, (request, response) => void this.#serve(request, response));
  }

  get url(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '', headers } = request;
    if (headers.authorization !== `Bearer ${this.clientToken}`) return refuse(response, 401);
    if (method === 'POST' && url === '/apis/authentication.k8s.io/v1/tokenreviews') {
      const review = (await jsonOf(request)) as { readonly spec: Asked };
      this.reviews.push(review);
      const answer = { ...review, metadata: {}, status: this.#statusOf(review.spec) };
      return this.#answer(request, response, answer, 201);
    }
    const [, namespace, kind, name, query = ''] =
      /^\/api\/v1\/namespaces\/([^/]+)\/(pods|configmaps)\/([^/?]+)\??(.*)$/.exec(url) ?? [];
    const key = `${namespace}/${name}`;
    if (method === 'GET' && kind === 'pods') return this.#pod(request, response, key);
    if (method !== 'PATCH' || kind !== 'configmaps') return refuse(response, 404);
    const body = (await jsonOf(request)) as Json;
    const applied = this.applied.get(key) ?? [];
    if (this.fault === undefined) {
      this.applied.set(key, [...applied, { query, contentType: headers['content-type'], body }]);
    }
    this.#answer(request, response, body, applied.length === 0 ? 201 : 200);
  }

  #pod(request: IncomingMessage, response: ServerResponse, key: string): void {
    this.asked.push(key);
    const pod = this.pods.get(key);
    const fault = this.podFault ?? this.fault;
    if (pod === undefined && fault === undefined) return refuse(response, 404, 'NotFound');
    this.#answer(request, response, pod ?? {}, 200, fault);
  }

  #statusOf(asked: Asked): Json {
    const known = this.tokens.get(asked.token);
    if (known === undefined) return { user: {}, error: '[invalid bearer token, token lookup failed]' };
    const audiences = asked.audiences.filter((one) => known.audiences.includes(one));
    if (audiences.length === 0) return { user: {}, error: '[invalid bearer token, token audiences do not match]' };
    const { namespace, serviceAccount, pod } = known;
    const user = {
      username: `system:serviceaccount:${namespace}:${serviceAccount}`,
      uid: '0f2c1a52-5e0b-4b6b-9d0c-6a1c2f1f7a00',
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': ['JTI=2e5f'],
        ...(pod && {
          'authentication.kubernetes.io/pod-name': [pod.name],
          'authentication.kubernetes.io/pod-uid': [pod.uid],
        }),
      },
    };
    return { authenticated: true, user, audiences };
  }

  #answer(request: IncomingMessage, response: ServerResponse, right: Json, status: number, fault = this.fault): void {
    switch (fault?.kind) {
      case undefined:
        return send(response, JSON.stringify(right), status);
      case 'status':
        return refuse(response, fault.status);
      case 'text':
        return send(response, fault.text, status);
      case 'changed':
        return send(response, JSON.stringify({ ...right, status: fault.change(right['status'] as Json) }), status);
      case 'whole':
        return send(response, JSON.stringify(fault.change(right)), status);
      case 'silent':
        return;
      case 'stalled':
        return void response.writeHead(201, { 'content-length': 1_000 }).write('{"kind":');
      case 'reset':
        return void request.socket.destroy();
      case 'endless':
        return pour(response);
      default:
        fault satisfies never;
    }
  }
}

type Asked = { readonly token: string; readonly audiences: readonly string[] };

/** Starts one that is gone when the test ends. */
export async function startFakeApiServer(context: TestContext): Promise<FakeApiServer> {
  const server = new FakeApiServer();
  await server.start();
  context.after(() => server.stop());
  return server;
}

/** A pod as the API server gives it, with what matters here; `change` goes over it. */
export function podObject(
  known: { readonly namespace: string; readonly serviceAccount: string; readonly name: string; readonly uid: string },
  podIPs: readonly string[],
  change: { readonly metadata?: Json; readonly spec?: Json; readonly status?: Json } = {},
): Json {
  const { namespace, serviceAccount: serviceAccountName, name, uid } = known;
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name, namespace, uid, creationTimestamp: '2026-01-01T00:00:00Z', ...change.metadata },
    spec: { serviceAccountName, containers: [{ name: 'agent', image: 'agent' }], ...change.spec },
    status: {
      phase: 'Running',
      ...(podIPs.length > 0 && { podIP: podIPs[0], podIPs: podIPs.map((ip) => ({ ip })) }),
      ...change.status,
    },
  };
}

function send(response: ServerResponse, text: string, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}

function refuse(response: ServerResponse, code: number, reason?: string): void {
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code };
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(status));
}

function pour(response: ServerResponse): void {
  const piece = Buffer.alloc(65_536, 0x20);
  const more = (): void => {
    while (!response.destroyed && response.write(piece)) {
      // As much as goes without waiting.
    }
  };
  response.writeHead(201).on('drain', more);
  more();
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return JSON.parse(Buffer.concat(pieces).toString());
}
