import { setTimeout as delay } from 'node:timers/promises';

import type { Upstream } from '../../core/config/addresses.ts';
import { Permit, type PermittedRequest } from '../../core/gate/permit.ts';
import type { Forward } from '../../core/gate/ports.ts';
import { refusalAnswer } from '../../core/gate/refusal.ts';
import type { DecisionId } from '../../core/kernel/brand.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import { Answer, type Assignment, type Shared } from './answer.ts';
import type { Downstream, RawDownstream } from './downstream.ts';
import { FlushQueue } from './flush-queue.ts';
import { Http1Upstream } from './http1-upstream.ts';
import { Http2Upstream } from './http2-upstream.ts';
import { OpenTunnels } from './open-tunnels.ts';
import { isReachable } from './probe.ts';
import { TcpTunnel } from './tcp-tunnel.ts';
import { WebSocketTunnel } from './websocket-tunnel.ts';

/** Where a forwarder sends what is allowed, and within which bounds. */
export type ForwarderConfig = { readonly upstream: Upstream; readonly limits: Limits };

/** The upstream side of one listener. */
export type Forwarder = {
  /** Executes the permit of one request. */
  readonly forward: Forward<Downstream>;
  /** Executes the permit of one connection whose bytes are forwarded unread. */
  readonly forwardRaw: Forward<RawDownstream>;
  /** Nothing is opened before the first request; there for symmetry with the other parts of io. */
  start(): void;
  /** Takes no more, waits for what is under way at most `deadlineMs`, then ends the rest. */
  stop(deadlineMs: number): Promise<void>;
  /** True where the agent accepts connections now. */
  ready(): Promise<boolean>;
};

/** The answer to a permit that nobody minted has no decision to name. */
export const NO_DECISION = '00000000-0000-0000-0000-000000000000' as DecisionId;

/** Makes the forwarder of one listener; without effects until the first request. */
export function createForwarder(config: ForwarderConfig): Forwarder {
  return new AgentForwarder(config);
}

class AgentForwarder implements Forwarder {
  readonly #upstream: Upstream;
  readonly #shared: Shared;
  readonly #tunnels = new OpenTunnels();
  #http1: Http1Upstream | undefined;
  #http2: Http2Upstream | undefined;
  #stopped = false;

  constructor(config: ForwarderConfig) {
    this.#upstream = config.upstream;
    this.#shared = { limits: config.limits, flushes: new FlushQueue() };
  }

  readonly forward: Forward<Downstream> = (permit, downstream, done) => {
    const request = Permit.isGenuine(permit) ? permit.request : undefined;
    if (request === undefined)
      refuse(downstream, fault('internal_error', 'no permit for a request'), NO_DECISION, done);
    else if (this.#stopped)
      refuse(downstream, fault('draining', 'the forwarder is stopped'), permit.decisionId, done, request.style);
    else this.#execute({ decisionId: permit.decisionId, request, downstream, done });
  };

  readonly forwardRaw: Forward<RawDownstream> = (permit, downstream, done) => {
    const reason = this.#rawObstacle(permit);
    if (reason === undefined) {
      const { address } = this.#upstream;
      new TcpTunnel(address, this.#shared.limits, this.#tunnels, downstream, done).begin();
    } else {
      downstream.abort(reason);
      done({ kind: 'refused', status: 0 });
    }
  };

  start(): void {}

  async stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    const ended = Promise.all([this.#http1?.close(), this.#http2?.close(), this.#tunnels.whenNone()]);
    const timeout = new AbortController();
    await Promise.race([ended, delay(deadlineMs, undefined, { signal: timeout.signal }).catch(() => {})]);
    timeout.abort();
    this.#tunnels.cutAll();
    this.#http2?.destroy();
    await this.#http1?.destroy();
  }

  ready(): Promise<boolean> {
    return isReachable(this.#upstream.address, this.#shared.limits.upstreamConnectTimeoutMs);
  }

  #execute(assignment: Assignment): void {
    const { request, downstream } = assignment;
    const kind = transportOf(this.#upstream.protocol, request);
    const { address } = this.#upstream;
    if (kind === 'websocket') {
      const way = { kind: 'address', address } as const;
      new WebSocketTunnel(way, this.#shared.limits, this.#tunnels, assignment).begin();
    } else if (kind === 'h2c') {
      this.#http2 ??= new Http2Upstream(address, this.#shared);
      this.#http2.send(request, downstream, new Answer(assignment, this.#shared));
    } else if (kind === 'http1') {
      this.#http1 ??= new Http1Upstream(address, this.#shared);
      this.#http1.send(request, downstream, new Answer(assignment, this.#shared));
    } else refuse(downstream, kind, assignment.decisionId, assignment.done, request.style);
  }

  #rawObstacle(permit: Permit): Fault | undefined {
    if (!Permit.isGenuine(permit) || permit.request !== undefined)
      return fault('internal_error', 'no permit for a connection');
    if (this.#upstream.protocol !== 'tcp') return fault('internal_error', 'the upstream takes requests, not bytes');
    return this.#stopped ? fault('draining', 'the forwarder is stopped') : undefined;
  }
}

/** How a request is spoken to the agent; a fault where the agent cannot be spoken to in that way. */
function transportOf(protocol: Upstream['protocol'], request: PermittedRequest): 'http1' | 'h2c' | 'websocket' | Fault {
  switch (protocol) {
    case 'tcp':
      return fault('internal_error', 'the upstream takes bytes, not requests');
    case 'h2c':
      return request.style === 'websocket'
        ? fault('upstream_upgrade_refused', 'an h2c upstream has no HTTP/1.1 to upgrade')
        : 'h2c';
    case 'http1':
      return request.style === 'websocket' ? 'websocket' : 'http1';
    case 'auto':
      if (request.style === 'websocket') return 'websocket';
      // Not by what the peer speaks: clients choose HTTP/2 wherever TLS offers it, and most agents behind it know HTTP/1.1 only.
      return request.style === 'grpc' ? 'h2c' : 'http1';
    default:
      return protocol satisfies never;
  }
}

/** Nothing was sent to the agent; the outcome says why. */
export function refuse(
  downstream: Downstream,
  reason: Fault,
  decisionId: DecisionId,
  done: (outcome: Outcome) => void,
  style: PermittedRequest['style'] = 'http',
): void {
  downstream.refuse(refusalAnswer(reason, style, decisionId), done);
}
