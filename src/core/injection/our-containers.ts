import { MOUNTS, REDIRECT, REDIRECT_ARGS, RETIRE_COMMAND, SIDECAR, SIDECAR_ARGS, VARIABLES, VOLUMES } from './names.ts';
import { canonicalQuantity } from './quantity.ts';

import type { InjectedResources, InjectionSettings } from '../model/injection.ts';
import type { GuardedPort } from './guarded-ports.ts';
import type { JsonMap } from './json-value.ts';
import type { Named } from './pod.ts';
import type { RedirectPlan } from './redirect-plan.ts';

/*
 * Everything is written as the API server would complete it, defaults included: what it shows us at its second call is then what we would make again.
 */

/** The kubelet renews a token at 80 % of its life; 600 s is the least it takes. */
const TOKEN_SECONDS = 600;
const RUN_SIZE = '16Mi';
const LEAST_MODE = 0o644;
/** IANA_SVC_NAME has at most 15 characters. */
const PORT_NAMES = { probe: 'sallyport-probe', admin: 'sallyport-admin' } as const;

/** The native sidecar: starts before the agent, ends after it. */
export function sidecarContainer(settings: InjectionSettings, guarded: readonly GuardedPort[], config: JsonMap): Named {
  return {
    ...common(SIDECAR, settings),
    args: SIDECAR_ARGS,
    env: [
      { name: VARIABLES.pod, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      { name: VARIABLES.config, value: environmentText(JSON.stringify(config)) },
    ],
    ...(guarded.length === 0 ? {} : { lifecycle: { preStop: { exec: { command: RETIRE_COMMAND } } } }),
    ports: containerPorts(settings, guarded),
    restartPolicy: 'Always',
    securityContext: sidecarSecurity(settings.uid),
    startupProbe: probe(settings, '/startupz', { periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 600 }),
    readinessProbe: probe(settings, '/readyz', { periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 3 }),
    livenessProbe: probe(settings, '/healthz', { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }),
    volumeMounts: [...identityMounts(settings), { name: VOLUMES.run, mountPath: MOUNTS.run }, noApiToken()],
  };
}

/** The init container that redirects: root with one capability, over before anything else starts. */
export function redirectContainer(settings: InjectionSettings, plan: RedirectPlan): Named {
  return {
    ...common(REDIRECT, settings),
    args: REDIRECT_ARGS,
    env: [{ name: VARIABLES.redirect, value: environmentText(JSON.stringify(plan)) }],
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: 0,
      runAsNonRoot: false,
      runAsUser: 0,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: [noApiToken()],
  };
}

/** The volumes of the sidecar, which no other container mounts. */
export function ourVolumes({ identity }: InjectionSettings): readonly Named[] {
  const run = { name: VOLUMES.run, emptyDir: { medium: 'Memory', sizeLimit: RUN_SIZE } };
  if (identity.source === 'workload-api') {
    return [{ name: VOLUMES.spiffe, csi: { driver: identity.driver, readOnly: true } }, run];
  }
  const token = { audience: identity.audience, expirationSeconds: TOKEN_SECONDS, path: 'token' };
  return [
    { name: VOLUMES.token, projected: { defaultMode: LEAST_MODE, sources: [{ serviceAccountToken: token }] } },
    run,
  ];
}

/**
 * A value of `env` that the kubelet hands on as `text`: it replaces `$(NAME)`, and `$$` by `$` (Kubernetes: dependent environment variables).
 */
export function environmentText(text: string): string {
  return text.replaceAll('$', () => '$$');
}

function common(name: string, settings: InjectionSettings): Named {
  return {
    name,
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    resources: resources(settings.resources),
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  };
}

/** The API server takes a limit as the request where there is none. */
function resources({ requests, limits }: InjectedResources): JsonMap {
  const made = { limits: canonical(limits), requests: { ...canonical(limits), ...canonical(requests) } };
  return Object.fromEntries(Object.entries(made).filter(([, amounts]) => Object.keys(amounts).length > 0));
}

function canonical(amounts: InjectedResources['limits']): JsonMap {
  const known = Object.entries(amounts).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(known.map(([what, amount]) => [what, canonicalQuantity(amount)]));
}

function sidecarSecurity(uid: number): JsonMap {
  return {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    privileged: false,
    readOnlyRootFilesystem: true,
    runAsGroup: uid,
    runAsNonRoot: true,
    runAsUser: uid,
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** In plain capture the names of the agent's ports are the sidecar's: a Service with a named target port finds it by itself. */
function containerPorts(
  { ports, metrics, capture }: InjectionSettings,
  guarded: readonly GuardedPort[],
): readonly JsonMap[] {
  const named = new Set<string>();
  const own = guarded.map(({ to, name }) => {
    const isFirst = capture === 'plain' && name !== undefined && !named.has(name);
    if (isFirst) named.add(name);
    return { containerPort: to, protocol: 'TCP', ...(isFirst ? { name } : {}) };
  });
  const probes = { containerPort: ports.probe, name: PORT_NAMES.probe, protocol: 'TCP' };
  const admin = { containerPort: ports.admin, name: PORT_NAMES.admin, protocol: 'TCP' };
  return [...own, probes, ...(metrics ? [admin] : [])];
}

function probe(settings: InjectionSettings, path: string, times: JsonMap): JsonMap {
  return { httpGet: { path, port: settings.ports.probe, scheme: 'HTTP' }, successThreshold: 1, ...times };
}

function identityMounts({ identity }: InjectionSettings): readonly JsonMap[] {
  return identity.source === 'authority'
    ? [{ name: VOLUMES.token, mountPath: MOUNTS.token, readOnly: true }]
    : [{ name: VOLUMES.spiffe, mountPath: MOUNTS.spiffe, readOnly: true }];
}

/** An empty folder where the API server would mount a token of its own: our containers have no business with it. */
function noApiToken(): JsonMap {
  return { name: VOLUMES.run, mountPath: MOUNTS.apiToken, readOnly: true, subPath: 'no-api-token' };
}
