import type { Config } from '../core/config/config.ts';
import { createForwarder, type Forwarder } from '../io/forward/forwarder.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';
import type { Problems } from '../io/sources/problem.ts';
import type { DecisionCounts, ThreadMetrics } from '../io/telemetry/thread-metrics.ts';
import { canSharePorts, proveFree } from '../io/workers/free-port.ts';
import {
  ListenFault,
  type BoundPorts,
  type CallerTokens,
  type DataPlane,
  type InForce,
  type PlaneFigures,
  type WorkerFigures,
} from './data-plane.ts';
import { nameOfAddress } from './inbound.ts';
import type { ActivePolicy } from './policy-delivery.ts';
import { ServingPorts, type ServingDeps, type SharedPorts } from './serving-ports.ts';
import type { Opening } from './worker-messages.ts';
import { servedByWorkers } from './worker-sidecar.ts';
import { WorkerThreads, type WorkerThreadsDeps } from './worker-threads.ts';

export type WorkerPlaneDeps = {
  readonly inForce: InForce;
  /** For the listeners that threads cannot share. */
  readonly serving: ServingDeps;
  readonly threads: Omit<WorkerThreadsDeps, 'opening' | 'leftBehind'>;
  /** Undefined where nobody reads metrics. */
  readonly metrics: ThreadMetrics | undefined;
};

/**
 * The data plane of a sidecar with several workers: each has all listeners with a port, and the system spreads connections over them. Unix sockets, which can be listened on
 * once only, are served in this thread.
 */
export class WorkerPlane implements DataPlane {
  readonly #config: Config;
  readonly #deps: WorkerPlaneDeps;
  readonly #threads: WorkerThreads;
  readonly #own: ServingPorts;
  /** Made only to ask whether the agent is there. */
  readonly #agents: readonly { readonly name: string; readonly forwarder: Forwarder }[];
  #ports: SharedPorts;
  #callerTokens: CallerTokens = [];
  /** The last there was: listeners need one also while none is in force. */
  #identity: IdentitySnapshot | undefined;

