import type { Endpoint } from '../core/model/connection.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';
import type { Problems } from '../io/sources/problem.ts';
import type { Figures } from '../io/telemetry/figures.ts';
import type { ActivePolicy } from './active-policy.ts';

/** Addresses of the listeners, in the order of the configuration. */
export type BoundPorts = { readonly inbound: readonly Endpoint[]; readonly outbound: readonly Endpoint[] };

/** Tokens that callers of the outbound listeners have to show, in their order; undefined where none is asked for. */
export type CallerTokens = readonly (string | undefined)[];

/** What is in force, asked for at each use. */
export type InForce = {
  readonly identity: () => IdentitySnapshot | undefined;
  readonly policy: () => ActivePolicy | undefined;
  readonly candidate: () => ActivePolicy | undefined;
};

/** How much goes through the listeners now. */
export type PlaneFigures = Pick<Figures, 'connections' | 'requests' | 'outbound'>;

/** Threads that serve, where there are several. */
export type WorkerFigures = {
  readonly configured: number;
  readonly serving: number;
  /** Since start: ended without being asked to. */
  readonly ended: number;
  /** Room in the journal that they hold for requests to come, as of the last `refresh`. */
  readonly idleRoom: number;
  /** Open connections of each, as of the last `refresh`. */
  readonly connections: readonly number[];
};

/**
 * What serves: the listeners of a sidecar with their gates and the ways onward. Whoever owns it says what is in force; it takes each change whole. What takes a change later
 * than within the call says so by a promise: it resolves when everybody who serves has taken it.
 */
export interface DataPlane {
  /** Opens all listeners, or none and rejects with `ListenFault`. */
  open(identity: IdentitySnapshot, callerTokens: CallerTokens): Promise<BoundPorts>;
  /** New connections by `identity`, and open ones judged again. Resolves with what of it could not be used. */
  identityChanged(identity: IdentitySnapshot): Promise<Problems>;
  /** Without an identity nobody is let in or called, and whoever is in is shown out. */
  identityLost(): void;
  /** Everything that is open and decided by an earlier policy is decided again. */
  policyChanged(policy: ActivePolicy): Promise<void>;
  /** What is on trial changes nothing that is open. */
  candidateChanged(candidate: ActivePolicy | undefined): Promise<void>;
  /** Goes on serving, but asks peers to go elsewhere. */
  retire(): void;
  /** Accepts no more, lets requests finish within `graceMs`. Every record is with the journal when it resolves. */
  stop(graceMs: number): Promise<void>;
  /** Inbound listeners behind which no agent accepts connections. */
  silent(): Promise<readonly string[]>;
  /** Brings `figures` and what `decisions` tells up to date. */
  refresh(): Promise<void>;
  readonly figures: PlaneFigures;
  /** Metrics of what was decided, as text, where they are not counted in the thread that owns the plane; else empty. */
  decisions(): Promise<string>;
  /** Undefined where one thread does everything. */
  readonly workers: WorkerFigures | undefined;
}

/** Listeners that could not be opened, and why. */
export class ListenFault extends Error {
  readonly problems: Problems;

  constructor(problems: Problems) {
    super(problems.join('; '));
    this.name = 'ListenFault';
    this.problems = problems;
  }
}
