import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import type { TestContext } from 'node:test';

import { createWebhookServer } from '../../src/io/kube/webhook-server.ts';
import { createDrivenClock, type DrivenClock } from './driven-clock.ts';
import { createAuthority, type Issued } from './pki.ts';

import type { ServedCertificate } from '../../src/io/kube/served-certificate.ts';
import type { WebhookOutcome } from '../../src/io/kube/webhook-observer.ts';
import type { ReviewAnswer, WebhookLimits, WebhookServer } from '../../src/io/kube/webhook-server.ts';

const NAME = 'injector.system.svc';

/** What is different from a call of the API server. */
export type CallOptions = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

export type WebhookAnswer = {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
};

/** A webhook on loopback, and what calls it as the API server would. */
export class WebhookUnderTest {
  readonly authority = createAuthority();
  readonly clock: DrivenClock = createDrivenClock();
  readonly outcomes: WebhookOutcome[] = [];
  readonly errors: string[] = [];
  readonly server: WebhookServer;
  /** What the handler does. */
  answer: (text: string) => ReviewAnswer | Promise<ReviewAnswer> = (text) => ({
    kind: 'answered',
    text: `{"echo":${text}}`,
    outcome: { kind: 'injected' },
  });
  port = 0;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #certificate: ServedCertificate | undefined;
  #listener: (certificate: ServedCertificate) => void = () => undefined;

  constructor(limits: Partial<WebhookLimits>, path: string | undefined) {
    this.server = createWebhookServer(
      { listen: { host: '127.0.0.1', port: 0 }, path, limits },
      {
        serving: {
          current: () => this.#certificate,
          onChange: (listener) => {
            this.#listener = listener;
            return () => undefined;
          },
        },
        answer: (text) => this.answer(text),
        observer: { answered: (outcome) => void this.outcomes.push(outcome) },
        clock: this.clock,
        timer: this.clock.timer,
        log: { error: (fields, message) => void this.errors.push(`${message} ${JSON.stringify(fields)}`) },
      },
    );
  }

  /** Another certificate is in force from now on. */
  serve(issued: Pick<Issued, 'chainPem' | 'keyPem' | 'notAfter'> = this.issue()): void {
    const { chainPem: certificate, keyPem: privateKey, notAfter } = issued;
    this.#certificate = { certificate, privateKey, notAfterMs: notAfter.getTime() };
    this.#listener(this.#certificate);
  }

  issue(): Issued {
    return this.authority.issue({ dnsNames: [NAME] });
  }

  async post(body: string | Uint8Array, options: CallOptions = {}): Promise<WebhookAnswer> {
    const outgoing = request({
      host: '127.0.0.1',
      port: this.port,
      servername: NAME,
      ca: this.authority.bundlePem,
      method: 'POST',
      path: '/inject?timeout=10s',
      agent: this.#agent,
      ...options,
      headers: { 'content-type': 'application/json', ...options.headers },
    });
    const response = once(outgoing, 'response') as Promise<
      [NodeJS.ReadableStream & { statusCode: number; headers: WebhookAnswer['headers'] }]
    >;
    outgoing.end(body);
    const [answer] = await response;
    let text = '';
    for await (const piece of answer) text += String(piece);
    return { status: answer.statusCode, text, headers: answer.headers };
  }

  /** A connection of its own, for what is no proper request. */
  async raw(
    options: {
      readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2';
      readonly ALPNProtocols?: string[];
      /** Another address of loopback than that of `post`. */
      readonly localAddress?: string;
    } = {},
  ): Promise<TLSSocket> {
    const socket = connect({
      host: '127.0.0.1',
      port: this.port,
      servername: NAME,
      ca: this.authority.bundlePem,
      ...options,
    });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    return socket;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Starts one that has a certificate, unless it is said otherwise; it is gone when the test ends. */
export async function startWebhook(
  context: TestContext,
  {
    certificate = true,
    path,
    ...limits
  }: Partial<WebhookLimits> & { readonly certificate?: boolean; readonly path?: string } = {},
): Promise<WebhookUnderTest> {
  const webhook = new WebhookUnderTest(limits, path);
  if (certificate) webhook.serve();
  const { port } = await webhook.server.start();
  webhook.port = port;
  context.after(async () => {
    webhook.close();
    const stopped = webhook.server.stop(0, 0);
    webhook.clock.advance(1);
    await stopped;
  });
  return webhook;
}
