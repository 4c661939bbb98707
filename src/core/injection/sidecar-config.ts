import { isMap, listAt } from './json-value.ts';
import { MOUNTS, VARIABLES } from './names.ts';

import type { InjectedPolicy, InjectionFacts, InjectionSettings } from '../model/injection.ts';
import type { GuardedPort } from './guarded-ports.ts';
import type { JsonMap } from './json-value.ts';
import type { Protocol } from './asked.ts';

/** What the file of one pod's sidecar is made from. */
export type SidecarFacts = {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly settings: InjectionSettings;
  readonly facts: InjectionFacts;
  readonly guarded: readonly GuardedPort[];
  /** What the kubelet asks, by `CONTAINER/KIND`. */
  readonly probes: JsonMap;
  /** The pod's own grace, in seconds. */
  readonly graceSeconds: number;
};

/** Entry point of what the policy service composes. */
const COMPOSED_DECISION = 'sallyport/composed/decision';
/** What the SPIFFE CSI driver mounts holds the agent's socket under this name. */
const WORKLOAD_SOCKET = 'spire-agent.sock';
const MAX_GRACE_SECONDS = 3_600;
/** A change of policy is asked for by one long request; the pauses count after answers and faults. */
const POLICY_SERVICE = { longPolling: '60s', minDelay: '1s', maxDelay: '15s' } as const;

const UPSTREAM_SCHEMES = {
  auto: 'auto',
  http: 'http',
  http2: 'h2c',
  grpc: 'h2c',
  tcp: 'tcp',
} as const satisfies Readonly<Record<Protocol, string>>;

/**
 * The sidecar's configuration as its schema has it. The sidecar replaces `${NAME}` by its environment: what pods and settings say stands there as literals,
 * only the pod's name is meant to be replaced, and `extra` stands as the platform wrote it.
 */
export function sidecarConfig(pod: SidecarFacts): JsonMap {
  const { limits, labels, ...extra } = pod.settings.extra;
  const made = literal(ownKeys(pod)) as JsonMap;
  const bounded = limits === undefined ? made : { ...made, ...withLimits(made, limits) };
  const own = { namespace: pod.namespace, pod: `\${${VARIABLES.pod}}` };
  return { ...bounded, labels: { ...own, ...(isMap(labels) ? labels : {}) }, ...extra };
}

function ownKeys(pod: SidecarFacts): JsonMap {
  const { settings, namespace, serviceAccount, guarded } = pod;
  return {
    identity: identity(pod, `spiffe://${settings.trustDomain}/ns/${namespace}/sa/${serviceAccount}`),
    inbound: guarded.map(({ port, to, protocol }) => ({
      listen: `0.0.0.0:${to}`,
      upstream: `${UPSTREAM_SCHEMES[protocol]}://127.0.0.1:${port}`,
    })),
    outbound: [{ listen: `127.0.0.1:${settings.ports.outbound}`, destinations: settings.outbound.destinations }],
    policy: { ...policy(settings.policy, namespace), mode: settings.mode },
    probes: { listen: `0.0.0.0:${settings.ports.probe}`, targets: pod.probes },
    admin: admin(settings),
    log: { level: settings.logLevel },
    shutdown: { grace: `${Math.min(pod.graceSeconds, MAX_GRACE_SECONDS)}s` },
  };
}

/** `limits` of every listener, for peers and for the agent. */
function withLimits(made: JsonMap, limits: unknown): JsonMap {
  const bounded = (key: string) =>
    listAt(made, key).map((listener) => (isMap(listener) ? { ...listener, limits } : listener));
  return { inbound: bounded('inbound'), outbound: bounded('outbound') };
}

/** Text as the file has to have it so that it is read as it stands (`$${` is a plain `${`). Keys are never replaced. */
function literal(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${');
  if (Array.isArray(value)) return value.map(literal);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, literal(inner)]));
}

function identity({ settings, facts }: SidecarFacts, id: string): JsonMap {
  const { identity: from } = settings;
  switch (from.source) {
    case 'authority':
      return {
        source: 'authority',
        authority: {
          url: from.url,
          id: from.id,
          trustBundle: facts.roots,
          method: 'kubernetes',
          token: `${MOUNTS.token}/token`,
          agent: id,
          keep: `${MOUNTS.run}/identity`,
        },
      };
    case 'workload-api':
      return { source: 'workload-api', workloadApi: { socket: `unix://${MOUNTS.spiffe}/${WORKLOAD_SOCKET}`, id } };
    default:
      return from satisfies never;
  }
}

function policy(from: InjectedPolicy, namespace: string): JsonMap {
  const persist = `${MOUNTS.run}/policy`;
  switch (from.source) {
    case 'namespace': {
      const bundle = `${from.url}/v1/policy/${namespace}`;
      return {
        bundle,
        decision: COMPOSED_DECISION,
        bundleServer: { peer: from.id, persist, ...POLICY_SERVICE },
        candidate: { bundle: `${bundle}/candidate`, decision: COMPOSED_DECISION },
      };
    }
    case 'bundle':
      return { bundle: from.url, decision: from.decision, bundleServer: { persist } };
    default:
      return from satisfies never;
  }
}

function admin({ ports, metrics }: InjectionSettings): JsonMap {
  return metrics
    ? { listen: `0.0.0.0:${ports.admin}`, unsafeBeyondLoopback: true }
    : { listen: `127.0.0.1:${ports.admin}` };
}
