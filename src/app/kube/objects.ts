import { at } from '../../core/config/raw-values.ts';

/** A JSON object. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands at a path of a value from elsewhere; undefined where any part of it is of another kind. */
export function within(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) found = at(found, key);
  return found;
}

/** Text at a path. */
export function textIn(value: unknown, ...path: readonly string[]): string | undefined {
  const found = within(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

/** Members of a list at a path; none where there is no list. */
export function listIn(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = within(value, ...path);
  return Array.isArray(found) ? (found as readonly unknown[]) : [];
}

/** JSON in a text; undefined where it is none. */
export function readJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
