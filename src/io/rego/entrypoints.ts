import { lineAt, textOf } from './source-files.ts';

import type { Diagnostic } from './diagnostic.ts';
import type { SourceFiles } from './source-files.ts';

/** A Rego file as the Go side's `modules` lists it; paths have the form of an entrypoint, `package/rule`. */
export interface ModuleFacts {
  readonly file: string;
  readonly package: string;
  /** Row of the package statement. */
  readonly row: number;
  readonly rules: readonly { readonly path: string; readonly row: number; readonly col: number }[];
}

/** Why an entrypoint without a name is refused: OPA would take it for all of `data`. */
export const EMPTY_ENTRYPOINT = 'an entrypoint is empty; name a rule, such as example/allow';

/** How many existing entrypoints a message lists. */
const SHOWN = 6;

/**
 * Does `entrypoint` ask for something that the modules define: a rule, a package with rules, or a part of a rule whose head
 * is longer or shorter than the name (as `GetRules` of OPA's compiler answers)?
 */
export function entrypointExists(entrypoint: string, modules: readonly ModuleFacts[]): boolean {
  return rulePaths(modules).some((path) => within(path, entrypoint) || within(entrypoint, path));
}

/** Is `path` equal to `outer` or below it? */
function within(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}/`);
}

function rulePaths(modules: readonly ModuleFacts[]): readonly string[] {
  return [...new Set(modules.flatMap((module) => module.rules.map((rule) => rule.path)))];
}

/**
 * Says that `entrypoint` does not exist and what does. OPA gives no place for it: the place is the package statement of
 * the file that should have defined it, the one whose package has most in common with the name.
 */
export function unknownEntrypoint(entrypoint: string, modules: readonly ModuleFacts[], files: SourceFiles): Diagnostic {
  const nearest = modules
    .filter((module) => within(entrypoint, module.package))
    .sort((a, b) => b.package.length - a.package.length)[0];
  const message = `no rule or package is at entrypoint "${entrypoint}"; ${existing(modules, nearest?.package)}`;
  const code = 'rego_unknown_entrypoint';
  if (nearest === undefined) return { code, message };
  const line = lineAt(textOf(files[nearest.file] ?? ''), nearest.row);
  return { code, message, file: nearest.file, row: nearest.row, col: 1, ...(line === undefined ? {} : { line }) };
}

function existing(modules: readonly ModuleFacts[], near: string | undefined): string {
  const paths = rulePaths(modules);
  if (paths.length === 0) return 'the files define no rules';
  const close = paths.filter((path) => near !== undefined && within(path, near));
  const shown = [...new Set([...close, ...paths])].slice(0, SHOWN);
  const more = paths.length > shown.length ? ` and ${paths.length - shown.length} more` : '';
  return `the files define ${shown.join(', ')}${more}`;
}
