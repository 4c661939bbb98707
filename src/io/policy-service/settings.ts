import type { ClusterFacts } from '../../core/composition/cluster-data.ts';
import type { Declarations } from '../../core/composition/policy-part.ts';
import type { Clock, Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';

/** Texts by key of a ConfigMap. */
export type PolicyFiles = ReadonlyMap<string, string>;

/** The policy that a namespace brings, and the entrypoint that it is asked. Default `sallyport/authz/decision`. */
export type NamespacePolicy = { readonly files: PolicyFiles; readonly decision?: string | undefined };

/** All that policies are made of at one moment. Whoever changes something hands in a new one. */
export type PolicyWorld = {
  readonly platform: {
    /** `default.rego` among them is the policy of namespaces without one; everything else is rules and data of the platform. */
    readonly files: PolicyFiles;
    /** Whether namespaces may stand on the starter library. Default false. */
    readonly library?: boolean | undefined;
  };
  /** By name: the namespaces that take part. Those that are not here are forgotten. */
  readonly namespaces: ReadonlyMap<
    string,
    { readonly policy?: NamespacePolicy | undefined; readonly candidate?: NamespacePolicy | undefined }
  >;
  readonly cluster: ClusterFacts;
};

/** Whose policy something is about. */
export type PolicySubject =
  | { readonly kind: 'platform' }
  | { readonly kind: 'policy' | 'candidate'; readonly namespace: string };

/** Why something was not built. `again`: it may go well without any change (the compiler was ended). */
export type BuildFault = { readonly problems: readonly string[]; readonly again: boolean };

/** Rego, compiled. */
export type CompiledRego = {
  readonly policyWasm: Uint8Array;
  readonly planJson: string;
  /** All that the module answers. */
  readonly entrypoints: readonly string[];
};

export type PolicyServiceDeps = {
  /** Compiles Rego without data. Entrypoints of the log (`system/log/mask`, `…/drop`) are added where it has them. */
  readonly compile: (rego: PolicyFiles, entrypoint: string) => Promise<Result<CompiledRego, BuildFault>>;
  /** Tells what Rego declares, from the compiler's own tree. Calls of functions that are not there are no fault yet. */
  readonly inspect: (rego: PolicyFiles) => Promise<Result<Declarations, BuildFault>>;
  /** The starter library, without its tests; asked for when it is first needed. */
  readonly library: () => Promise<PolicyFiles>;
  readonly timer: Timer;
  /** By it replicas tell which of them took something up later. */
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly log: Readonly<Record<'info' | 'warn', (fields: Readonly<Record<string, unknown>>, message: string) => void>>;
  /** Something is wrong with a policy, or (undefined) no more; the last good one stays. */
  readonly onProblem?: ((subject: PolicySubject, problems: readonly string[] | undefined) => void) | undefined;
};

export type PolicyServiceConfig = {
  /** A literal address of loopback; port 0 asks the system for a free one. */
  readonly listen: { readonly host: string; readonly port: number };
};
