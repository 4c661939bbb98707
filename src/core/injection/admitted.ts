import { at, mapAt, textAt } from './json-value.ts';

import type { JsonMap } from './json-value.ts';
import type { Named } from './pod.ts';

/**
 * Our container as it is made now, with what admission plugins of the API server added to the one that was made a moment before, and would refuse the pod
 * without: amounts that a LimitRange sets where we set none, and `Always` of AlwaysPullImages. Anything else that was changed in it is undone.
 */
export function withAdmitted(made: Named, found: readonly Named[]): Named {
  const before = found.find(({ name }) => name === made.name);
  if (before === undefined) return made;
  const limits = { ...mapAt(at(before, 'resources'), 'limits'), ...mapAt(at(made, 'resources'), 'limits') };
  const requests = { ...mapAt(at(before, 'resources'), 'requests'), ...mapAt(at(made, 'resources'), 'requests') };
  const pull = textAt(before, 'imagePullPolicy') === 'Always' ? { imagePullPolicy: 'Always' } : {};
  return { ...made, ...pull, resources: { ...filled('limits', limits), ...filled('requests', requests) } };
}

function filled(key: string, amounts: JsonMap): JsonMap {
  return Object.keys(amounts).length === 0 ? {} : { [key]: amounts };
}
