import { containerRefusals } from './container-checks.ts';
import { refusal } from './injection.ts';
import { at, isMap, listAt, numberAt, textAt } from './json-value.ts';
import { REDIRECT, SIDECAR } from './names.ts';

import type { InjectionRefusal, InjectionSettings } from '../model/injection.ts';
import type { JsonMap } from './json-value.ts';
import type { Named } from './pod.ts';

/**
 * Judges the ephemeral containers that an update of `pods/ephemeralcontainers` adds (`kubectl debug`): they must not be the sidecar's user, see its processes,
 * mount its volumes, or have the power to undo the redirection. A pod without a sidecar is nobody's business here; that is told by its init containers, which
 * cannot be changed any more, and not by its labels. Empty where nothing is wrong. Never throws.
 */
export function judgeEphemeral(
  oldPod: unknown,
  newPod: unknown,
  settings: InjectionSettings,
): readonly InjectionRefusal[] {
  const sidecar = listAt(at(oldPod, 'spec'), 'initContainers').find((one) => textAt(one, 'name') === SIDECAR);
  if (sidecar === undefined) return [];
  const uids = [settings.uid, ...present(numberAt(at(sidecar, 'securityContext'), 'runAsUser'))];
  const known = listAt(at(oldPod, 'spec'), 'ephemeralContainers').map((one) => textAt(one, 'name'));
  return listAt(at(newPod, 'spec'), 'ephemeralContainers').flatMap((container, index) => {
    const path = `spec.ephemeralContainers[${index}]`;
    if (!isNamed(container)) return [refusal('pod_malformed', `${path}.name`, 'text is expected')];
    if (known.includes(container.name)) return [];
    return [...containerRefusals({ path, container }, uids, settings), ...target(path, container)];
  });
}

function isNamed(value: unknown): value is Named {
  return isMap(value) && typeof value['name'] === 'string';
}

/** A container with a target is in its process namespace: it sees the target's processes and, as root or its user, their memory. */
function target(path: string, container: JsonMap): InjectionRefusal[] {
  const name = textAt(container, 'targetContainerName');
  if (name !== SIDECAR && name !== REDIRECT) return [];
  const message = `inside the processes of ${name} its key could be read; target another container`;
  return [refusal('shared_process_namespace', `${path}.targetContainerName`, message)];
}

function present(value: number | undefined): readonly number[] {
  return value === undefined ? [] : [value];
}
