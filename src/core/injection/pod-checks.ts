import { refusal } from './injection.ts';
import { at, listAt, mapAt, numberAt, textAt } from './json-value.ts';
import { nodeVolumeRefusals } from './node-volumes.ts';

import type { InjectionRefusal, InjectionSettings } from '../model/injection.ts';
import type { Pod } from './pod.ts';

const HOST_NAMESPACES = {
  hostNetwork: "in the node's network the sidecar could close nothing, and its ports would be the node's",
  hostPID: "processes of the node's namespace could read the memory of the sidecar",
  hostIPC: 'shared memory of the node leads past the sidecar',
} as const;

/** What makes a pod as a whole unfit for a sidecar. */
export function podRefusals(pod: Pod, settings: InjectionSettings): readonly InjectionRefusal[] {
  return [
    ...hostNamespaces(pod),
    ...sharedProcesses(pod),
    ...operatingSystem(pod),
    ...podUser(pod, settings.uid),
    ...identityVolumes(pod, settings),
    ...nodeVolumeRefusals(pod, settings),
  ];
}

/** True where the pod says that it is not for Linux. */
function operatingSystem({ spec }: Pod): InjectionRefusal[] {
  const places = [
    ['spec.os.name', textAt(at(spec, 'os'), 'name')],
    ['spec.nodeSelector[kubernetes.io/os]', textAt(at(spec, 'nodeSelector'), 'kubernetes.io/os')],
  ] as const;
  return places.flatMap(([path, os]) =>
    os === undefined || os === 'linux'
      ? []
      : [refusal('unsupported_os', path, `the sidecar runs on Linux only, and this pod is for ${os}; ${ELSEWHERE}`)],
  );
}

const ELSEWHERE = 'run it in a namespace without injection';

function hostNamespaces({ spec }: Pod): InjectionRefusal[] {
  return Object.entries(HOST_NAMESPACES).flatMap(([key, why]) =>
    at(spec, key) === true ? [refusal('host_namespace', `spec.${key}`, `${why}; remove it, or ${ELSEWHERE}`)] : [],
  );
}

function sharedProcesses({ spec }: Pod): InjectionRefusal[] {
  if (at(spec, 'shareProcessNamespace') !== true) return [];
  const message =
    "every container could see the sidecar's processes, and with its user or as root read its key; remove it";
  return [refusal('shared_process_namespace', 'spec.shareProcessNamespace', message)];
}

/** Only the user counts: redirection tells the sidecar by it. Its group owns nothing that others could mount. */
function podUser({ spec }: Pod, uid: number): InjectionRefusal[] {
  if (numberAt(at(spec, 'securityContext'), 'runAsUser') !== uid) return [];
  return [refusal('uid_taken', 'spec.securityContext.runAsUser', userMessage(uid))];
}

/** Why nobody else may be the sidecar's user. */
export function userMessage(uid: number): string {
  return `user ${uid} is the sidecar's, whose calls are not redirected; choose another one`;
}

/** Whoever can enrol, or fetch the certificate, calls others as this agent without the sidecar and its policy. */
function identityVolumes(pod: Pod, { identity }: InjectionSettings): InjectionRefusal[] {
  return pod.volumes.flatMap((volume, index) => {
    const path = `spec.volumes[${index}]`;
    if (identity.source === 'workload-api') {
      const isSame = textAt(at(volume, 'csi'), 'driver') === identity.driver;
      const message = `${identity.driver} gives out the identity that only the sidecar may use; remove the volume`;
      return isSame ? [refusal('volume_taken', `${path}.csi`, message)] : [];
    }
    return listAt(mapAt(volume, 'projected'), 'sources').flatMap((source, place) => {
      const isSame = textAt(at(source, 'serviceAccountToken'), 'audience') === identity.audience;
      const message = `a token for ${identity.audience} gives out the identity that only the sidecar may use; choose another audience`;
      return isSame
        ? [refusal('volume_taken', `${path}.projected.sources[${place}].serviceAccountToken`, message)]
        : [];
    });
  });
}
