import { isMap, listIn, textIn, within } from './objects.ts';

import type { Kubectl } from '../../io/programs/kubectl.ts';

/** What the injector would give a pod now; undefined is not known. */
export type InjectorStatus = {
  readonly version: string | undefined;
  /** As the annotation `sallyport.dev/injected-config` has it. */
  readonly config: string | undefined;
  readonly warnings: readonly string[];
};

const SELECTOR = 'app.kubernetes.io/name=sallyport,app.kubernetes.io/component=injector';

/** Port of the injector's health, where its container does not name one `health`. */
const HEALTH_PORT = 8080;

/** Asks the first injector that answers. Who may not see it is told so, and sees everything else. */
export async function askInjector(kubectl: Kubectl): Promise<InjectorStatus> {
  const listed = await kubectl.get(['pods', '--all-namespaces', `--selector=${SELECTOR}`]);
  const pods = listed.ok
    ? listIn(listed.value, 'items').filter((pod) => textIn(pod, 'status', 'phase') === 'Running')
    : [];
  for (const pod of pods) {
    // oxlint-disable-next-line eslint/no-await-in-loop -- the first that answers is enough
    const status = await ask(pod, kubectl);
    if (status !== undefined) return status;
  }
  const version = pods.map((pod) => textIn(pod, 'metadata', 'labels', 'app.kubernetes.io/version'))[0];
  const unknown = 'whether pods are outdated is not known in full: ';
  if (!listed.ok) return { version, config: undefined, warnings: [`${unknown}${listed.error.detail}`] };
  const why =
    pods.length === 0
      ? 'no injector is running; new pods in labelled namespaces are refused'
      : 'no injector answers at /status';
  return { version, config: undefined, warnings: [`${unknown}${why}`] };
}

async function ask(pod: unknown, kubectl: Kubectl): Promise<InjectorStatus | undefined> {
  const [namespace, name] = [textIn(pod, 'metadata', 'namespace'), textIn(pod, 'metadata', 'name')];
  if (namespace === undefined || name === undefined) return undefined;
  const answer = await kubectl.ask({ namespace, pod: name, port: healthPort(pod) }, '/status');
  if (!answer.ok || !isMap(answer.value)) return undefined;
  const [version, config] = [textIn(answer.value, 'version'), textIn(answer.value, 'config')];
  return version === undefined ? undefined : { version, config, warnings: [] };
}

function healthPort(pod: unknown): number {
  const ports = listIn(pod, 'spec', 'containers').flatMap((container) => listIn(container, 'ports'));
  const found = within(
    ports.find((port) => textIn(port, 'name') === 'health'),
    'containerPort',
  );
  return typeof found === 'number' ? found : HEALTH_PORT;
}
