import { err } from '../../core/kernel/result.ts';

import { ask } from './ask.ts';
import { EMPTY_ENTRYPOINT } from './entrypoints.ts';
import { builtSource, testedSource } from './source.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { CompilerWorker } from './compiler-worker.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { SourceFiles } from './source-files.ts';

/** What is to be evaluated: an entrypoint, as a built policy would be asked for it, or any query. */
export type EvaluateRequest = EvaluateOptions &
  (
    | {
        /** A rule or package, as `a/b/c`. One that does not exist is undefined. */
        readonly entrypoint: string;
        readonly query?: never;
      }
    | {
        /** Rego, such as `data.a.b.c == 1; x := input.y`. */
        readonly query: string;
        readonly entrypoint?: never;
      }
  );

/** On what and how to evaluate. */
export interface EvaluateOptions {
  /** The folder, in OPA's bundle layout; `_test.rego` files are left out as in a build. */
  readonly files: SourceFiles;
  /** Version of the language, unless the manifest says otherwise. Default 1. */
  readonly regoVersion?: 0 | 1;
  /** `_test.rego` files are part of it. Default false. */
  readonly tests?: boolean;
  /** JSON text, so that numbers keep all their digits. Without it `input` is undefined. */
  readonly inputJson?: string;
  /** JSON text of an object that takes the place of the folder's data documents. */
  readonly dataJson?: string;
  /** What `time.now_ns` answers: nanoseconds since 1970 as a decimal string. Default: the clock. */
  readonly nowNs?: string;
  /**
   * What built-ins that are not deterministic answered before, as a decision log has it (`nd_builtin_cache`): name to arguments
   * to value. Calls that are in it are answered from it.
   */
  readonly ndBuiltinCacheJson?: string;
  /** Say which rules were entered and which succeeded. Default false. */
  readonly explain?: boolean;
  /** An error in a built-in ends the evaluation with a diagnostic instead of making its expression undefined. Default false. */
  readonly strictBuiltinErrors?: boolean;
}

/** What came of an evaluation in OPA's interpreter. */
export interface Evaluated {
  readonly defined: boolean;
  /**
   * JSON text: the entrypoint's value, or for a query the array of its bindings, one object of variables for each solution (an
   * empty array and not defined where there is none). Absent where an entrypoint is undefined. A set is an ordered array.
   */
  readonly resultJson?: string;
  /** With `explain`: every rule that was entered, in the order of files and places. */
  readonly rules: readonly RuleTrace[];
  /** What `print` wrote. */
  readonly output: string;
  /** Errors in built-ins, each of which made its expression undefined, as OPA words them, with the place. */
  readonly builtinErrors: readonly string[];
  /** What built-ins that are not deterministic answered, in the form of `ndBuiltinCacheJson`. */
  readonly ndBuiltinCacheJson: string;
}

/** What became of one rule in an evaluation. */
export interface RuleTrace {
  /** `data.a.b.rule` */
  readonly path: string;
  readonly file: string;
  readonly row: number;
  readonly col: number;
  /** How often its body was begun; rules that OPA's index rules out are not. */
  readonly entered: number;
  /** How often its body held. */
  readonly succeeded: number;
}

/**
 * Evaluates in OPA's interpreter, which is what every other evaluation is measured by. The worker keeps the last few compiled
 * combinations of files, data and query, so that the same with another input costs no compiling.
 */
export async function evaluate(
  worker: CompilerWorker,
  request: EvaluateRequest,
): Promise<Result<Evaluated, readonly Diagnostic[]>> {
  if (request.entrypoint === '') return err([{ code: 'rego_request_error', message: EMPTY_ENTRYPOINT }]);
  const args = {
    ...(request.tests === true ? testedSource(request) : builtSource(request)),
    query: request.entrypoint === undefined ? request.query : queryOf(request.entrypoint),
    value: request.entrypoint !== undefined,
    input: request.inputJson,
    data: request.dataJson,
    nowNs: request.nowNs,
    ndBuiltinCache: request.ndBuiltinCacheJson,
    explain: request.explain ?? false,
    strictBuiltinErrors: request.strictBuiltinErrors ?? false,
  };
  return ask<Evaluated>(worker, 'evaluate', args, request.files);
}

/** `a/b` as the reference `data["a"]["b"]`: a JSON string is a Rego string, whatever is in it. */
function queryOf(entrypoint: string): string {
  return `data${entrypoint
    .split('/')
    .map((part) => `[${JSON.stringify(part)}]`)
    .join('')}`;
}
