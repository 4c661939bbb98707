import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';

import type { RefusalAnswer } from '../../../src/core/gate/exchange.ts';
import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { Connection } from '../../../src/core/model/connection.ts';
import { fault, FAULTS, type Fault } from '../../../src/core/model/faults.ts';
import { DEFAULT_LIMITS, type Limits } from '../../../src/core/model/limits.ts';
import type { Peer } from '../../../src/core/model/peer.ts';
import type { HttpExchange, TcpExchange } from '../../../src/io/listen/downstream.ts';
import type { AdmittedPeer, ListenHandler, PresentedChain } from '../../../src/io/listen/handler.ts';
import { createListener, type Listener } from '../../../src/io/listen/listener.ts';
import type { ListenSettings } from '../../../src/io/listen/settings.ts';
import { connectFrames, type FramePeer, type FrameTarget } from '../../support/http2-frame-peer.ts';
import { createAuthority, type Issued } from '../../support/pki.ts';
import { connectRaw, type RawPeer } from '../../support/raw-http1-peer.ts';

type Judged = { readonly connection: Connection; readonly presented: PresentedChain };

/** One call into the handler. */
export type Told =
  | ({ readonly kind: 'admit' } & Judged)
  | ({ readonly kind: 'readmit' } & Judged)
  | {
      readonly kind: 'refused';
      readonly connection: Connection;
      readonly fault: Fault;
      readonly peer: AdmittedPeer | undefined;
    }
  | {
      readonly kind: 'unreadable';
      readonly connection: Connection;
      readonly fault: Fault;
      readonly peer: AdmittedPeer;
    }
  | { readonly kind: 'exchange'; readonly exchange: HttpExchange }
  | { readonly kind: 'raw'; readonly exchange: TcpExchange };

/** Signs for the clients, and is what the listener is told to trust. */
export const clientAuthority = createAuthority();
const serverIdentity = clientAuthority.issue({ id: 'spiffe://example.org/server', dnsNames: ['agent.test'] });
export const clientIdentity = clientAuthority.issue({ id: 'spiffe://example.org/client' });
export const anchors = clientAuthority.bundlePem;

/** An answer as the gate would give it, small. */
export function answerOf(reason: Fault): RefusalAnswer {
  const row = FAULTS[reason.code];
  const body = row.http === 0 ? '' : `refused ${row.http}`;
  const headers = ['content-type', 'text/plain', 'content-length', String(body.length)];
  return { status: row.http, grpcStatus: undefined, headers, body, close: row.close };
}

export function identified(validUntilMs = Number.MAX_SAFE_INTEGER): Extract<Peer, { kind: 'identified' }> {
  return {
    kind: 'identified',
    spiffeId: 'spiffe://example.org/client' as SpiffeId,
    trustDomain: 'example.org' as TrustDomain,
    path: '/client',
    certificate: {
      serial: '1',
      notBeforeMs: 0,
      notAfterMs: validUntilMs,
      sha256: '',
      spkiSha256: '',
      issuer: '',
      subject: '',
      dnsNames: [],
      der: clientIdentity.der,
    },
    validUntilMs,
  };
}

/** Writes down everything it is told and answers as the test says. By default admits all and answers `ok` to every request. */
export class FakeHandler implements ListenHandler {
  readonly told: Told[] = [];
  #wake: (() => void)[] = [];
  #taken = new Set<Told>();
  judge: (connection: Connection, presented: PresentedChain) => Peer = () => identified();
  judgeAgain: (connection: Connection, presented: PresentedChain) => Peer = () => identified();
  onExchange: (exchange: HttpExchange) => void = (exchange) =>
    exchange.respondWhole(200, ['content-type', 'text/plain'], Buffer.from('ok'), undefined);
  onRaw: (exchange: TcpExchange) => void = (exchange) => exchange.socket.pipe(exchange.socket);

  admit(connection: Connection, presented: PresentedChain): Peer {
    this.#tell({ kind: 'admit', connection, presented });
    return this.judge(connection, presented);
  }

  readmit(connection: Connection, presented: PresentedChain): Peer {
    this.#tell({ kind: 'readmit', connection, presented });
    return this.judgeAgain(connection, presented);
  }

  refused(connection: Connection, reason: Fault, peer: AdmittedPeer | undefined): void {
    this.#tell({ kind: 'refused', connection, fault: reason, peer });
  }

  unreadable(connection: Connection, peer: AdmittedPeer, reason: Fault): RefusalAnswer {
    this.#tell({ kind: 'unreadable', connection, fault: reason, peer });
    return answerOf(reason);
  }

  exchange(exchange: HttpExchange): void {
    this.#tell({ kind: 'exchange', exchange });
    this.onExchange(exchange);
  }

  raw(exchange: TcpExchange): void {
    this.#tell({ kind: 'raw', exchange });
    this.onRaw(exchange);
  }

