import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

import { createAuthority } from './pki.ts';

type Json = Readonly<Record<string, unknown>>;

/** What an API server can do instead of answering a TokenReview as it should. */
export type ApiServerFault =
  /** Another status with a Kubernetes `Status` object. */
  | { readonly kind: 'status'; readonly status: number }
  /** This text as the answer, with status 201. */
  | { readonly kind: 'text'; readonly text: string }
  /** A right answer with its `status` changed. */
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

/**
 * The TokenReview API of a Kubernetes API server over HTTPS on loopback, for the tokens that it is told of. It answers as kube-apiserver 1.37 does: 201
 * for any review that could be made, what is false left out, audiences only where they overlap. It asks for a token of its own, as the real one does.
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
  fault: ApiServerFault | undefined = undefined;
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
    const { method, url, headers } = request;
    if (method !== 'POST' || url !== '/apis/authentication.k8s.io/v1/tokenreviews') return refuse(response, 404);
    if (headers.authorization !== `Bearer ${this.clientToken}`) return refuse(response, 401);
    const review = (await jsonOf(request)) as { readonly spec: Asked };
    this.reviews.push(review);
    this.#answer(request, response, { ...review, metadata: {}, status: this.#statusOf(review.spec) });
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

  #answer(request: IncomingMessage, response: ServerResponse, review: Json): void {
    const { fault } = this;
    switch (fault?.kind) {
      case undefined:
        return send(response, JSON.stringify(review));
      case 'status':
        return refuse(response, fault.status);
      case 'text':
        return send(response, fault.text);
      case 'changed':
        return send(response, JSON.stringify({ ...review, status: fault.change(review['status'] as Json) }));
      case 'whole':
        return send(response, JSON.stringify(fault.change(review)));
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

function send(response: ServerResponse, text: string): void {
  response.writeHead(201, { 'content-type': 'application/json' }).end(text);
}

function refuse(response: ServerResponse, code: number): void {
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code };
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
