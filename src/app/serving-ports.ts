import type { Config } from '../core/config/config.ts';
import type { MakeRecord } from '../core/gate/gate.ts';
import type { JournalPort, Observer } from '../core/gate/ports.ts';
import type { Endpoint } from '../core/model/connection.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';
import type { Problems } from '../io/sources/problem.ts';
import {
  ListenFault,
  type BoundPorts,
  type CallerTokens,
  type DataPlane,
  type InForce,
  type PlaneFigures,
} from './data-plane.ts';
import { InboundPort } from './inbound.ts';
import { OutboundPort, type OutboundSharedDeps } from './outbound.ts';
import type { PeerJudges } from './peer-judges.ts';
import { createRandom, systemClock } from './system.ts';

/** What of a configuration the listeners go by. */
export type ServingConfig = Pick<Config, 'inbound' | 'outbound'> & { readonly mode: Config['policy']['mode'] };

/** What the listeners of one thread work with. */
export type ServingDeps = {
  readonly inForce: InForce;
  readonly judges: PeerJudges;
  readonly journal: JournalPort;
  /** Asked for once, when the listeners are opened: a chain has its start by then. */
  readonly record: () => MakeRecord;
  readonly observer: Observer;
  /** Hears of faults of ours that cost a connection. */
  readonly problem: (error: unknown) => void;
};

/** Ports that listeners share with those of other threads, in the order of the configuration; 0 to choose one. */
export type SharedPorts = { readonly inbound: readonly number[]; readonly outbound: readonly number[] };

/** The data plane of one thread: an `InboundPort` or `OutboundPort` for each listener of a configuration. */
export class ServingPorts implements DataPlane {
  readonly workers = undefined;
  readonly #config: ServingConfig;
  readonly #deps: ServingDeps;
  readonly #sharedPorts: SharedPorts | undefined;
  #inbound: readonly InboundPort[] = [];
  #outbound: readonly OutboundPort[] = [];

  constructor(config: ServingConfig, deps: ServingDeps, sharedPorts?: SharedPorts) {
    this.#config = config;
    this.#deps = deps;
    this.#sharedPorts = sharedPorts;
  }

  async open(identity: IdentitySnapshot, callerTokens: CallerTokens): Promise<BoundPorts> {
    const shared = this.#shared();
    const { inbound, outbound } = this.#config;
    this.#inbound = inbound.map((one, index) => {
      return new InboundPort(one, identity, shared, this.#sharedPorts?.inbound[index]);
    });
    this.#outbound = outbound.map((one, index) => {
      return new OutboundPort(one, callerTokens[index], shared, this.#sharedPorts?.outbound[index]);
    });
    const bound = await Promise.allSettled(this.#ports.map((port) => port.start()));
    const failed = bound.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
    if (failed.length > 0) throw new ListenFault(failed);
    const addresses: Endpoint[] = bound.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    return { inbound: addresses.splice(0, this.#inbound.length), outbound: addresses };
  }

  identityChanged(identity: IdentitySnapshot): Promise<Problems> {
    const taken = this.#ports.map((port) => port.reload(identity));
    return Promise.resolve(taken.flatMap((one) => (one.ok ? [] : [one.error])));
  }

  identityLost(): void {
    for (const port of this.#ports) port.recheck();
  }

  policyChanged(): Promise<void> {
    for (const port of this.#ports) port.gate.rejudge();
    return Promise.resolve();
  }

  candidateChanged(): Promise<void> {
    return Promise.resolve();
  }

  retire(): void {
    for (const port of this.#inbound) port.retire();
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.#ports.map((port) => port.stop(graceMs)));
  }

  async silent(): Promise<readonly string[]> {
    const reachable = await Promise.all(this.#inbound.map((port) => port.forwarder.ready()));
    return this.#inbound.filter((_, index) => reachable[index] !== true).map((port) => port.name);
  }

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  decisions(): Promise<string> {
    return Promise.resolve('');
  }

  get figures(): PlaneFigures {
    return {
      connections: this.#ports.reduce((sum, port) => sum + port.connections, 0),
      requests: this.#ports.reduce((sum, port) => sum + port.gate.openCount, 0),
      outbound: outboundFigures(this.#outbound),
    };
  }

  get #ports(): readonly (InboundPort | OutboundPort)[] {
    return [...this.#inbound, ...this.#outbound];
  }

  #shared(): OutboundSharedDeps {
    const { inForce, judges, journal, record, observer, problem } = this.#deps;
    return {
      mode: this.#config.mode,
      clock: systemClock,
      random: createRandom(),
      identity: judges.client,
      judgeServer: judges.server,
      snapshot: inForce.identity,
      ownId: () => inForce.identity()?.own.spiffeId,
      policy: () => inForce.policy()?.policy,
      candidate: () => inForce.candidate()?.policy,
      descriptors: () => inForce.policy()?.descriptors,
      record: record(),
      journal,
      observer,
      problem,
    };
  }
}

function outboundFigures(ports: readonly OutboundPort[]): PlaneFigures['outbound'] {
  if (ports.length === 0) return undefined;
  const all = ports.map((port) => port.figures());
  return {
    connections: all.reduce((sum, { connections }) => sum + connections, 0),
    openCircuits: all.reduce((sum, { openCircuits }) => sum + openCircuits, 0),
  };
}
