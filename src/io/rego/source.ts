import { REFUSED_BUILTINS } from '../../core/policy/refused-builtins.ts';

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

/** What a policy is built from: all files but the tests, and no refused built-in is known. */
export function builtSource(request: SourceRequest): Source {
  return sourceWith(request, buildFiles(request.files), Object.keys(REFUSED_BUILTINS));
}

/**
 * All files, tests included. Refused built-ins are known, because a test may replace one, as in `with http.send as mock`;
 * one that is not replaced finds no network in the interpreter, and a host refuses a module that still calls it.
 */
export function testedSource(request: SourceRequest): Source {
  return sourceWith(request, encodeFiles(request.files), []);
}

function sourceWith(request: SourceRequest, files: Source['files'], refused: readonly string[]): Source {
  const { regoVersion = 1, capabilities } = request;
  return { files, regoVersion, capabilities, refusedBuiltins: refused };
}
