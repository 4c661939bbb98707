import type { Outbound } from '../core/config/config.ts';
import type { IdentitySettings } from '../core/config/identity-settings.ts';
import { destinationsByName, type FindDestination } from '../core/gate/destinations.ts';
import { Gate } from '../core/gate/gate.ts';
import type { Random } from '../core/kernel/clock.ts';
import { ok, type Result } from '../core/kernel/result.ts';
import type { Endpoint } from '../core/model/connection.ts';
import type { Destination } from '../core/model/destination.ts';
import { createOutboundForwarder, type OutboundForwarder } from '../io/forward/outbound-forwarder.ts';
import { DEFAULT_RESILIENCE, type Resilience } from '../io/forward/resilience.ts';
import type { JudgeServer } from '../io/forward/server-verdict.ts';
import type { HttpExchange, TcpExchange } from '../io/listen/downstream.ts';
import { createPlainListener } from '../io/listen/plain-listener.ts';
import type { Listener } from '../io/listen/port-listener.ts';
import type { PlainListenSettings } from '../io/listen/settings.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';
import type { SharedDeps } from './inbound.ts';
import { tlsIdentity } from './tls-identity.ts';

/** What outbound listeners need besides. */
export type OutboundSharedDeps = SharedDeps & {
  readonly random: Random;
  /** Who we are to the servers that the agent calls; undefined while there is no identity in force. */
  readonly snapshot: () => IdentitySnapshot | undefined;
  readonly judgeServer: JudgeServer;
};

/** One entry of `outbound`: a cleartext listener for the agent, its gate, and the way to the other side's sidecar. */
export class OutboundPort {
  readonly name: string;
  readonly gate: Gate<HttpExchange, TcpExchange>;
  readonly #forwarder: OutboundForwarder;
  readonly #listener: Listener<PlainListenSettings>;
  readonly #problem: (error: unknown) => void;

  /**
   * `callerToken`: what every call must show; undefined where whoever reaches the listener may call. `sharedPort`: other threads listen there too; it stands for the
   * port of the configuration.
   */
  constructor(outbound: Outbound, callerToken: string | undefined, shared: OutboundSharedDeps, sharedPort?: number) {
    const { listen, limits, paths, contextExtensions } = outbound;
    this.name = nameOf(listen);
    const { clock, random, problem, judgeServer: judge } = shared;
    this.#problem = problem;
    this.#forwarder = createOutboundForwarder(
      { limits, resilience: resilienceOf(outbound) },
      { identity: () => tlsIdentity(shared.snapshot()), judge, clock, random },
    );
    this.gate = new Gate<HttpExchange, TcpExchange>(
      {
        mode: shared.mode,
        limits,
        tolerance: paths,
        listener: this.name,
        contextExtensions,
        destinations: findIn(outbound),
        callerToken,
      },
      { ...shared, forward: this.#forwarder.forward, forwardRaw: this.#forwarder.forwardRaw },
    );
    this.#listener = createPlainListener(
      { ...addressOf(listen, sharedPort), name: this.name, limits },
      { handler: this.gate, clock, random, problem },
    );
  }

  /** Binds. Resolves with the address in use. */
  start(): Promise<Endpoint> {
    this.#forwarder.start();
    return this.#listener.start();
  }

  /** New connections are made with the identity of now, and servers of open ones are judged again by the trust of now. */
  reload(): Result<undefined, string> {
    this.#forwarder.reload();
    this.recheck();
    return ok(undefined);
  }

  /** Judges the servers of open connections again. */
  recheck(): void {
    // What the policy sees of ourselves is kept for each connection of the agent.
    this.#listener.recheck().catch(this.#problem);
    this.#forwarder.recheck();
  }

  /** Stops accepting, lets calls finish, then ends the other side. */
  async stop(deadlineMs: number): Promise<void> {
    await this.#listener.stop(deadlineMs);
    await this.#forwarder.stop(0);
  }

  /** Of the way to the other sides. */
  figures(): ReturnType<OutboundForwarder['figures']> {
    return this.#forwarder.figures();
  }

  get connections(): number {
    return this.#listener.connectionCount;
  }
}

/** Only this user may call on a socket. */
const SOCKET_MODE = 0o600;

function nameOf(listen: Outbound['listen']): string {
  if (listen.kind === 'unix') return `unix://${listen.path}`;
  return listen.host.includes(':') ? `[${listen.host}]:${listen.port}` : `${listen.host}:${listen.port}`;
}

type Address = Pick<PlainListenSettings, 'host' | 'port' | 'reusePort' | 'unixSocket'>;

function addressOf(listen: Outbound['listen'], sharedPort: number | undefined): Address {
  if (listen.kind === 'tcp')
    return { host: listen.host, port: sharedPort ?? listen.port, reusePort: sharedPort !== undefined };
  return { host: '', port: 0, unixSocket: { path: listen.path, mode: SOCKET_MODE } };
}

/** Names were checked at the start; what is wrong here is a bug. */
function findIn({ destinations }: Outbound): FindDestination {
  const found = destinationsByName(destinationsOf(destinations));
  if (!found.ok) throw new TypeError(found.error.join('; '));
  return found.value;
}

/** What is wrong with the names of destinations, each with its key in the configuration. */
export function destinationProblems(outbound: readonly Outbound[]): readonly string[] {
  return outbound.flatMap(({ destinations }, index) => {
    const found = destinationsByName(destinationsOf(destinations));
    return found.ok ? [] : found.error.map((problem) => `outbound[${index}].destinations: ${problem}`);
  });
}

/** Destinations that nobody could prove to be: no bundle of their trust domain is named. A Workload API may name others, so with it there are none. */
export function unprovableDestinations(outbound: readonly Outbound[], identity: IdentitySettings): readonly string[] {
  if (identity.source === 'workload-api') return [];
  const own = identity.source === 'authority' ? [identity.authority.id.split('/')[2] ?? ''] : [];
  const believed = new Set([...Object.keys(identity.trustBundles), ...Object.keys(identity.federation), ...own]);
  return outbound.flatMap(({ destinations }, index) =>
    Object.entries(destinations).flatMap(([name, { id: ids }]) => {
      const domains = ids.map((id) => id.split('/')[2] ?? '');
      return domains.some((domain) => believed.has(domain))
        ? []
        : [
            `outbound[${index}].destinations: nobody can prove to be ${name}: there is no trust bundle of ${domains.join(' or ')}`,
          ];
    }),
  );
}

function destinationsOf(destinations: Outbound['destinations']): readonly Destination[] {
  return Object.entries(destinations).map(([name, { address, id, protocol }]) =>
    Object.freeze({ name: name.toLowerCase(), address, ids: id, protocol }),
  );
}

function resilienceOf({ retries, circuitBreaker }: Outbound): Resilience {
  const { failures, open, requests } = circuitBreaker;
  return {
    ...DEFAULT_RESILIENCE,
    requests,
    pending: Math.min(requests, DEFAULT_RESILIENCE.pending),
    attempts: retries + 1,
    circuit: {
      ...DEFAULT_RESILIENCE.circuit,
      failures,
      openMs: open,
      longestMs: Math.max(open, DEFAULT_RESILIENCE.circuit.longestMs),
    },
  };
}
