import { build } from './build.ts';
import { check } from './check.ts';
import { createCompilerWorker, defaultLimits } from './compiler-worker.ts';
import { evaluate } from './evaluate.ts';
import { format } from './format.ts';
import { inspect } from './inspect.ts';
import { test } from './test-run.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { Build, BuildRequest } from './build.ts';
import type { CheckRequest } from './check.ts';
import type { CompilerLimits, CompilerWorkerDeps } from './compiler-worker.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { Evaluated, EvaluateRequest } from './evaluate.ts';
import type { FormatRequest } from './format.ts';
import type { Inspection, InspectRequest } from './inspect.ts';
import type { TestRequest, TestRun } from './test-run.ts';

/**
 * OPA's own compiler and what comes with it, in a worker (a process, or a thread of this one) that the first call starts.
 * Nothing throws: what is wrong with the files, the request or the compiler comes as diagnostics.
 */
export interface RegoCompiler {
  /** Compiles Rego to WebAssembly and to a plan. The diagnostics are all of the first stage that finds something. */
  build(request: BuildRequest): Promise<Result<Build, readonly Diagnostic[]>>;
  /** What is wrong with the files; nothing if they are sound. */
  check(request: CheckRequest): Promise<readonly Diagnostic[]>;
  /** Runs the tests among the files in OPA's interpreter. */
  test(request: TestRequest): Promise<Result<TestRun, readonly Diagnostic[]>>;
  /** Formats the Rego among the files: path to text. */
  format(request: FormatRequest): Promise<Result<Readonly<Record<string, string>>, readonly Diagnostic[]>>;
  /** Evaluates an entrypoint or a query in OPA's interpreter. */
  evaluate(request: EvaluateRequest): Promise<Result<Evaluated, readonly Diagnostic[]>>;
  /** What the files define and which built-ins they call. */
  inspect(request: InspectRequest): Promise<Result<Inspection, readonly Diagnostic[]>>;
  /** Ends the worker. Calls under way answer with `rego_compiler_stopped`, as do later ones. */
  stop(): Promise<void>;
}

/** Bounds and, for tests, the parts to run with. */
export interface RegoCompilerDeps extends CompilerWorkerDeps {
  readonly limits?: Partial<CompilerLimits>;
}

/** Makes a compiler; it costs nothing until it is used. Calls of one compiler run one after another. */
export function createRegoCompiler(deps: RegoCompilerDeps = {}): RegoCompiler {
  const worker = createCompilerWorker({ ...defaultLimits, ...deps.limits }, deps);
  return {
    build: (request) => build(worker, request),
    check: (request) => check(worker, request),
    test: (request) => test(worker, request),
    format: (request) => format(worker, request),
    evaluate: (request) => evaluate(worker, request),
    inspect: (request) => inspect(worker, request),
    stop: () => worker.stop(),
  };
}
