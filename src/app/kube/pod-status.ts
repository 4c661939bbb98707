import type { InjectorStatus } from './injector-status.ts';
import type { ListedPod } from './pod-state.ts';
import type { SidecarStatus } from './sidecar-status.ts';

/** Whether a pod has a sidecar, and the one that the injector would give it now. */
export type Injected = 'yes' | 'no' | 'opted-out' | 'outdated';

/** One pod. Text in it is from elsewhere: make it inert before it is shown. */
export type PodStatus = {
  readonly namespace: string;
  readonly pod: string;
  readonly phase: string;
  readonly injected: Injected;
  readonly capture: 'redirect' | 'plain' | undefined;
  /** What the sidecar itself says; undefined where it could not be asked. */
  readonly sidecar: SidecarStatus | undefined;
  /** Version that injected it; the sidecar's own word is in `sidecar`. */
  readonly version: string | undefined;
  /** Mode as injected, or as the sidecar says it. */
  readonly mode: string | undefined;
  readonly problems: readonly string[];
};

/** What asking the sidecar came to: neither where there was none to ask. */
export type Answer = { readonly status?: SidecarStatus; readonly problem?: string };

/** A certificate that ends earlier than this was not renewed at half of its life, unless it lives for minutes only. */
const SOON_MS = 5 * 60_000;

/** True for a pod that somebody has to look at: without a sidecar that it should have, or with a problem. */
export function isWrong(pod: PodStatus): boolean {
  return pod.problems.length > 0;
}

/** What is to be said of a pod. */
export function podStatus(
  pod: ListedPod,
  { status, problem }: Answer,
  injector: InjectorStatus,
  nowMs: number,
): PodStatus {
  const injected = injection(pod, injector);
  const problems = [
    ...(injected === 'no' && !pod.over
      ? ['NO SIDECAR: it is not guarded; delete it, and its owner makes an injected one']
      : []),
    ...(injected === 'outdated' && !pod.over ? ['restart it to get the sidecar of the injector that runs now'] : []),
    ...(pod.over || pod.trouble === undefined ? [] : [pod.trouble]),
    ...(problem === undefined ? [] : [problem]),
    ...expiry(status, nowMs),
    ...(status?.problems ?? []),
  ];
  return {
    namespace: pod.namespace,
    pod: pod.name,
    phase: pod.phase,
    injected,
    capture: pod.sidecar?.capture,
    sidecar: status,
    version: status?.version ?? pod.sidecar?.version,
    mode: status?.mode ?? pod.sidecar?.mode,
    problems,
  };
}

function injection({ sidecar, optedOut }: ListedPod, injector: InjectorStatus): Injected {
  if (sidecar === undefined) return optedOut ? 'opted-out' : 'no';
  return isOther(sidecar.version, injector.version) || isOther(sidecar.config, injector.config) ? 'outdated' : 'yes';
}

function expiry(status: SidecarStatus | undefined, nowMs: number): readonly string[] {
  if (status === undefined) return [];
  if (status.notAfterMs === undefined) return ['has no certificate'];
  if (status.notAfterMs <= nowMs) return ['its certificate has expired'];
  return status.notAfterMs - nowMs < SOON_MS ? ['its certificate expires soon, and was not renewed'] : [];
}

function isOther(own: string | undefined, current: string | undefined): boolean {
  return current !== undefined && own !== current;
}
