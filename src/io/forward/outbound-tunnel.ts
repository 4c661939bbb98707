import { backOffMs } from '../../core/kernel/back-off.ts';
import type { ProvenServer } from '../../core/model/destination.ts';
import type { Fault } from '../../core/model/faults.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import type { Assignment } from './answer.ts';
import type { Admission } from './circuit.ts';
import type { DestinationUpstream } from './destination-upstream.ts';
import type { Dial } from './dial.ts';
import type { OpenTunnels } from './open-tunnels.ts';
import { withServer, type OutboundShared } from './outbound-call.ts';
import { mayRepeat } from './retry-rule.ts';
import { WebSocketTunnel } from './websocket-tunnel.ts';

/**
 * One WebSocket call of the agent to a destination, over a connection of its own. The connection is tried as often as a request's may be; the upgrade itself
 * is sent once.
 */
export function openOutboundTunnel(
  upstream: DestinationUpstream,
  assignment: Assignment,
  shared: OutboundShared,
  tunnels: OpenTunnels,
): void {
  const dialling = new TunnelDial(upstream, shared);
  const done = (outcome: Outcome): void => {
    dialling.over();
    assignment.done(withServer(outcome, dialling.server));
  };
  const way = { kind: 'dial', dial: dialling.dial } as const;
  new WebSocketTunnel(way, shared.limits, tunnels, { ...assignment, done }).begin();
}

class TunnelDial {
  server: ProvenServer | undefined;
  readonly #upstream: DestinationUpstream;
  readonly #shared: OutboundShared;
  #attempts = 0;
  #entered = false;
  #repeating = false;
  #stop: () => void = () => {};

  constructor(upstream: DestinationUpstream, shared: OutboundShared) {
    this.#upstream = upstream;
    this.#shared = shared;
  }

  readonly dial: Dial = (done) => {
    const obstacle = this.#upstream.enter();
    this.#entered = obstacle === undefined;
    if (obstacle !== undefined) done({ ok: false, error: obstacle });
    else this.#attempt(done, undefined);
    return () => this.#stop();
  };

  /** The tunnel is closed, or never came to be. */
  over(): void {
    if (this.#repeating) this.#upstream.budget.give();
    if (this.#entered) this.#upstream.leave();
    this.#repeating = false;
    this.#entered = false;
  }

  /** `before`: why the attempt before this one failed. */
  #attempt(done: Parameters<Dial>[0], before: Fault | undefined): void {
    const admission = this.#upstream.admit();
    if (admission.kind === 'fault') done({ ok: false, error: before ?? admission });
    else {
      this.#attempts += 1;
      this.#connect(admission, done);
    }
  }

  #connect(admission: Admission, done: Parameters<Dial>[0]): void {
    const giveUp = this.#upstream.dialer.offering('http/1.1')((dialled) => {
      this.#upstream.report(admission, dialled.ok ? 'success' : 'failure');
      if (dialled.ok) {
        this.server = dialled.value.server;
        this.#stop = () => {};
        done(dialled);
      } else this.#failed(dialled.error, done);
    });
    this.#stop = () => {
      this.#upstream.report(admission, 'neutral');
      giveUp();
    };
  }

  #failed(reason: Fault, done: Parameters<Dial>[0]): void {
    this.#stop = () => {};
    const { attempts, backOffMs: pause } = this.#shared.resilience;
    const failed = {
      progress: 'unconnected',
      code: reason.code,
      method: 'GET',
      style: 'websocket',
      body: 'none',
    } as const;
    const again = this.#attempts < attempts && mayRepeat(failed) && this.#mayRepeatNow();
    if (!again) {
      done({ ok: false, error: reason });
      return;
    }
    const pauseMs = backOffMs(this.#attempts, pause.first, pause.longest, this.#shared.random);
    const timer = setTimeout(() => this.#attempt(done, reason), pauseMs);
    this.#stop = () => clearTimeout(timer);
  }

  #mayRepeatNow(): boolean {
    this.#repeating ||= this.#upstream.budget.take(this.#upstream.underWay);
    return this.#repeating;
  }
}
