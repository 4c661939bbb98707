import type { SpiffeId, TrustDomain } from '../kernel/brand.ts';

/** How a pod's ports are closed to everybody but the sidecar. */
export type Capture =
  /** An init container with NET_ADMIN sends the agent's ports to the sidecar and refuses the rest. */
  | 'redirect'
  /** No privilege: Services point at the sidecar's ports, and a NetworkPolicy closes the rest. */
  | 'plain';

/** Which of the agent's own calls are sent to the sidecar in redirect mode. */
export type OutboundCapture =
  /** None: only calls that the agent itself sends there. */
  | 'none'
  /** Those to the ports of declared destinations. */
  | 'declared'
  /** All TCP but what is excluded: what is declared passes by identity and policy, the rest is refused. */
  | 'all';

/** What a pod may say for itself by annotations, where the platform lets it. Everything else is the platform's to say. */
export const OVERRIDES = [
  'ports',
  'protocol',
  'destinations',
  'resources',
  'log-level',
  'drain-delay',
  'mode',
  'policy',
  'outbound',
  'exclude-ports',
  'exclude-outbound',
  'opt-out',
] as const;

/** One of them. */
export type Override = (typeof OVERRIDES)[number];

/** Where a call of the agent goes, as the sidecar's `outbound[].destinations` takes it. */
export type InjectedDestination = {
  /** `HOST:PORT` of the other side. */
  readonly address: string;
  readonly id: SpiffeId | readonly SpiffeId[];
  readonly protocol?: 'auto' | 'http1' | 'http2' | undefined;
};

/** Where sidecars get their identity from. */
export type InjectedIdentity =
  | {
      readonly source: 'authority';
      /** `https://HOST:PORT` of the authority as pods reach it. */
      readonly url: string;
      readonly id: SpiffeId;
      /** Of the projected service account token. */
      readonly audience: string;
    }
  | {
      readonly source: 'workload-api';
      /** The CSI driver that mounts the Workload API's socket (SPIFFE CSI driver: `csi.spiffe.io`). */
      readonly driver: string;
    };

/** Where sidecars get their policy from. */
export type InjectedPolicy =
  /** The policy service of the platform: platform's rules and the namespace's, composed and compiled; `url` without `/v1/policy/NAMESPACE`. */
  | { readonly source: 'namespace'; readonly url: string; readonly id: SpiffeId }
  /** One bundle for all, from an http(s):// bundle server or an oci:// registry. */
  | { readonly source: 'bundle'; readonly url: string; readonly decision: string };

/** Kubernetes quantities as text, such as `100m` and `128Mi`. */
export type InjectedResources = {
  readonly requests: { readonly cpu?: string | undefined; readonly memory?: string | undefined };
  readonly limits: { readonly cpu?: string | undefined; readonly memory?: string | undefined };
};

/** What the platform says of injected pods. Durations in milliseconds. */
export type InjectionSettings = {
  readonly trustDomain: TrustDomain;
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly capture: Capture;
  /** User that the sidecar runs as, and nobody else may. */
  readonly uid: number;
  /** Ports of the sidecar in the pod. `inbound` is the first of as many as the agent has guarded ports. */
  readonly ports: {
    readonly inbound: number;
    readonly outbound: number;
    readonly probe: number;
    readonly admin: number;
  };
  readonly identity: InjectedIdentity;
  readonly policy: InjectedPolicy;
  readonly mode: 'enforce' | 'shadow';
  readonly outbound: {
    readonly capture: OutboundCapture;
    readonly destinations: Readonly<Record<string, InjectedDestination>>;
    readonly excludePorts: readonly number[];
    readonly excludeCidrs: readonly string[];
  };
  readonly resources: InjectedResources;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** How long the agent goes on serving after a pod's end was decided, while others still learn of it; 0 for not at all. */
  readonly drainDelay: number;
  /** Whether `admin` (metrics, health) can be reached from outside of the pod. */
  readonly metrics: boolean;
  readonly overrides: readonly Override[];
  /** Allow containers that could undo the redirection or read the sidecar's memory (privileged, NET_ADMIN, SYS_ADMIN, SYS_PTRACE). */
  readonly allowPrivileged: boolean;
  /** Further keys of the sidecar's configuration file, as written there: `journal`, `journalQueue`, `labels`, `status`, `limits` of inbound listeners. */
  readonly extra: Readonly<Record<string, unknown>>;
};

/** What the injector knows at the moment of an injection. */
export type InjectionFacts = {
  /** Version of the injector; sidecar and injector are of one release. */
  readonly version: string;
  /** Roots of the trust domain, PEM; empty where the identity does not come from the authority. */
  readonly roots: string;
};

/** RFC 6902; the operations that an injection is made of. */
export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'test'; readonly path: string; readonly value: unknown };

/** Why a pod is not let in: for its owner, who sees it as the message of the API server or as an event of the ReplicaSet. */
export type InjectionRefusal = {
  readonly kind:
    | 'pod_malformed'
    | 'annotation_unknown'
    | 'annotation_malformed'
    | 'annotation_forbidden'
    | 'host_namespace'
    | 'shared_process_namespace'
    | 'name_taken'
    | 'volume_taken'
    | 'uid_taken'
    | 'port_taken'
    | 'privileged'
    | 'other_mesh'
    | 'unsupported_os'
    | 'ports_too_many'
    | 'not_ready';
  /** Where in the pod, such as `spec.containers[0].securityContext.runAsUser`. */
  readonly path: string;
  /** What is wrong and what to do. Never holds values of environment variables. */
  readonly message: string;
};
