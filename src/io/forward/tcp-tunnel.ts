import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import { connectTo, type UpstreamAddress } from './address.ts';
import type { RawDownstream } from './downstream.ts';
import type { OpenTunnels, Tunnel } from './open-tunnels.ts';
import { faultOfError } from './upstream-faults.ts';

/**
 * Bytes both ways between a decided connection and the agent (TCP: SSH, databases), unread. Each direction ends by itself (half-close), the
 * slower side paces the faster one, and where nothing moves in either direction for `streamIdleTimeoutMs` both ends are closed.
 */
export class TcpTunnel implements Tunnel {
  readonly #downstream: RawDownstream;
  readonly #peer: Duplex;
  readonly #agent: Socket;
  readonly #limits: Limits;
  readonly #tunnels: OpenTunnels;
  readonly #done: (outcome: Outcome) => void;
  #connectTimer: NodeJS.Timeout | undefined;
  #settled = false;

  constructor(
    address: UpstreamAddress,
    limits: Limits,
    tunnels: OpenTunnels,
    downstream: RawDownstream,
    done: (outcome: Outcome) => void,
  ) {
    this.#downstream = downstream;
    this.#peer = downstream.socket;
    this.#limits = limits;
    this.#tunnels = tunnels;
    this.#done = done;
    this.#agent = connectTo(address, true);
  }

  /** Joins the two when the agent has accepted; until then not a byte is read. */
  begin(): void {
    this.#tunnels.add(this);
    this.#downstream.onClosed = (reason, by) => this.#abort(reason, by);
    this.#connectTimer = setTimeout(
      () => this.#fail(fault('upstream_timeout', 'no connection in time')),
      this.#limits.upstreamConnectTimeoutMs,
    );
    this.#agent.once('connect', () => this.#join());
    this.#agent.on('error', (error) => this.#fail(faultOfError(error)));
    this.#agent.on('close', () => this.#sideClosed());
    this.#peer.on('error', (error) => this.#abort(fault('peer_aborted', error.message), 'peer'));
    this.#peer.on('close', () => this.#sideClosed());
  }

  cut(): void {
    const reason = fault('draining', 'the forwarder is stopped');
    this.#downstream.abort(reason);
    this.#abort(reason, 'us');
  }

  #join(): void {
    clearTimeout(this.#connectTimer);
    this.#agent.setTimeout(this.#limits.streamIdleTimeoutMs, () => this.#idle());
    this.#peer.pipe(this.#agent);
    this.#agent.pipe(this.#peer);
  }

  /** Every byte crosses the agent's socket, so its silence is the silence of both. */
  #idle(): void {
    const reason = fault('stream_idle_timeout', `nothing moved for ${this.#limits.streamIdleTimeoutMs} ms`);
    this.#downstream.abort(reason);
    this.#abort(reason, 'us');
  }

  /** A side is gone for good. The other gets what is on its way to it, and is closed; when both are, this is over. */
  #sideClosed(): void {
    if (this.#settled) return;
    const { destroyed: agentGone } = this.#agent;
    const { destroyed: peerGone } = this.#peer;
    if (agentGone && peerGone) this.#settle({ kind: 'forwarded', status: 0, ...this.#bytes() });
    else if (agentGone) endAndDestroy(this.#peer);
    else endAndDestroy(this.#agent);
  }

  #fail(reason: Fault): void {
    if (this.#settled) return;
    this.#downstream.abort(reason);
    this.#settle({ kind: 'upstream-failed', fault: reason, status: 0, ...this.#bytes() });
  }

  #abort(reason: Fault, by: 'peer' | 'us'): void {
    this.#settle({ kind: 'aborted', by, fault: reason, status: 0, ...this.#bytes() });
  }

  /** What the agent was sent and what came from it. */
  #bytes(): { bytesIn: number; bytesOut: number } {
    return { bytesIn: this.#agent.bytesWritten, bytesOut: this.#agent.bytesRead };
  }

  #settle(outcome: Outcome): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#connectTimer);
    this.#downstream.onClosed = undefined;
    this.#agent.destroy();
    this.#tunnels.delete(this);
    this.#done(outcome);
  }
}

/** Ends `stream`, and closes it once what was written has left. */
export function endAndDestroy(stream: Duplex): void {
  if (stream.writableFinished) stream.destroy();
  else stream.once('finish', () => stream.destroy()).end();
}
