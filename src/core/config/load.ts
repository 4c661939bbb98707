import { err, ok } from '../kernel/result.ts';
import { formatPath, isSecret } from './mistake.ts';
import { schemaFindings } from './schema-findings.ts';
import { readTree } from './tree.ts';

import type * as z from 'zod';
import type { Result } from '../kernel/result.ts';
import type { Environment } from './expansion.ts';
import type { ConfigMistake, ConfigPath, Finding } from './mistake.ts';
import type { ConfigTree } from './tree.ts';

/** What a schema gives, frozen all through. */
export type Frozen<T> = T extends string
  ? T
  : T extends (infer Item)[]
    ? readonly Frozen<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Frozen<T[Key]> }
      : T;

/**
 * Reads a file of settings, YAML or JSON, with `${NAME}` expanded from `env`, by its schema and by `checks` of what no single key shows. All
 * mistakes are reported together, in the order of the file. Pure. Never throws.
 */
export function loadSettings<Schema extends z.ZodType>(
  text: string,
  env: Environment,
  schema: Schema,
  checks: (root: unknown) => readonly Finding[],
): Result<Frozen<z.output<Schema>>, readonly ConfigMistake[]> {
  const tree = readTree(text, env);
  if (!tree.ok) return tree;
  const parsed = schema.safeParse(tree.value.value);
  const found = [...schemaFindings(parsed.error?.issues ?? [], schema), ...checks(tree.value.value)];
  const mistakes = placed(found, tree.value);
  if (mistakes.length > 0 || !parsed.success) return err(mistakes);
  return ok(freeze(parsed.data));
}

/** Findings with their places, one for each path, after what reading already found; sorted as in the file. */
function placed(found: readonly Finding[], tree: ConfigTree): readonly ConfigMistake[] {
  const mistakes = [...tree.mistakes];
  const reported = new Set(mistakes.map((mistake) => mistake.path));
  for (const { path, expected, found: said, hint } of found) {
    const key = formatPath(path);
    if (reported.has(key)) continue;
    reported.add(key);
    const { line, column } = nearestPlace(path, tree);
    const mistake = { path: key, expected, found: said ?? describe(path, tree), line, column };
    mistakes.push(hint === undefined ? mistake : { ...mistake, hint });
  }
  return mistakes.sort((a, b) => a.line - b.line || a.column - b.column);
}

function nearestPlace(path: ConfigPath, tree: ConfigTree): { readonly line: number; readonly column: number } {
  for (let length = path.length; length >= 0; length--) {
    const place = tree.places.get(formatPath(path.slice(0, length)));
    if (place !== undefined) return place;
  }
  return { line: 1, column: 1 };
}

/** What stands at `path`, for people: as written, so that nothing from the environment is shown. */
function describe(path: ConfigPath, tree: ConfigTree): string {
  const place = tree.places.get(formatPath(path));
  if (place?.written !== undefined) return place.written;
  if (place !== undefined && isSecret(path)) return 'a text that is not shown';
  let value: unknown = tree.value;
  for (const part of path) value = isTree(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (isTree(value)) return 'a map';
  const text = JSON.stringify(typeof value === 'string' ? withoutSecrets(value) : value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** A URL may hold a password before its host, and a signature in its query. */
function withoutSecrets(text: string): string {
  return text.replace(/:\/\/.*@/s, '://…@').replace(/(:\/\/[^?]*\?).+/s, '$1…');
}

function isTree(value: unknown): value is Readonly<Record<string | number, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Freezes a tree of plain data in place. */
export function freeze<T>(value: T): Frozen<T> {
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value) as Frozen<T>;
}
