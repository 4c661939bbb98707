import { ask } from './ask.ts';
import { sourceOf } from './source.ts';

import type { CompilerWorker } from './compiler-worker.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { SourceFiles } from './source-files.ts';

/** What is to be checked. */
export interface CheckRequest {
  /** The folder, in OPA's bundle layout, tests included. */
  readonly files: SourceFiles;
  /** Version of the language, unless the manifest says otherwise. Default 1. */
  readonly regoVersion?: 0 | 1;
  /** OPA's strict mode: unused variables and imports, shadowed names and the like are errors too. Default true. */
  readonly strict?: boolean;
  /**
   * A JSON Schema that is the type of `input` in every module, so that a field it does not have is found with its place. It is
   * not for packages under `system.log`, whose input is a decision-log event. A module's own schema annotations come before it.
   */
  readonly inputSchema?: unknown;
}

/** Runs OPA's compiler as `opa check --bundle --strict` does; no diagnostics is sound. */
export async function check(worker: CompilerWorker, request: CheckRequest): Promise<readonly Diagnostic[]> {
  const args = { ...sourceOf(request, 'all'), strict: request.strict ?? true, inputSchema: request.inputSchema };
  const checked = await ask<null>(worker, 'check', args, request.files);
  return checked.ok ? [] : checked.error;
}
