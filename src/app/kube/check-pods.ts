import { injectPod } from '../../core/injection/inject-pod.ts';
import { injectedSidecar } from './injected-sidecar.ts';
import { isMap, within } from './objects.ts';
import { podTemplates } from './pod-templates.ts';

import type { InjectionFacts, InjectionRefusal, InjectionSettings } from '../../core/model/injection.ts';
import type { InjectedSidecar } from './injected-sidecar.ts';
import type { Manifest } from './manifests.ts';
import type { PodTemplate } from './pod-templates.ts';

/** What would become of one pod. */
export type PodVerdict = {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  /** Where in its object the pod stands, and at which line the object begins. */
  readonly path: string;
  readonly line: number;
} & (
  | {
      readonly verdict: 'injected';
      readonly sidecar: InjectedSidecar | undefined;
      readonly warnings: readonly string[];
      /** The pod before and after. */
      readonly before: unknown;
      readonly after: unknown;
    }
  | { readonly verdict: 'skipped'; readonly reason: string }
  /** Paths of refusals are those in the object. */
  | { readonly verdict: 'refused'; readonly refusals: readonly InjectionRefusal[] }
);

/** What pods are checked with. */
export type CheckWith = {
  readonly settings: InjectionSettings;
  readonly facts: InjectionFacts;
  /** Of objects that name none. */
  readonly namespace: string;
};

/** What the injector would do with the pods of these manifests, in namespaces that are labelled for it. Pure. */
export function checkPods(manifests: readonly Manifest[], wanted: CheckWith): readonly PodVerdict[] {
  const labels = namespaceLabels(manifests);
  return manifests.flatMap(({ line, value }) => {
    return podTemplates(value).map((template) => {
      const namespace = template.namespace ?? wanted.namespace;
      const about = { kind: template.kind, name: template.name, namespace, path: template.path, line };
      return { ...about, ...verdict(template, { name: namespace, labels: labels.get(namespace) ?? {} }, wanted) };
    });
  });
}

type Namespace = { readonly name: string; readonly labels: Readonly<Record<string, string>> };

type Verdict =
  | Pick<Extract<PodVerdict, { verdict: 'injected' }>, 'verdict' | 'sidecar' | 'warnings' | 'before' | 'after'>
  | Pick<Extract<PodVerdict, { verdict: 'skipped' }>, 'verdict' | 'reason'>
  | Pick<Extract<PodVerdict, { verdict: 'refused' }>, 'verdict' | 'refusals'>;

function verdict({ pod, path }: PodTemplate, namespace: Namespace, { settings, facts }: CheckWith): Verdict {
  const injection = injectPod({ pod, namespace }, settings, facts);
  if (!injection.ok) {
    const placed = (inner: string): string => [path, inner].filter((part) => part !== '').join('.');
    return { verdict: 'refused', refusals: injection.error.map((one) => ({ ...one, path: placed(one.path) })) };
  }
  const { value } = injection;
  if (value.kind === 'skipped') return { verdict: 'skipped', reason: value.reason };
  const { pod: after, warnings } = value;
  return { verdict: 'injected', sidecar: injectedSidecar(after), warnings, before: pod, after };
}

/** Labels of the namespaces that stand among the manifests. */
function namespaceLabels(manifests: readonly Manifest[]): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const namespaces = manifests.filter(({ value }) => within(value, 'kind') === 'Namespace');
  return new Map(
    namespaces.map(({ value }) => {
      const labels = within(value, 'metadata', 'labels');
      const texts = isMap(labels) ? Object.entries(labels).filter(([, text]) => typeof text === 'string') : [];
      return [String(within(value, 'metadata', 'name')), Object.fromEntries(texts) as Record<string, string>];
    }),
  );
}
