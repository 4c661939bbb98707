/** What the harness knows of a proxy it measures. Implementations: `targets/`, one file each. */

/** The policy a target enforces in a workload; the same for all that judge at all. `rules-N`: N rules, of which the last lets the load in. */
export type PolicyName = 'rbac' | 'json-body' | 'rules-10' | 'rules-100' | 'rules-1000';

/** How a target decides. */
export type Judge = 'nothing' | 'native RBAC' | 'Rego';

/** Where everything of one run is: identities, configurations, sockets, logs. Made at its begin, removed at its end. */
export type World = {
  readonly folder: string;
  /** Ports of the agent behind all targets, on 127.0.0.1: HTTP/1.1; and HTTP/2 by prior knowledge for gRPC, or HTTP/1.1 for a target that knows one address only. */
  readonly upstream: { readonly http1: number; readonly h2c: number };
  /** `taskset` words put before the command of each process of a target, so that it has one core for itself; empty where the system cannot. */
  readonly pin: readonly string[];
  /** A named pipe that log and records go to instead of a file, already being read (slowly); only in the workload of that trouble. */
  readonly slowLog?: string;
};

/** A target that accepts connections. */
export type RunningTarget = {
  /** All its processes, also those it started: what they use is what a request costs. */
  readonly pids: readonly number[];
  readonly port: number;
  /** From the start of the first process until an allowed request was answered, milliseconds. */
  readonly readyMs: number;
  /** Puts another revision of the policy in place, which says the same, where the target takes it up while it runs. */
  readonly revise?: ((revision: number) => Promise<void>) | undefined;
  /** Ends its processes, by id. */
  readonly stop: () => Promise<void>;
};

/** One proxy, in one arrangement. */
export type Target = {
  /** How the tables' data names it: kebab-case. */
  readonly id: string;
  /** How a reader knows it. */
  readonly title: string;
  readonly judge: Judge;
  readonly decisionLog: boolean;
  /** Version as it says itself. Rejects with the reason where the target cannot be had on this machine. */
  readonly version: () => Promise<string>;
  /** Why it cannot do a policy at all; undefined where it can. A target that judges nothing takes every policy, and ignores it. */
  readonly cannot: (policy: PolicyName) => string | undefined;
  /** Resolves when an allowed request was answered and a forbidden one refused; rejects with what it did instead. */
  readonly start: (world: World, policy: PolicyName) => Promise<RunningTarget>;
};
