/**
 * One thing wrong with a policy, with its compilation or its evaluation, said so that its author can act on it.
 * `code` is OPA's own where it gives one (`rego_parse_error`, `rego_type_error`, …; of an evaluation `eval_conflict_error`,
 * `eval_builtin_error`, …), else one of ours:
 * `rego_load_error` (a file that is not what its name says), `rego_build_error`, `rego_request_error`,
 * `rego_refused_builtin`, `rego_unknown_entrypoint`, and for the compiler itself `rego_internal_error`,
 * `rego_compiler_failed`, `rego_compiler_deadline`, `rego_compiler_stopped`.
 */
export interface Diagnostic {
  readonly code: string;
  readonly message: string;
  /** What OPA adds on lines of its own, such as the types that a function was given and wants. */
  readonly details?: readonly string[];
  /** Path of the file as it was in the request. */
  readonly file?: string;
  /** Line, from 1. */
  readonly row?: number;
  /** Column in characters, from 1; one past the end of the line where something is missing there. */
  readonly col?: number;
  /** The source line at `row`, without its end, cut after 1,000 characters. */
  readonly line?: string;
}
