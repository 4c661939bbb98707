/*
 * Looks at values as a file gave them, whatever they are.
 */

/** The value of an own key; undefined where there is none. */
export function at(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

/** The items of a list; none where it is no list. */
export function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** What `parse` makes of a text; undefined where it is none. */
export function parsed<T>(value: unknown, parse: (text: string) => T | undefined): T | undefined {
  return typeof value === 'string' ? parse(value) : undefined;
}

/** A flag that is set, as text too. */
export function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}

/** A map without keys. */
export function isEmptyMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
