import { setTimeout as delay } from 'node:timers/promises';

import { Permit } from '../../core/gate/permit.ts';
import type { Forward } from '../../core/gate/ports.ts';
import type { Clock, Random } from '../../core/kernel/clock.ts';
import type { Destination } from '../../core/model/destination.ts';
import { fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { Assignment } from './answer.ts';
import { DestinationUpstream } from './destination-upstream.ts';
import { systemResolve, type DialDeps, type Resolve } from './dialer.ts';
import type { Downstream, RawDownstream } from './downstream.ts';
import { FlushQueue } from './flush-queue.ts';
import { NO_DECISION, refuse, type Forwarder } from './forwarder.ts';
import { OpenTunnels } from './open-tunnels.ts';
import { OutboundCall, type OutboundShared } from './outbound-call.ts';
import { openOutboundTunnel } from './outbound-tunnel.ts';
import { OwnContexts, type TlsIdentity } from './own-context.ts';
import { DEFAULT_RESILIENCE, type Resilience } from './resilience.ts';
import { ServerConnections } from './server-connections.ts';
import type { JudgeServer } from './server-verdict.ts';

/** Within which bounds calls are forwarded. Where they go, each permit says itself. */
export type OutboundConfig = { readonly limits: Limits; readonly resilience?: Resilience };

/** What changes while running is a function: it is asked at each use. */
export type OutboundDeps = {
  /** Our certificate and key and whom we believe, now; undefined until they are loaded. */
  readonly identity: () => TlsIdentity | undefined;
  readonly judge: JudgeServer;
  readonly clock: Clock;
  readonly random: Random;
  /** Resolves host names. Default: the system's resolver. */
  readonly resolve?: Resolve;
};

/** The upstream side of an outbound listener. */
export type OutboundForwarder = Forwarder & {
  /** To be called when `identity` has changed: new connections use the new one at once, calls under way end on the old ones. */
  reload(): void;
  /** To be called when trust has changed: judges the server of each open connection again, and cuts those that fail. */
  recheck(): void;
  /** For metrics: open connections, calls under way, destinations whose circuit is not closed. */
  figures(): { readonly connections: number; readonly underWay: number; readonly openCircuits: number };
};

/** Destinations that are remembered. The configuration bounds them; this is for those that a reload leaves behind. */
const MAX_DESTINATIONS = 4_096;

/** Makes the forwarder of the agent's own calls: mutual TLS to whom each permit names. Without effects until the first call. */
export function createOutboundForwarder(config: OutboundConfig, deps: OutboundDeps): OutboundForwarder {
  return new DestinationForwarder(config, deps);
}

class DestinationForwarder implements OutboundForwarder {
  readonly #shared: OutboundShared;
  readonly #dialDeps: DialDeps;
  readonly #upstreams = new Map<string, DestinationUpstream>();
  /** The same by the object that permits carry, which is nearly always the same one. */
  #byObject = new WeakMap<Destination, DestinationUpstream>();
  readonly #tunnels = new OpenTunnels();
  #stopped = false;

  constructor({ limits, resilience = DEFAULT_RESILIENCE }: OutboundConfig, deps: OutboundDeps) {
    const { clock, judge, random, resolve = systemResolve } = deps;
    this.#shared = { limits, flushes: new FlushQueue(), random, resilience };
    this.#dialDeps = {
      own: new OwnContexts(deps.identity, () => clock.wallMs()),
      connections: new ServerConnections(judge, clock),
      judge,
      clock,
      limits,
      resolve,
    };
  }

  readonly forward: Forward<Downstream> = (permit, downstream, done) => {
    const genuine = Permit.isGenuine(permit) ? permit : undefined;
    const { request, destination, decisionId = NO_DECISION } = genuine ?? {};
    if (request === undefined || destination === undefined) {
      refuse(downstream, fault('internal_error', 'no permit for a call to a destination'), decisionId, done);
    } else if (this.#stopped) {
      refuse(downstream, fault('draining', 'the forwarder is stopped'), decisionId, done, request.style);
    } else this.#execute(destination, { decisionId, request, downstream, done });
  };

  readonly forwardRaw: Forward<RawDownstream> = (_permit, downstream, done) => {
    downstream.abort(fault('internal_error', 'destinations take requests, not bytes'));
    done({ kind: 'refused', status: 0 });
  };

  start(): void {}

  reload(): void {
    for (const upstream of this.#upstreams.values()) upstream.rotate();
  }

  recheck(): void {
    this.#dialDeps.connections.recheck();
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    const upstreams = [...this.#upstreams.values()];
    const ended = Promise.all([...upstreams.map((upstream) => upstream.close()), this.#tunnels.whenNone()]);
    const timeout = new AbortController();
    await Promise.race([ended, delay(deadlineMs, undefined, { signal: timeout.signal }).catch(() => {})]);
    timeout.abort();
    this.#tunnels.cutAll();
    for (const upstream of upstreams) upstream.destroy();
  }

  /** True where we have an identity to call with; destinations are many, and found out one by one. */
  ready(): Promise<boolean> {
    return Promise.resolve(this.#dialDeps.own.current().ok);
  }

  figures(): ReturnType<OutboundForwarder['figures']> {
    const upstreams = [...this.#upstreams.values()];
    return {
      connections: this.#dialDeps.connections.size,
      underWay: upstreams.reduce((sum, { underWay }) => sum + underWay, 0),
      openCircuits: upstreams.filter(({ circuit }) => circuit !== 'closed').length,
    };
  }

  #execute(destination: Destination, assignment: Assignment): void {
    const { request, downstream, decisionId, done } = assignment;
    const upstream = this.#upstreamOf(destination);
    if (upstream === undefined) {
      refuse(downstream, fault('destination_overloaded', 'too many destinations'), decisionId, done, request.style);
    } else if (request.style !== 'websocket') new OutboundCall(upstream, assignment, this.#shared).start();
    else if (destination.protocol === 'http2') {
      const reason = fault('upstream_upgrade_refused', 'an HTTP/2 destination has no HTTP/1.1 to upgrade');
      refuse(downstream, reason, decisionId, done, request.style);
    } else openOutboundTunnel(upstream, assignment, this.#shared, this.#tunnels);
  }

  #upstreamOf(destination: Destination): DestinationUpstream | undefined {
    const known = this.#byObject.get(destination) ?? this.#named(destination);
    if (known !== undefined) this.#byObject.set(destination, known);
    return known;
  }

  #named(destination: Destination): DestinationUpstream | undefined {
    const key = keyOf(destination);
    const known = this.#upstreams.get(key);
    if (known !== undefined) return known;
    if (this.#upstreams.size >= MAX_DESTINATIONS && !this.#forgetIdle()) return undefined;
    const upstream = new DestinationUpstream(destination, this.#shared.resilience, this.#dialDeps);
    this.#upstreams.set(key, upstream);
    return upstream;
  }

  /** Makes room for one more destination. */
  #forgetIdle(): boolean {
    for (const [key, upstream] of this.#upstreams) {
      if (upstream.underWay > 0) continue;
      this.#upstreams.delete(key);
      this.#byObject = new WeakMap();
      upstream.destroy();
      return true;
    }
    return false;
  }
}

/** Destinations that differ in anything share nothing. */
function keyOf({ name, address, ids, protocol }: Destination): string {
  return JSON.stringify([name, address.host, address.port, protocol, ids]);
}
