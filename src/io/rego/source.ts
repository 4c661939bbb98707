import { refusedBuiltins } from './refused-builtins.ts';
import { buildFiles, encodeFiles } from './source-files.ts';

import type { SourceFiles } from './source-files.ts';

/** What every operation on files sends to the Go side (`go/source.go`). */
export interface Source {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly regoVersion: 0 | 1;
  readonly capabilities?: unknown;
  readonly refusedBuiltins: readonly string[];
}

/** What of a request says which files there are and how to read them. */
export interface SourceRequest {
  readonly files: SourceFiles;
  readonly regoVersion?: 0 | 1;
  readonly capabilities?: unknown;
}

/** The source of a request: all its files, or those `built`, which are all but the tests. */
export function sourceOf(request: SourceRequest, which: 'all' | 'built'): Source {
  return {
    files: which === 'all' ? encodeFiles(request.files) : buildFiles(request.files),
    regoVersion: request.regoVersion ?? 1,
    capabilities: request.capabilities,
    refusedBuiltins: Object.keys(refusedBuiltins),
  };
}