  /** Takes the first call of this kind that was not taken before; waits for it. */
  async next<K extends Told['kind']>(kind: K): Promise<Extract<Told, { kind: K }>> {
    for (;;) {
      const found = this.told.find((each) => each.kind === kind && !this.#taken.has(each));
      if (found !== undefined) {
        this.#taken.add(found);
        return found as Extract<Told, { kind: K }>;
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** `kind code` of everything told that has a fault, in order. */
  get faults(): readonly string[] {
    return this.told.flatMap((each) => ('fault' in each ? [`${each.kind} ${each.fault.code}`] : []));
  }

  count(kind: Told['kind']): number {
    return this.told.filter((each) => each.kind === kind).length;
  }

  #tell(told: Told): void {
    this.told.push(told);
    const waiting = this.#wake;
    this.#wake = [];
    for (const resolve of waiting) resolve();
  }
}

/** How a forwarder's side of an exchange ended. */
export type Ending = 'sent' | `${'peer' | 'us'} ${string}`;

/** Listens on an exchange as a forwarder does. */
export function endingOf(exchange: HttpExchange): Promise<Ending> {
  return new Promise((resolve) => {
    exchange.onSent = () => resolve('sent');
    exchange.onClosed = (reason, by) => resolve(`${by} ${reason.code}`);
  });
}

/** Everything a body stream yields, as Latin-1. */
export async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.resume();
  await once(stream, 'end');
  return Buffer.concat(chunks).toString('latin1');
}

/** A clock that a test can push forward. */
export class PushedClock {
  aheadMs = 0;
  /** The listener reads the wall clock with each sweep. */
  #readings = 0;

  wallMs(): number {
    this.#readings += 1;
    return Date.now() + this.aheadMs;
  }

  monotonicMs(): number {
    return performance.now() + this.aheadMs;
  }

  /** Settles when two more sweeps have begun, so that one has surely seen everything until now. */
  async swept(): Promise<void> {
    const before = this.#readings;
    await until(() => this.#readings >= before + 2);
  }
}

export type Setup = {
  readonly limits?: Partial<Limits>;
  readonly protocol?: 'http' | 'tcp';
  readonly tls?: Partial<ListenSettings['tls']>;
};

/** A listener on loopback with a fake handler; everything connected through it is closed with it. */
export class Bench implements AsyncDisposable {
  readonly handler = new FakeHandler();
  readonly clock = new PushedClock();
  readonly problems: unknown[] = [];
  readonly listener: Listener;
  readonly settings: ListenSettings;
  port = 0;
  readonly #open: { close(): void }[] = [];

  constructor(setup: Setup = {}) {
    this.settings = {
      host: '127.0.0.1',
      port: 0,
      name: 'test:0',
      protocol: setup.protocol ?? 'http',
      tls: {
        certificateChain: serverIdentity.chainPem,
        privateKey: serverIdentity.keyPem,
        trustAnchors: [anchors],
        minVersion: 'TLSv1.3',
        resumption: false,
        ...setup.tls,
      },
      limits: { ...DEFAULT_LIMITS, ...setup.limits },
    };
    this.listener = createListener(this.settings, {
      handler: this.handler,
      clock: this.clock,
      random: (length) => randomBytes(length),
      problem: (error) => this.problems.push(error),
    });
  }

  static async start(setup: Setup = {}): Promise<Bench> {
    const bench = new Bench(setup);
    bench.port = (await bench.listener.start()).port;
    return bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#open) each.close();
    await this.listener.stop(0);
  }

  clientTls(identity: Issued | null = clientIdentity): ConnectionOptions {
    const own = identity === null ? {} : { cert: identity.chainPem, key: identity.keyPem };
    return { ca: anchors, servername: 'agent.test', ...own };
  }

  async raw(tls: ConnectionOptions = {}): Promise<RawPeer> {
    return this.keep(await connectRaw({ port: this.port, tls: { ...this.clientTls(), ...tls } }));
  }

  async frames(more: Pick<FrameTarget, 'settings' | 'answersPings'> = {}): Promise<FramePeer> {
    return this.keep(await connectFrames({ port: this.port, tls: this.clientTls(), ...more }));
  }

  /** A bare TLS client; errors are ignored. */
  tls(
    options: ConnectionOptions & { allowHalfOpen?: boolean } = {},
    identity: Issued | null = clientIdentity,
  ): TLSSocket {
    const socket = connectTls({ port: this.port, host: '127.0.0.1', ...this.clientTls(identity), ...options });
    socket.on('error', () => undefined);
    this.keep({ close: () => socket.destroy() });
    return socket;
  }

  keep<T extends { close(): void }>(peer: T): T {
    this.#open.push(peer);
    return peer;
  }

  /** Another connection goes on working. */
  async works(): Promise<boolean> {
    const before = this.handler.onExchange;
    const peer = await this.raw();
    this.handler.onExchange = (exchange) => exchange.respondWhole(200, [], Buffer.from('still here'), undefined);
    peer.send('GET /works HTTP/1.1\r\nHost: agent.test\r\n\r\n');
    const { body } = await peer.response();
    this.handler.onExchange = before;
    peer.close();
    return body === 'still here';
  }
}

/** Settles when a socket has closed, whichever way. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Settles when `condition` holds; looks again at each turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

export { fault };
