import { err, ok } from '../kernel/result.ts';
import { refusal } from './injection.ts';
import { at, isMap, listAt, mapAt } from './json-value.ts';

import type { Result } from '../kernel/result.ts';
import type { InjectionRefusal } from '../model/injection.ts';
import type { JsonMap } from './json-value.ts';

/** A container or volume: what else it holds is the API server's to judge. */
export type Named = JsonMap & { readonly name: string };

/** The parts of a pod that an injection looks at, read once; `whole` is the pod as it came. */
export type Pod = {
  readonly whole: JsonMap;
  readonly metadata: JsonMap;
  readonly spec: JsonMap;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly containers: readonly Named[];
  readonly initContainers: readonly Named[];
  readonly volumes: readonly Named[];
};

/** A container with where it stands, such as `spec.containers[0]`. */
export type Placed = { readonly path: string; readonly container: Named };

/** The API server takes requests of 3 MiB; a pod that etcd stores (1.5 MiB) is smaller than this. */
const MAX_CHARACTERS = 1_572_864;

/**
 * Beyond what nodes run (a kubelet starts 110 pods by default) and what media servers declare. Whoever may create pods, also by dry run, has us look at
 * these lists, entry by entry and against each other, while everybody else's pods wait.
 */
const MAX_CONTAINERS = 256;
const MAX_VOLUMES = 1_024;
const MAX_PORTS = 2_048;
/** What the API server takes of annotations, keys and values together (`TotalAnnotationSizeLimitB`); labels are shorter. */
const MAX_TEXTS = 262_144;

/** RFC 1123 label, which the API server wants of containers and volumes. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Reads a pod. Only the shape of what an injection touches is judged, all faults together. */
export function readPod(value: unknown): Result<Pod, readonly InjectionRefusal[]> {
  if (!isMap(value)) return err([malformed('', 'a pod is expected, as an object')]);
  if (JSON.stringify(value).length > MAX_CHARACTERS) {
    return err([
      malformed('', `the pod is larger than ${MAX_CHARACTERS} characters; move data to a ConfigMap or Secret`),
    ]);
  }
  const [metadata, spec] = [mapAt(value, 'metadata'), mapAt(value, 'spec')];
  const faults = [
    ...kindFaults(value),
    ...textMapFaults(metadata, 'labels'),
    ...textMapFaults(metadata, 'annotations'),
    ...namedFaults(spec, 'containers', 1, MAX_CONTAINERS),
    ...namedFaults(spec, 'initContainers', 0, MAX_CONTAINERS),
    ...namedFaults(spec, 'volumes', 0, MAX_VOLUMES),
  ];
  // What is compared with each other is short by now.
  const more = faults.length > 0 ? [] : [...twiceFaults(spec), ...portFaults(spec)];
  if (faults.length + more.length > 0) return err([...faults, ...more]);
  return ok({
    whole: value,
    metadata,
    spec,
    labels: mapAt(metadata, 'labels') as Readonly<Record<string, string>>,
    annotations: mapAt(metadata, 'annotations') as Readonly<Record<string, string>>,
    containers: listAt(spec, 'containers') as readonly Named[],
    initContainers: listAt(spec, 'initContainers') as readonly Named[],
    volumes: listAt(spec, 'volumes') as readonly Named[],
  });
}

/** The pod with these parts instead of its own; a list that is empty and was absent stays absent. */
export function withParts(
  pod: Pod,
  parts: Partial<Pick<Pod, 'labels' | 'annotations' | 'containers' | 'initContainers' | 'volumes' | 'spec'>>,
): Pod {
  const next = { ...pod, ...parts };
  const metadata = filled({ ...pod.metadata }, { labels: next.labels, annotations: next.annotations });
  const lists = { containers: next.containers, initContainers: next.initContainers, volumes: next.volumes };
  const spec = filled({ ...next.spec }, lists);
  return { ...next, metadata, spec, whole: { ...pod.whole, metadata, spec } };
}

