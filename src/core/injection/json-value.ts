/*
 * Looks at JSON whose shape somebody else chose. `null` counts as absent everywhere, as the API server reads it.
 */

/** An object of JSON. */
export type JsonMap = Readonly<Record<string, unknown>>;

/** True for an object that is no list. */
export function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of an own key; undefined where there is none, or `null`. */
export function at(value: unknown, key: string): unknown {
  return isMap(value) && Object.hasOwn(value, key) ? (value[key] ?? undefined) : undefined;
}

/** The object at a key; an empty one where there is none. */
export function mapAt(value: unknown, key: string): JsonMap {
  const inner = at(value, key);
  return isMap(inner) ? inner : {};
}

/** The list at a key; an empty one where there is none. */
export function listAt(value: unknown, key: string): readonly unknown[] {
  const inner = at(value, key);
  return Array.isArray(inner) ? inner : [];
}

/** The text at a key; undefined where there is none. */
export function textAt(value: unknown, key: string): string | undefined {
  const inner = at(value, key);
  return typeof inner === 'string' ? inner : undefined;
}

/** The number at a key; undefined where there is none. */
export function numberAt(value: unknown, key: string): number | undefined {
  const inner = at(value, key);
  return typeof inner === 'number' ? inner : undefined;
}

/** The object without these keys. */
export function without(map: JsonMap, ...keys: readonly string[]): JsonMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
}

/** True where both are the same JSON; the order of keys does not count (RFC 8259 section 4). */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  if (!isMap(a) || !isMap(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
}

/** JSON text that does not depend on the order of keys. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isMap(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
