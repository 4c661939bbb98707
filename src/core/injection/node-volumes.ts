import { refusal } from './injection.ts';
import { at, textAt } from './json-value.ts';

import type { InjectionRefusal, InjectionSettings } from '../model/injection.ts';
import type { Pod } from './pod.ts';

/**
 * Folders of a node from which every pod on it can be read or ruled, the sidecar's token and kept identity among them: the kubelet's (Kubernetes: `--root-dir`,
 * by default the first), the runtimes' and their sockets, processes and devices, the node's own credentials, and logs, which the kubelet reads as root
 * through whatever link stands there.
 */
const RULING: readonly string[] = [
  '/var/lib/kubelet',
  '/var/lib/containerd',
  '/var/lib/containers',
  '/var/lib/cri-o',
  '/var/lib/docker',
  '/var/lib/rancher',
  '/var/snap',
  '/var/run',
  '/var/log',
  '/run',
  '/proc',
  '/sys',
  '/dev',
  '/etc/kubernetes',
  '/etc/cni',
  '/opt/cni',
];

const WHY =
  'leads to the folders of the kubelet, the container runtime or the node, from where the key of the sidecar can be read; use another kind of volume, or have the platform set allowPrivileged';

/**
 * Refuses volumes of the node that hold such a folder, or lie in one. Where pods are redirected, Pod Security cannot enforce `baseline`, which would refuse all of
 * them.
 */
export function nodeVolumeRefusals(
  pod: Pod,
  { allowPrivileged }: Pick<InjectionSettings, 'allowPrivileged'>,
): readonly InjectionRefusal[] {
  if (allowPrivileged) return [];
  return pod.volumes.flatMap((volume, index) => {
    const path = textAt(at(volume, 'hostPath'), 'path');
    if (path === undefined || !isRuling(plain(path))) return [];
    return [refusal('privileged', `spec.volumes[${index}].hostPath.path`, `this ${WHY}`)];
  });
}

function isRuling(path: string): boolean {
  return RULING.some((folder) => isWithin(path, folder) || isWithin(folder, path));
}

function isWithin(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`);
}

/** The path without what says nothing: `//`, `.` and a slash at its end; `..` as the node would follow it. */
function plain(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
