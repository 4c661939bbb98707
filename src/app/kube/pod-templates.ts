import { at } from '../../core/config/raw-values.ts';
import { isMap } from './objects.ts';

/** A pod, or what pods are made from, somewhere in an object. */
export type PodTemplate = {
  /** Of the object: `Deployment`. */
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  /** Where in the object the pod stands: empty for a Pod, else such as `spec.template`. */
  readonly path: string;
  /** As the API server would create it, before its own defaults. */
  readonly pod: Readonly<Record<string, unknown>>;
};

/** Where pods stand, by kind. Kinds of others (Argo's Rollout) are known by a `spec.template` with containers. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  PodTemplate: ['template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};

const TEMPLATE = ['spec', 'template'] as const;

const KINDS_WITH_TEMPLATE: ReadonlySet<string> = new Set([
  'Deployment',
  'ReplicaSet',
  'ReplicationController',
  'StatefulSet',
  'DaemonSet',
  'Job',
]);

/** Lists may hold lists; ours hold no more levels than this. */
const MAX_LISTS = 4;

/** All pods and pod templates of an object, or of the objects of a List. */
export function podTemplates(object: unknown, level = 0): readonly PodTemplate[] {
  const kind = at(object, 'kind');
  const items = at(object, 'items');
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items)) {
    return level >= MAX_LISTS ? [] : items.flatMap((item) => podTemplates(item, level + 1));
  }
  if (typeof kind !== 'string') return [];
  const path = (Object.hasOwn(PLACES, kind) ? PLACES[kind] : undefined) ?? TEMPLATE;
  let pod: unknown = object;
  for (const key of path) pod = at(pod, key);
  const isKnown = Object.hasOwn(PLACES, kind) || KINDS_WITH_TEMPLATE.has(kind);
  if (!isKnown && !Array.isArray(at(at(pod, 'spec'), 'containers'))) return [];
  const metadata = at(object, 'metadata');
  const [name, namespace] = [at(metadata, 'name') ?? at(metadata, 'generateName'), at(metadata, 'namespace')];
  return [
    {
      kind,
      name: typeof name === 'string' ? name : '(without a name)',
      namespace: typeof namespace === 'string' ? namespace : undefined,
      path: path.join('.'),
      pod: { ...(isMap(pod) ? pod : {}), apiVersion: 'v1', kind: 'Pod' },
    },
  ];
}
