import type { Clock, Random } from '../kernel/clock.ts';
import { uuidV4 } from '../kernel/uuid.ts';
import type { SpiffeId } from '../kernel/brand.ts';
import type { Connection } from '../model/connection.ts';
import { fault, type Fault } from '../model/faults.ts';
import type { Limits, PathTolerance } from '../model/limits.ts';
import type { IdentifiedPeer, Peer } from '../model/peer.ts';
import type { Policy } from '../model/policy.ts';
import type { RecordFacts } from '../model/record-facts.ts';
import type { ProtoDescriptors } from '../request/grpc-body.ts';
import { verdictOf } from '../record/verdict.ts';
import { forwardedClientCert } from '../request/client-cert.ts';
import type { CaseHost, OpenCase } from './case.ts';
import { ConnectionCase } from './connection-case.ts';
import type { Exchange, RawExchange, RefusalAnswer } from './exchange.ts';
import type { FindDestination } from './destinations.ts';
import { connectionInput, type Agent } from './input.ts';
import { outboundInput } from './outbound-input.ts';
import type { Forward, JournalPort, Observer } from './ports.ts';
import { OpenPerPeer } from './open-per-peer.ts';
import { refusalAnswer } from './refusal.ts';
import { RequestCase, type ConnectionFacts, type RequestGuard } from './request-case.ts';

/** How one listener is guarded. */
export type GateSettings = {
  readonly mode: 'enforce' | 'shadow';
  readonly limits: Limits;
  readonly tolerance: PathTolerance;
  /** Address of the listener, for policy and record. */
  readonly listener: string;
  /** `attributes.contextExtensions` of the policy input: fixed text that the operator set for this listener. */
  readonly contextExtensions?: Readonly<Record<string, string>> | undefined;
  /** Outbound: where the agent may call. Its connections are `direction: 'outbound'`, in cleartext, and whoever calls on them is anonymous. */
  readonly destinations?: FindDestination | undefined;
  /** Outbound: a secret that every call has to show (`core/request/caller-token.ts`). Undefined: whoever reaches the listener may call. */
  readonly callerToken?: string | undefined;
};

/** What the certificate chain of a connection looks like before it was judged. */
export type Presented = {
  /** DER, leaf first, as the peer sent it; empty where it sent none. On a resumed connection the leaf alone. */
  readonly chain: readonly Uint8Array[];
  /** What the TLS library thinks: required besides our own verdict, never instead of it. */
  readonly authorized: boolean;
  readonly authorizationError: string | undefined;
};

/** Judges a presented chain against the trust of this moment. Implemented over `core/identity`, joined by `app`. */
export type JudgeIdentity = (presented: Presented, resumed: boolean) => Peer;

/** Makes the line of one decision; undefined where the policy drops it from the log. Implemented by `core/record`. */
export type MakeRecord = (facts: RecordFacts) => string | undefined;

/** What a gate works with. Sources that change while running are functions: they are asked at each use. */
export type GateDeps<E, R> = {
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: JudgeIdentity;
  /** SPIFFE ID of this agent, once its certificate is loaded. */
  readonly ownId: () => SpiffeId | undefined;
  /** The active policy revision; undefined until one is. */
  readonly policy: () => Policy | undefined;
  /** A policy on trial, asked beside the active one about everything; its answer is recorded and changes nothing. None without it. */
  readonly candidate?: (() => Policy | undefined) | undefined;
  readonly descriptors: () => ProtoDescriptors | undefined;
  readonly record: MakeRecord;
  readonly journal: JournalPort;
  readonly observer: Observer;
  readonly forward: Forward<E>;
  readonly forwardRaw: Forward<R>;
};

/**
 * The gate of one listener: admits connections, decides requests, mints permits and writes exactly one record for each.
 * Reads top down: `admit`, `exchange` (-> `RequestCase`), `raw` (-> `ConnectionCase`), `rejudge`.
 */
export class Gate<E extends Exchange, R extends RawExchange> {
  readonly #settings: GateSettings;
  readonly #deps: GateDeps<E, R>;
  readonly #host: CaseHost;
  readonly #guard: RequestGuard<E>;
  readonly #open = new Set<OpenCase>();
  readonly #peers: OpenPerPeer;
  readonly #facts = new WeakMap<Connection, ConnectionFacts>();
  readonly #rejected = new WeakMap<Connection, Peer>();

