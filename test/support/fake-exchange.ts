import type { CollectedBody, Enough, Exchange, RawExchange, RefusalAnswer } from '../../src/core/gate/exchange.ts';
import type { ConnectionId, SpiffeId, TrustDomain } from '../../src/core/kernel/brand.ts';
import type { HeaderList } from '../../src/core/kernel/headers.ts';
import type { Connection } from '../../src/core/model/connection.ts';
import type { Fault } from '../../src/core/model/faults.ts';
import type { Outcome } from '../../src/core/model/outcome.ts';
import type { IdentifiedPeer } from '../../src/core/model/peer.ts';
import type { RawHead } from '../../src/core/model/request.ts';

let connections = 0;

/** A connection as a listener would describe it; each call gives another. */
export function fakeConnection(over: Partial<Connection> = {}): Connection {
  connections += 1;
  return {
    id: `c-${connections}` as ConnectionId,
    direction: 'inbound',
    listener: '0.0.0.0:8443',
    remote: { address: '10.0.0.9', port: 40_000 + connections },
    local: { address: '10.0.0.7', port: 8443 },
    openedAtMs: 1_000,
    tls: { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', alpn: 'http/1.1', sni: 'agent', resumed: false },
    ...over,
  };
}

/** A peer whose chain was verified; the certificate is made up. */
export function fakePeer(id = 'spiffe://example.org/agents/planner'): IdentifiedPeer {
  const [, , trustDomain = '', ...path] = id.split('/');
  return {
    kind: 'identified',
    spiffeId: id as SpiffeId,
    trustDomain: trustDomain as TrustDomain,
    path: `/${path.join('/')}`,
    certificate: {
      serial: '1f',
      notBeforeMs: 0,
      notAfterMs: 10_000_000,
      sha256: 'a'.repeat(64),
      spkiSha256: 'b'.repeat(64),
      issuer: 'CN=test',
      subject: 'CN=planner',
      dnsNames: [],
      der: new Uint8Array([0x30, 0x00]),
    },
    validUntilMs: 10_000_000,
  };
}

/** An HTTP/1.1 head as a reader would deliver it. */
export function http1Head(method: string, target: string, headers: HeaderList = []): RawHead {
  return {
    kind: 'http1',
    version: '1.1',
    method,
    target,
    headers: ['Host', 'agent.internal', ...headers],
    upgrade: false,
  };
}

/** A gRPC head as an HTTP/2 reader would deliver it. */
export function grpcHead(path: string, headers: HeaderList = []): RawHead {
  const pseudo = [':method', 'POST', ':scheme', 'https', ':path', path, ':authority', 'agent.internal'];
  return {
    kind: 'http2',
    headers: [...pseudo, 'content-type', 'application/grpc', 'te', 'trailers', ...headers],
    endStream: false,
  };
}

/** One request under way, without a socket: it remembers what was asked of it. `body` is what a peer would send. */
export class FakeExchange implements Exchange {
  readonly connection: Connection;
  readonly peer: Exchange['peer'];
  readonly head: RawHead;
  readonly receivedAtMs = 5_000;
  readonly receivedMonotonicMs = 50;
  readonly body: Uint8Array | Fault;
  collected = 0;
  overheard = 0;
  /** Lets the body go by, where somebody listens; by itself unless `silent`. */
  passBody: (() => void) | undefined;
  silent = false;
  answer: RefusalAnswer | undefined;
  cutBy: Fault | undefined;
  /** Called when the exchange is cut: what a forwarder under way would do. */
  onCut: ((fault: Fault) => void) | undefined;

  constructor(
    head: RawHead,
    over: { connection?: Connection; peer?: Exchange['peer']; body?: string | Uint8Array | Fault } = {},
  ) {
    this.head = head;
    this.connection = over.connection ?? fakeConnection();
    this.peer = over.peer ?? fakePeer();
    const body = over.body ?? '';
    this.body = typeof body === 'string' ? Buffer.from(body) : body;
  }

  collectBody(limit: number, enough: Enough | undefined, done: (body: CollectedBody | Fault) => void): void {
    this.collected += 1;
    if (!(this.body instanceof Uint8Array)) done(this.body);
    else {
      const wanted = Math.min(enough?.(this.body) ?? this.body.length, this.body.length);
      const bytes = this.body.subarray(0, Math.min(wanted, limit));
      done({ bytes, complete: bytes.length === this.body.length });
    }
  }

  overhearBody(limit: number, enough: Enough | undefined, done: (body: CollectedBody) => void): void {
    this.overheard += 1;
    const { body } = this;
    if (!(body instanceof Uint8Array)) return;
    const wanted = Math.min(enough?.(body) ?? body.length, body.length);
    const bytes = body.subarray(0, Math.min(wanted, limit));
    this.passBody = () => done({ bytes, complete: bytes.length === body.length });
    if (!this.silent) this.passBody();
  }

  refuse(answer: RefusalAnswer, done: (outcome: Outcome) => void): void {
    this.answer = answer;
    done({ kind: 'refused', status: answer.status, grpcStatus: answer.grpcStatus });
  }

  cut(fault: Fault): void {
    this.cutBy = fault;
    this.onCut?.(fault);
  }
}

/** A connection whose bytes are forwarded unread, without a socket. */
export class FakeRawExchange implements RawExchange {
  readonly connection: Connection = fakeConnection();
  readonly peer: Exchange['peer'];
  readonly receivedAtMs = 5_000;
  readonly receivedMonotonicMs = 50;
  refused = false;
  cutBy: Fault | undefined;
  onCut: ((fault: Fault) => void) | undefined;

  constructor(peer: Exchange['peer'] = fakePeer()) {
    this.peer = peer;
  }

  refuse(done: (outcome: Outcome) => void): void {
    this.refused = true;
    done({ kind: 'refused', status: 0 });
  }

  cut(fault: Fault): void {
    this.cutBy = fault;
    this.onCut?.(fault);
  }
}
