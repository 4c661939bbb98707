import { isPlainObject } from './plain-object.ts';

import type { PatchOperation } from './delta.ts';

type PlainObject = Readonly<Record<string, unknown>>;

/**
 * Changes `top` in place and returns it (or what took its place); a text says why an operation cannot be. As OPA's store does (v1/storage/inmem): `replace` and `remove`
 * need what they change; `upsert` makes the objects on its way, sets a key, inserts before an index of an array, and appends at `-` or at its length.
 */
export function patchData(top: object, operation: PatchOperation): object | string {
  const key = operation.segments.at(-1);
  if (key === undefined) return replaceTop(operation);
  const parent = parentOf(top, operation);
  if (typeof parent === 'string') return parent;
  const fault = Array.isArray(parent) ? patchArray(parent, key, operation) : patchObject(parent, key, operation);
  return fault ?? top;
}

function replaceTop({ op, value }: PatchOperation): object | string {
  if (op === 'remove') return 'all of the data cannot be removed';
  return isPlainObject(value) ? value : 'the top of the data must be an object';
}

/** What the last segment is looked up in. */
function parentOf(top: object, { op, segments }: PatchOperation): object | string {
  let here: object = top;
  for (const [index, key] of segments.slice(0, -1).entries()) {
    const next = childOf(here, key, op === 'upsert');
    if (!Array.isArray(next) && !isPlainObject(next))
      return `data.${segments.slice(0, index + 1).join('.')} is ${next === undefined ? 'not there' : 'no object or array'}`;
    here = next;
  }
  return here;
}

function childOf(here: object, key: string, makes: boolean): unknown {
  if (Array.isArray(here)) return (here as readonly unknown[])[indexOf(key, here.length) ?? -1];
  if (makes && !Object.hasOwn(here, key)) setKey(here, key, {});
  return Object.hasOwn(here, key) ? (here as PlainObject)[key] : undefined;
}

function patchObject(parent: object, key: string, { op, segments, value }: PatchOperation): string | undefined {
  if (op !== 'upsert' && !Object.hasOwn(parent, key)) return `data.${segments.join('.')} is not there to ${op}`;
  if (op === 'remove') Reflect.deleteProperty(parent, key);
  else setKey(parent, key, value);
  return undefined;
}

function patchArray(parent: unknown[], key: string, { op, segments, value }: PatchOperation): string | undefined {
  const isEnd = key === '-' || key === String(parent.length);
  const index = isEnd && op === 'upsert' ? parent.length : indexOf(key, parent.length);
  if (index === undefined)
    return `data.${segments.slice(0, -1).join('.')} is an array of ${parent.length}, which has no place ${JSON.stringify(key)} to ${op}`;
  if (op === 'upsert') parent.splice(index, 0, value);
  else if (op === 'remove') parent.splice(index, 1);
  else parent[index] = value;
  return undefined;
}

function indexOf(key: string, length: number): number | undefined {
  return /^(?:0|[1-9][0-9]{0,9})$/.test(key) && Number(key) < length ? Number(key) : undefined;
}

/** Not by assignment: `__proto__` is a key as any other. */
function setKey(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}