/** Sets each part where it holds something or was there before. */
function filled(map: JsonMap, parts: JsonMap): JsonMap {
  const kept = Object.entries(parts).filter(
    ([key, value]) => at(map, key) !== undefined || Object.keys(value as object).length > 0,
  );
  return { ...map, ...Object.fromEntries(kept) };
}

/** All containers that the pod brings along, init containers first as they start. */
export function allContainers(pod: Pod): readonly Placed[] {
  return [...placed(pod.initContainers, 'initContainers'), ...placed(pod.containers, 'containers')];
}

/** The containers that serve while the pod runs: ordinary ones, and init containers that go on (native sidecars). */
export function servingContainers(pod: Pod): readonly Placed[] {
  return [
    ...placed(pod.containers, 'containers'),
    ...placed(pod.initContainers, 'initContainers').filter(({ container }) => isNativeSidecar(container)),
  ];
}

/** An init container that goes on while the pod runs (Kubernetes: sidecar containers). */
export function isNativeSidecar(container: JsonMap): boolean {
  return at(container, 'restartPolicy') === 'Always';
}

function placed(list: readonly Named[], key: string): readonly Placed[] {
  return list.map((container, index) => ({ path: `spec.${key}[${index}]`, container }));
}

function kindFaults(value: JsonMap): InjectionRefusal[] {
  const [kind, spec] = [at(value, 'kind'), at(value, 'spec')];
  return [
    ...(kind === undefined || kind === 'Pod' ? [] : [malformed('kind', 'Pod is expected')]),
    ...(isMap(spec) ? [] : [malformed('spec', 'an object is expected')]),
    ...(isMap(at(value, 'metadata') ?? {}) ? [] : [malformed('metadata', 'an object is expected')]),
  ];
}

function textMapFaults(metadata: JsonMap, key: string): InjectionRefusal[] {
  const value = at(metadata, key);
  if (value === undefined) return [];
  const path = `metadata.${key}`;
  if (!isMap(value)) return [malformed(path, 'an object is expected')];
  const entries = Object.entries(value);
  const length = entries.reduce((sum, [name, text]) => sum + name.length + String(text).length, 0);
  if (length > MAX_TEXTS) return [malformed(path, `longer than ${MAX_TEXTS} characters together`)];
  const odd = entries.filter(([, text]) => typeof text !== 'string');
  return odd.map(([name]) => malformed(`${path}[${name}]`, 'text is expected; write it in quotes'));
}

function namedFaults(spec: JsonMap, key: string, min: number, max: number): InjectionRefusal[] {
  const value = at(spec, key) ?? [];
  const path = `spec.${key}`;
  if (!Array.isArray(value) || value.length < min)
    return [malformed(path, `a list is expected, with at least ${min} entries`)];
  if (value.length > max) return [malformed(path, `${value.length} entries, and ${max} are the most`)];
  return value.flatMap((entry, index) => {
    const name = at(entry, 'name');
    const isGood = typeof name === 'string' && LABEL.test(name);
    return isGood ? [] : [malformed(`${path}[${index}].name`, 'an RFC 1123 label is expected, such as agent-1')];
  });
}

function twiceFaults(spec: JsonMap): InjectionRefusal[] {
  const names = (...keys: readonly string[]) => keys.flatMap((key) => listAt(spec, key).map((one) => at(one, 'name')));
  return [
    ...twice(names('containers', 'initContainers')).map((name) =>
      malformed('spec.containers', `two containers are named ${String(name)}`),
    ),
    ...twice(names('volumes')).map((name) => malformed('spec.volumes', `two volumes are named ${String(name)}`)),
  ];
}

function portFaults(spec: JsonMap): InjectionRefusal[] {
  const containers = [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')];
  const count = containers.reduce<number>((sum, one) => sum + listAt(one, 'ports').length, 0);
  return count > MAX_PORTS
    ? [malformed('spec.containers', `${count} ports are declared, and ${MAX_PORTS} are the most`)]
    : [];
}

function twice(list: readonly unknown[]): readonly unknown[] {
  return list.filter((name, index) => typeof name === 'string' && list.indexOf(name) !== index);
}

function malformed(path: string, message: string): InjectionRefusal {
  return refusal('pod_malformed', path, message);
}