  constructor(settings: GateSettings, deps: GateDeps<E, R>) {
    this.#settings = settings;
    this.#deps = deps;
    this.#host = {
      mode: settings.mode,
      clock: deps.clock,
      journal: deps.journal,
      policy: deps.policy,
      candidate: deps.candidate ?? noCandidate,
      closed: (closed, facts, reserved) => {
        this.#open.delete(closed);
        this.#peers.leave(facts.peer);
        this.#write(facts, reserved);
      },
    };
    const { limits, tolerance, destinations, callerToken } = settings;
    const { random, descriptors, forward } = deps;
    this.#peers = new OpenPerPeer(limits.openPerPeer);
    this.#guard = { limits, tolerance, random, descriptors, forward, destinations, callerToken };
  }

  /** Judges the peer of a new connection, before a byte of a request is read. */
  admit(connection: Connection, presented: Presented): Peer {
    const peer = this.#judge(connection, presented);
    if (peer.kind === 'rejected') this.#rejected.set(connection, peer);
    return peer;
  }

  /** Judges the peer of an open connection again: trust has changed. */
  readmit(connection: Connection, presented: Presented): Peer {
    this.#facts.delete(connection);
    return this.admit(connection, presented);
  }

  /** Writes the record of a connection refused before a request. To be called exactly once for each. `peer`: where it had been admitted. */
  refused(connection: Connection, reason: Fault, peer: Exchange['peer'] | undefined): void {
    const known = this.#rejected.get(connection) ?? peer;
    this.#recordWithoutRequest(
      connection,
      known ?? { kind: 'rejected', fault: reason, claimedId: undefined },
      reason,
      0,
    );
  }

  /** Writes the record of a request that no parser could read, and says what to answer. */
  unreadable(connection: Connection, peer: Exchange['peer'], reason: Fault): RefusalAnswer {
    const decisionId = uuidV4(this.#deps.random);
    const answer = refusalAnswer(reason, 'http', decisionId);
    this.#recordWithoutRequest(connection, peer, reason, answer.status, decisionId);
    return answer;
  }

  /** Takes over one request: decides, forwards or refuses, records. */
  exchange(exchange: E): void {
    const facts = this.#factsOf(exchange, 'request');
    this.#begin(new RequestCase(this.#host, exchange, uuidV4(this.#deps.random), this.#guard, facts), exchange.peer);
  }

  /** Takes over a connection whose bytes are forwarded unread. */
  raw(exchange: R): void {
    const { input } = this.#factsOf(exchange, 'connection');
    const decisionId = uuidV4(this.#deps.random);
    this.#begin(new ConnectionCase(this.#host, exchange, decisionId, input, this.#deps.forwardRaw), exchange.peer);
  }

  /** Asks the policy of now about everything that an earlier revision allowed and that is still open; what it no longer allows is cut. */
  rejudge(): void {
    for (const opened of this.#open) opened.rejudge();
  }

  /** How many decided or undecided requests and raw connections are under way. */
  get openCount(): number {
    return this.#open.size;
  }

  #begin(opened: OpenCase, peer: Exchange['peer']): void {
    this.#open.add(opened);
    if (this.#peers.enter(peer)) opened.begin();
    else opened.refuseOutright(fault('overloaded', 'this peer has too many requests open'));
  }

  #factsOf(exchange: Pick<RawExchange, 'connection' | 'peer'>, subject: 'request' | 'connection'): ConnectionFacts {
    const known = this.#facts.get(exchange.connection);
    if (known !== undefined) return known;
    const { listener, contextExtensions = {} } = this.#settings;
    const agent: Agent = { spiffeId: this.#deps.ownId(), listener, contextExtensions };
    const { peer, connection } = exchange;
    const facts: ConnectionFacts = {
      input: connectionInput(connection, peer, agent, subject),
      clientCertHeader: peer.kind === 'identified' ? forwardedClientCert(peer, agent.spiffeId) : undefined,
      inputTo: this.#isOutbound(connection) ? outboundInput(connection, agent) : undefined,
    };
    this.#facts.set(connection, facts);
    return facts;
  }

  /** Both the gate and the listener say so: a peer that comes without a certificate is let in nowhere else. */
  #isOutbound(connection: Connection): boolean {
    return this.#settings.destinations !== undefined && connection.direction === 'outbound';
  }

  #judge(connection: Connection, presented: Presented): Peer {
    if (this.#isOutbound(connection)) return { kind: 'anonymous' };
    const peer = this.#deps.identity(presented, connection.tls?.resumed ?? false);
    if (peer.kind !== 'identified' || presented.authorized) return peer;
    const detail = presented.authorizationError ?? 'the TLS library did not authorize the chain';
    return rejectedBy(peer, fault('peer_transport_unauthorized', detail));
  }

  #recordWithoutRequest(
    connection: Connection,
    peer: Peer,
    reason: Fault,
    status: number,
    id = uuidV4(this.#deps.random),
  ): void {
    const facts: RecordFacts = {
      decisionId: id,
      atMs: this.#deps.clock.wallMs(),
      connection,
      peer,
      policy: undefined,
      input: undefined,
      evaluation: undefined,
      decision: undefined,
      fault: reason,
      mode: this.#settings.mode,
      trace: undefined,
      outcome: { kind: 'refused', status },
      evaluationNs: 0,
      totalMs: 0,
    };
    this.#write(facts, false);
  }

  #write(facts: RecordFacts, reserved: boolean): void {
    const line = this.#deps.record(facts);
    if (line !== undefined) {
      if (reserved) this.#deps.journal.write(line);
      else this.#deps.journal.writeUnreserved(line);
    } else if (reserved) this.#deps.journal.release();
    this.#deps.observer.decided(facts, verdictOf(facts), facts.fault?.code);
  }
}

function noCandidate(): undefined {
  return undefined;
}

function rejectedBy(peer: IdentifiedPeer, reason: Fault): Peer {
  return { kind: 'rejected', fault: reason, claimedId: peer.spiffeId };
}
