import { refusal } from './injection.ts';
import { allContainers } from './pod.ts';

import type { InjectionRefusal, InjectionSettings } from '../model/injection.ts';
import type { Pod } from './pod.ts';

/** What other meshes put into pods, by the container's name. */
const MESHES: Readonly<Record<string, string>> = {
  'istio-proxy': 'Istio',
  'istio-init': 'Istio',
  'istio-validation': 'Istio',
  'linkerd-proxy': 'Linkerd',
  'linkerd-init': 'Linkerd',
  'linkerd-network-validator': 'Linkerd',
  'consul-dataplane': 'Consul',
  'consul-connect-inject-init': 'Consul',
  'kuma-sidecar': 'Kuma',
  'kuma-init': 'Kuma',
  'kuma-validation': 'Kuma',
};

/** Ports that the proxies take without declaring them (Istio: "Ports used by Istio"; Linkerd: proxy and admin ports; Kuma: data plane ports). */
const MESH_PORTS: Readonly<Record<string, readonly number[]>> = {
  Istio: [15_000, 15_001, 15_004, 15_006, 15_008, 15_020, 15_021, 15_053, 15_090],
  Linkerd: [4_140, 4_143, 4_190, 4_191],
  Consul: [20_000, 20_100],
  Kuma: [9_901, 15_001, 15_006, 15_010],
};

/** The mesh that a container belongs to, by its name. */
export function meshOf(name: string): string | undefined {
  return Object.hasOwn(MESHES, name) ? MESHES[name] : undefined;
}

/** Two redirections in one pod undo each other; without one both proxies can stand beside each other, at different ports. */
export function meshRefusals(pod: Pod, settings: InjectionSettings): readonly InjectionRefusal[] {
  const found = allContainers(pod).flatMap(({ path, container }) => {
    const mesh = meshOf(container.name);
    return mesh === undefined ? [] : [{ path, mesh, name: container.name }];
  });
  if (settings.capture === 'redirect') {
    return found.map(({ path, mesh, name }) =>
      refusal(
        'other_mesh',
        path,
        `${name} of ${mesh} redirects the same traffic; turn off the injection of ${mesh} for this pod, or of Sallyport`,
      ),
    );
  }
  const taken = [settings.ports.inbound, settings.ports.outbound, settings.ports.probe, settings.ports.admin];
  return found
    .filter(({ mesh }, index) => found.findIndex((one) => one.mesh === mesh) === index)
    .flatMap(({ path, mesh }) =>
      (MESH_PORTS[mesh] ?? []).filter((port) => taken.includes(port)).map((port) => ({ path, mesh, port })),
    )
    .map(({ path, mesh, port }) =>
      refusal(
        'port_taken',
        path,
        `${mesh} and the sidecar both listen on port ${port}; the platform has to choose other ports for sidecars`,
      ),
    );
}

/** What the owner of a pod with two proxies should know. */
export function meshWarnings(pod: Pod): readonly string[] {
  const meshes = new Set(allContainers(pod).flatMap(({ container }) => meshOf(container.name) ?? []));
  return [...meshes].map(
    (mesh) => `the proxy of ${mesh} is in this pod too; what it forwards to the agent passes Sallyport by`,
  );
}
