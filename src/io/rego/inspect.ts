import { ask } from './ask.ts';
import { builtSource } from './source.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { CompilerWorker } from './compiler-worker.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { SourceFiles } from './source-files.ts';

/** What is to be inspected. */
export interface InspectRequest {
  /** The folder, in OPA's bundle layout; `_test.rego` files are left out as in a build. */
  readonly files: SourceFiles;
  /** Version of the language, unless the manifest says otherwise. Default 1. */
  readonly regoVersion?: 0 | 1;
}

/** What the files of a policy define and use. Lists are in the order of files and places. */
export interface Inspection {
  readonly packages: readonly { readonly path: string; readonly files: readonly string[] }[];
  readonly rules: readonly (Place & {
    /** `data.a.b.rule`; keys that only evaluation knows are left off. */
    readonly path: string;
    /** Of `default rule := …`. */
    readonly isDefault: boolean;
  })[];
  readonly annotations: readonly {
    /** What it is about: `data.a.b` or `data.a.b.rule`. */
    readonly path: string;
    /** OPA's scope: `rule`, `document`, `package` or `subpackages`. */
    readonly scope: string;
    /** Where that is; the annotation itself stands in the lines above. */
    readonly file: string;
    readonly row: number;
    /** OPA's JSON of the annotation. */
    readonly annotation: unknown;
  }[];
  /** Annotated with `entrypoint: true`, as `a/b/rule`. */
  readonly entrypoints: readonly string[];
  /** Every call of a built-in by its name, refused ones too; operators such as `==` are not listed. */
  readonly builtins: readonly (Place & { readonly name: string })[];
}

/** Row and column, from 1, in a file of the request. */
export interface Place {
  readonly file: string;
  readonly row: number;
  readonly col: number;
}

/** Tells what is in the files. The diagnostics are those of files that do not compile. */
export function inspect(
  worker: CompilerWorker,
  request: InspectRequest,
): Promise<Result<Inspection, readonly Diagnostic[]>> {
  return ask<Inspection>(worker, 'inspect', builtSource(request), request.files);
}
