import { ask } from './ask.ts';
import { builtSource, testedSource } from './source.ts';

import type { CompilerWorker } from './compiler-worker.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { SourceFiles } from './source-files.ts';
import type { Source } from './source.ts';

/** What is to be checked. */
export interface CheckRequest {
  /** The folder, in OPA's bundle layout, tests included. */
  readonly files: SourceFiles;
  /** Version of the language, unless the manifest says otherwise. Default 1. */
  readonly regoVersion?: 0 | 1;
  /** OPA's strict mode: unused variables and imports, shadowed names and the like are errors too. Default true. */
  readonly strict?: boolean;
  /**
   * A JSON Schema that is the type of `input` in every module, so that a field it does not have is found with its place. A
   * module's own schema annotations come before it; they can name it as `schema.input`. Default: `input` is anything.
   */
  readonly inputSchema?: unknown;
}

/** Packages whose input is not ours, and those below them: a decision log's masking is asked with a log event. */
const UNBOUND_PACKAGES = ['system.log'];

/**
 * Runs OPA's compiler as `opa check --bundle --strict --schema` does; no diagnostics is sound. Refused built-ins are found as
 * in a build, except in `_test.rego` files, which may name them to replace what they answer: `with http.send as mock`.
 */
export async function check(worker: CompilerWorker, request: CheckRequest): Promise<readonly Diagnostic[]> {
  const [built, tested] = [builtSource(request), testedSource(request)];
  const first = await run(worker, request, { ...tested, refusedBuiltins: built.refusedBuiltins });
  if (first.length === 0 || first.some(isOfCompiler)) return first;
  // Something is wrong with the files, though it may only be that a test names a refused built-in.
  const ofBuild = await run(worker, request, built);
  const ofTests = await run(worker, request, tested);
  const known = new Set(ofBuild.map((diagnostic) => JSON.stringify(diagnostic)));
  return [...ofBuild, ...ofTests.filter((diagnostic) => !known.has(JSON.stringify(diagnostic)))];
}

function isOfCompiler(diagnostic: Diagnostic): boolean {
  return diagnostic.code.startsWith('rego_compiler_');
}

async function run(worker: CompilerWorker, request: CheckRequest, source: Source): Promise<readonly Diagnostic[]> {
  const { strict = true, inputSchema } = request;
  const args = { ...source, strict, inputSchema, unbound: UNBOUND_PACKAGES };
  const checked = await ask<null>(worker, 'check', args, request.files);
  return checked.ok ? [] : checked.error;
}
