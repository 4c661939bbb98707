import { ask } from './ask.ts';
import { testedSource } from './source.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { CompilerWorker } from './compiler-worker.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { SourceFiles } from './source-files.ts';

/** What is to be formatted. */
export interface FormatRequest {
  /** Files whose names do not end in `.rego` are ignored. */
  readonly files: SourceFiles;
  /** Version of the language that is read and written, as `opa fmt` and `opa fmt --v0-compatible`. Default 1. */
  readonly regoVersion?: 0 | 1;
}

/** Formats every Rego file as `opa fmt` does: path to text. If one does not parse, nothing but diagnostics. */
export function format(
  worker: CompilerWorker,
  request: FormatRequest,
): Promise<Result<Readonly<Record<string, string>>, readonly Diagnostic[]>> {
  return ask(worker, 'format', testedSource(request), request.files);
}
