import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { ApiClient, Selection } from './api-client.ts';
import type { ApiFault } from './api-fault.ts';
import type { KubeObject, Resource } from './api-resource.ts';

const FIRST_PAGE = 500;

/**
 * All objects of a collection as they were at one moment, page by page; a page that is too large is asked for again with half as many objects. Gives
 * the resourceVersion to watch from. A list that grows beyond `maxObjects` is `too_large`.
 */
export async function listAll(
  api: Pick<ApiClient, 'list'>,
  resource: Resource,
  bounds: Selection & { readonly maxObjects: number; readonly maxBytes: number },
  found: (object: KubeObject) => void,
): Promise<Result<string, ApiFault>> {
  const { maxObjects, ...ask } = bounds;
  let limit = FIRST_PAGE;
  let next: string | undefined;
  let count = 0;
  for (;;) {
    const page = await api.list(resource, { ...ask, limit, continue: next });
    if (page.ok) {
      const { items, resourceVersion } = page.value;
      count += items.length;
      if (count > maxObjects) return err(tooMany(resource, maxObjects));
      for (const item of items) found(item);
      next = page.value.continue;
      if (next === '') return ok(resourceVersion);
    } else if (page.error.kind === 'too_large' && limit > 1) {
      limit = Math.ceil(limit / 2);
    } else {
      return page;
    }
  }
}

/** A collection has outgrown its bound. */
export function tooMany({ plural }: Resource, maxObjects: number): ApiFault {
  return { kind: 'too_large', detail: `list ${plural}: there are more than ${maxObjects} of them` };
}
