import { err, ok } from '../../core/kernel/result.ts';
import { inParallel } from './in-parallel.ts';
import { label } from './injected-sidecar.ts';
import { askInjector } from './injector-status.ts';
import { listIn, textIn } from './objects.ts';
import { listedPod } from './pod-state.ts';
import { podStatus } from './pod-status.ts';
import { readSidecarStatus } from './sidecar-status.ts';

import type { Clock } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Kubectl, KubectlFault } from '../../io/programs/kubectl.ts';
import type { InjectorStatus } from './injector-status.ts';
import type { ListedPod } from './pod-state.ts';
import type { Answer, PodStatus } from './pod-status.ts';

/** All pods of the namespaces that were asked for. */
export type KubeStatus = {
  readonly injector: InjectorStatus;
  readonly namespaces: readonly string[];
  readonly warnings: readonly string[];
  readonly pods: readonly PodStatus[];
};

export type KubeStatusDeps = { readonly kubectl: Kubectl; readonly clock: Clock };

/** Port-forwards at once: each is a process, and a stream through the API server. */
const AT_ONCE = 8;

/** After this no further pod is asked. */
const MAX_TIME_MS = 120_000;

/** Asks the API server for the pods of one namespace, or of all that are labelled, and each sidecar for its state. */
export async function kubeStatus(
  namespace: string | undefined,
  deps: KubeStatusDeps,
): Promise<Result<KubeStatus, KubectlFault>> {
  const startMs = deps.clock.monotonicMs();
  const found = await labelledNamespaces(namespace, deps.kubectl);
  if (!found.ok) return found;
  const [injector, lists] = await Promise.all([
    askInjector(deps.kubectl),
    inParallel(found.value.names, AT_ONCE, (name) => deps.kubectl.get(['pods', `--namespace=${name}`])),
  ]);
  const failed = lists.find((list) => !list.ok);
  if (failed !== undefined && !failed.ok) return failed;
  const listed = lists.flatMap((list) => (list.ok ? listIn(list.value, 'items') : [])).map(listedPod);
  const pods = await inParallel(listed, AT_ONCE, async (pod) => {
    const isLate = deps.clock.monotonicMs() - startMs > MAX_TIME_MS;
    const answer = await askSidecar(pod, isLate, deps.kubectl);
    return podStatus(pod, answer, injector, deps.clock.wallMs());
  });
  const { names, warnings } = found.value;
  return ok({ injector, namespaces: names, warnings: [...warnings, ...injector.warnings], pods });
}

type Namespaces = { readonly names: readonly string[]; readonly warnings: readonly string[] };

async function labelledNamespaces(
  wanted: string | undefined,
  kubectl: Kubectl,
): Promise<Result<Namespaces, KubectlFault>> {
  if (wanted === undefined) {
    const all = await kubectl.get(['namespaces', '--selector=sallyport.dev/inject=enabled']);
    if (!all.ok) return all;
    const names = listIn(all.value, 'items').flatMap((one) => textIn(one, 'metadata', 'name') ?? []);
    return ok({ names, warnings: names.length > 0 ? [] : ['no namespace has the label sallyport.dev/inject=enabled'] });
  }
  const one = await kubectl.get(['namespaces', `--field-selector=metadata.name=${wanted}`]);
  if (!one.ok) return one;
  const object = listIn(one.value, 'items')[0];
  if (object === undefined) return err({ kind: 'failed', detail: `there is no namespace ${wanted}` });
  const isLabelled = label(object, 'inject') === 'enabled';
  const warning = `namespace ${wanted} has no label sallyport.dev/inject=enabled: new pods get no sidecar`;
  return ok({ names: [wanted], warnings: isLabelled ? [] : [warning] });
}

async function askSidecar(pod: ListedPod, isLate: boolean, kubectl: Kubectl): Promise<Answer> {
  const { sidecar, over, running } = pod;
  if (sidecar === undefined || over || !running) return {};
  if (isLate) return { problem: 'not asked: it took too long to ask the others' };
  if (sidecar.adminPort === undefined) return { problem: 'cannot be asked: its configuration names no admin port' };
  const target = { namespace: pod.namespace, pod: pod.name, port: sidecar.adminPort };
  const answer = await kubectl.ask(target, '/status');
  if (!answer.ok) return { problem: `cannot be asked: ${answer.error.detail}` };
  const status = readSidecarStatus(answer.value);
  return status === undefined ? { problem: 'answered with something else than a status' } : { status };
}