  constructor(config: Config, count: number, deps: WorkerPlaneDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#threads = new WorkerThreads(count, {
      ...deps.threads,
      opening: () => this.#opening(),
      leftBehind: ({ decisions }) => decisions && deps.metrics?.leftBehind(decisions),
    });
    const { inbound, outbound } = servedByWorkers(config);
    this.#ports = { inbound: inbound.map(portOf), outbound: outbound.map(portOf) };
    this.#own = new ServingPorts(
      { inbound: [], outbound: config.outbound.filter(isSocket), mode: config.policy.mode },
      deps.serving,
    );
    this.#agents = inbound.map(({ listen, upstream, limits }) => {
      return { name: nameOfAddress(listen), forwarder: createForwarder({ upstream, limits }) };
    });
  }

  async open(identity: IdentitySnapshot, callerTokens: CallerTokens): Promise<BoundPorts> {
    this.#identity = identity;
    this.#callerTokens = callerTokens;
    await this.#proveFree();
    try {
      const own = await this.#own.open(identity, this.#tokensOf(isSocket));
      const shared = await this.#openThreads();
      const [sockets, ports] = [[...own.outbound], [...shared.outbound]];
      const outbound = this.#config.outbound.flatMap((one) => (isSocket(one) ? sockets : ports).shift() ?? []);
      return { inbound: shared.inbound, outbound };
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  async identityChanged(identity: IdentitySnapshot): Promise<Problems> {
    this.#identity = identity;
    const problems = await Promise.all([
      this.#own.identityChanged(identity),
      this.#threads.change({ kind: 'identity', identity }),
    ]);
    return [...new Set(problems.flat())];
  }

  identityLost(): void {
    this.#own.identityLost();
    void this.#threads.change({ kind: 'identity', identity: undefined });
  }

  async policyChanged({ delivery }: ActivePolicy): Promise<void> {
    await Promise.all([this.#own.policyChanged(), this.#threads.change({ kind: 'policy', policy: delivery })]);
  }

  async candidateChanged(candidate: ActivePolicy | undefined): Promise<void> {
    await this.#threads.change({ kind: 'candidate', policy: candidate?.delivery });
  }

  retire(): void {
    this.#own.retire();
    this.#threads.retire();
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all([this.#own.stop(graceMs), this.#threads.stop(graceMs)]);
  }

  async silent(): Promise<readonly string[]> {
    const reachable = await Promise.all(this.#agents.map(({ forwarder }) => forwarder.ready()));
    return this.#agents.filter((_, index) => reachable[index] !== true).map(({ name }) => name);
  }

  refresh(): Promise<void> {
    return this.#threads.refresh();
  }

  /** As of the last `refresh`. */
  get figures(): PlaneFigures {
    return [this.#own.figures, ...this.#threads.reports.map(({ figures }) => figures)].reduce(sum);
  }

  get workers(): WorkerFigures {
    const { count: configured, serving, ended, connections } = this.#threads;
    const idleRoom = this.#threads.reports.reduce((sum, report) => sum + report.idleRoom, 0);
    return { configured, serving, ended, connections, idleRoom };
  }

  async decisions(): Promise<string> {
    const counts = this.#threads.reports.flatMap(({ decisions }): DecisionCounts[] => (decisions ? [decisions] : []));
    return (await this.#deps.metrics?.text(counts, this.workers)) ?? '';
  }

  /** Somebody else who shares a port of ours would go unnoticed. */
  async #proveFree(): Promise<void> {
    if (!canSharePorts()) {
      throw new ListenFault(['workers: on this system threads cannot listen on one port; leave workers at 1']);
    }
    const { inbound, outbound } = servedByWorkers(this.#config);
    const fixed = [...inbound, ...outbound].flatMap(({ listen }) =>
      'port' in listen && listen.port > 0 ? [listen] : [],
    );
    const proven = await Promise.allSettled(fixed.map((listen) => proveFree(listen)));
    const taken = proven.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
    if (taken.length > 0) throw new ListenFault(taken);
  }

  /** All at once; where the configuration leaves a port open, the first chooses, and the others then have the same. */
  async #openThreads(): Promise<BoundPorts> {
    const chosen = [...this.#ports.inbound, ...this.#ports.outbound].includes(0)
      ? await this.#threads.open(0)
      : undefined;
    if (chosen !== undefined) this.#ports = portsOf(chosen);
    const begun = chosen === undefined ? [] : [chosen];
    const others = Array.from({ length: this.#threads.count - begun.length }, (_, index) => {
      return this.#threads.open(index + begun.length);
    });
    const [bound = NONE] = [...begun, ...(await Promise.all(others))];
    return bound;
  }

  #opening(): Opening {
    const { inForce } = this.#deps;
    if (this.#identity === undefined) throw new TypeError('no identity was there yet');
    return {
      kind: 'open',
      identity: this.#identity,
      isInForce: inForce.identity() !== undefined,
      policy: inForce.policy()?.delivery,
      candidate: inForce.candidate()?.delivery,
      callerTokens: this.#tokensOf((one) => !isSocket(one)),
      ports: this.#ports,
    };
  }

  #tokensOf(isWanted: (outbound: Config['outbound'][number]) => boolean): CallerTokens {
    return this.#callerTokens.filter((_, index) => {
      const outbound = this.#config.outbound[index];
      return outbound !== undefined && isWanted(outbound);
    });
  }
}

const NONE: BoundPorts = { inbound: [], outbound: [] };

function portsOf({ inbound, outbound }: BoundPorts): SharedPorts {
  return { inbound: inbound.map(({ port }) => port), outbound: outbound.map(({ port }) => port) };
}

type Listening = { readonly listen: Config['outbound'][number]['listen'] | Config['inbound'][number]['listen'] };

function portOf({ listen }: Listening): number {
  return 'port' in listen ? listen.port : 0;
}

function isSocket({ listen }: Config['outbound'][number]): boolean {
  return listen.kind === 'unix';
}

function sum(a: PlaneFigures, b: PlaneFigures): PlaneFigures {
  return {
    connections: a.connections + b.connections,
    requests: a.requests + b.requests,
    outbound: outboundSum(a.outbound, b.outbound),
  };
}

function outboundSum(a: PlaneFigures['outbound'], b: PlaneFigures['outbound']): PlaneFigures['outbound'] {
  if (a === undefined || b === undefined) return a ?? b;
  return { connections: a.connections + b.connections, openCircuits: a.openCircuits + b.openCircuits };
}
