import { isMap, sameJson } from './json-value.ts';

import type { JsonPatchOperation } from '../model/injection.ts';
import type { JsonMap } from './json-value.ts';

/**
 * The operations of RFC 6902 that make `after` of `before`: only what differs, at the deepest place. In lists of named objects (containers, volumes,
 * variables) an entry is the same where its name is, so that one that was put in front costs one operation and leaves the others alone.
 */
export function jsonPatch(before: unknown, after: unknown): readonly JsonPatchOperation[] {
  return difference(before, after, '');
}

function difference(before: unknown, after: unknown, path: string): JsonPatchOperation[] {
  if (sameJson(before, after)) return [];
  if (isMap(before) && isMap(after)) return mapDifference(before, after, path);
  if (Array.isArray(before) && Array.isArray(after)) {
    return isNamed(before) && isNamed(after)
      ? namedDifference(before, after, path)
      : listDifference(before, after, path);
  }
  return [{ op: 'replace', path, value: after }];
}

function mapDifference(before: JsonMap, after: JsonMap, path: string): JsonPatchOperation[] {
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  return [
    ...gone.map((key) => ({ op: 'remove' as const, path: `${path}/${pointerPart(key)}` })),
    ...Object.entries(after).flatMap(([key, value]): JsonPatchOperation[] => {
      const inner = `${path}/${pointerPart(key)}`;
      return Object.hasOwn(before, key) ? difference(before[key], value, inner) : [{ op: 'add', path: inner, value }];
    }),
  ];
}

/** RFC 6901 section 3. */
function pointerPart(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

type Named = { readonly name: string };

function isNamed(list: readonly unknown[]): list is readonly Named[] {
  const names = list.map((item) => (isMap(item) ? item['name'] : undefined));
  return names.every((name) => typeof name === 'string') && new Set(names).size === names.length;
}

/** Entries that are gone are removed from the end on; then each place is filled in order, an entry that stood later taken from there. */
function namedDifference(before: readonly Named[], after: readonly Named[], path: string): JsonPatchOperation[] {
  const wanted = new Set(after.map(({ name }) => name));
  const operations: JsonPatchOperation[] = before
    .map(({ name }, index) => ({ name, index }))
    .filter(({ name }) => !wanted.has(name))
    .toReversed()
    .map(({ index }) => ({ op: 'remove', path: `${path}/${index}` }));
  const now = before.filter(({ name }) => wanted.has(name));
  for (const [index, entry] of after.entries()) {
    const here = `${path}/${index}`;
    const found = now.findIndex(({ name }) => name === entry.name);
    if (found === index) {
      operations.push(...difference(now[index], entry, here));
      continue;
    }
    if (found > index) {
      now.splice(found, 1);
      operations.push({ op: 'remove', path: `${path}/${found}` });
    }
    now.splice(index, 0, entry);
    operations.push({ op: 'add', path: here, value: entry });
  }
  return operations;
}

/** What both lists begin and end with stays; of the middle, pairs are compared, and the rest removed or added. */
function listDifference(before: readonly unknown[], after: readonly unknown[], path: string): JsonPatchOperation[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && sameJson(before[start], after[start])) start += 1;
  let end = 0;
  while (end < shorter - start && sameJson(before.at(-1 - end), after.at(-1 - end))) end += 1;
  const old = before.slice(start, before.length - end);
  const fresh = after.slice(start, after.length - end);
  const pairs = Math.min(old.length, fresh.length);
  return [
    ...old.slice(0, pairs).flatMap((item, index) => difference(item, fresh[index], `${path}/${start + index}`)),
    ...old.slice(pairs).map(() => ({ op: 'remove' as const, path: `${path}/${start + pairs}` })),
    ...fresh
      .slice(pairs)
      .map((value, index) => ({ op: 'add' as const, path: `${path}/${start + pairs + index}`, value })),
  ];
}
