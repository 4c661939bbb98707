import { injectedSidecar, label } from './injected-sidecar.ts';
import { listIn, textIn, within } from './objects.ts';

import type { InjectedSidecar } from './injected-sidecar.ts';

/** A pod of a labelled namespace, as the API server shows it. */
export type ListedPod = {
  readonly namespace: string;
  readonly name: string;
  readonly phase: string;
  readonly sidecar: InjectedSidecar | undefined;
  /** It asked for no sidecar, and the platform let it. */
  readonly optedOut: boolean;
  /** It ended, or is about to. */
  readonly over: boolean;
  /** The sidecar's container runs. */
  readonly running: boolean;
  /** Why one of the containers of the injection does not run, where that is more than having to wait its turn. */
  readonly trouble: string | undefined;
};

/** What a container waits for at an ordinary start. */
const ORDINARY: ReadonlySet<string> = new Set(['PodInitializing', 'ContainerCreating']);

/** Reads a pod as `kubectl get pods` lists it. */
export function listedPod(pod: unknown): ListedPod {
  const sidecar = injectedSidecar(pod);
  const phase = textIn(pod, 'status', 'phase') ?? 'Unknown';
  const statuses = listIn(pod, 'status', 'initContainerStatuses').filter((one) => {
    return sidecar?.initContainers.includes(textIn(one, 'name') ?? '') === true;
  });
  const own = statuses.find((one) => textIn(one, 'name') === sidecar?.initContainers.at(-1));
  return {
    namespace: textIn(pod, 'metadata', 'namespace') ?? 'default',
    name: textIn(pod, 'metadata', 'name') ?? '',
    phase,
    sidecar,
    optedOut: label(pod, 'inject') === 'disabled',
    over: phase === 'Succeeded' || phase === 'Failed' || within(pod, 'metadata', 'deletionTimestamp') !== undefined,
    running: within(own, 'state', 'running') !== undefined,
    trouble: statuses.map(trouble).find((text) => text !== undefined),
  };
}

function trouble(status: unknown): string | undefined {
  const name = textIn(status, 'name') ?? '?';
  const waiting = textIn(status, 'state', 'waiting', 'reason');
  if (waiting !== undefined && !ORDINARY.has(waiting)) {
    const message =
      textIn(status, 'lastState', 'terminated', 'message') ?? textIn(status, 'state', 'waiting', 'message');
    return `container ${name}: ${waiting}${message === undefined ? '' : ` (${message})`}`;
  }
  const code = within(status, 'state', 'terminated', 'exitCode');
  return typeof code === 'number' && code !== 0 ? `container ${name}: ended with ${code}` : undefined;
}
