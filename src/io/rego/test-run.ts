import { ok } from '../../core/kernel/result.ts';

import { ask } from './ask.ts';
import { testedSource } from './source.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { CompilerWorker } from './compiler-worker.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { SourceFiles } from './source-files.ts';

/** Which tests are to be run. */
export interface TestRequest {
  /** The folder, in OPA's bundle layout, with its `_test.rego` files. */
  readonly files: SourceFiles;
  /** Version of the language, unless the manifest says otherwise. Default 1. */
  readonly regoVersion?: 0 | 1;
  /** Only tests whose `data.package.test_name` this regular expression (RE2) matches, as `opa test --run`. */
  readonly filter?: string;
  /** Say which lines the tests covered, as `opa test --coverage`; it makes them slower. Default false. */
  readonly coverage?: boolean;
}

/** How the tests went, in OPA's interpreter. */
export interface TestRun {
  /** In the order of files, and of rules within a file. */
  readonly results: readonly TestResult[];
  readonly coverage?: Coverage;
}

/** One test rule. */
export interface TestResult {
  /** `data.a.b` */
  readonly package: string;
  readonly name: string;
  readonly file: string;
  readonly row: number;
  readonly col: number;
  /** `error`: evaluation broke off, so the test says nothing; `skipped`: its name begins with `todo_test_`. */
  readonly outcome: 'passed' | 'failed' | 'error' | 'skipped';
  /** Why, for the outcome `error`. */
  readonly error?: string;
  readonly durationNs: number;
  /** What `print` wrote. */
  readonly output: string;
  /** Of a rule with cases, `test_x[name] if …`: each case. A case of several keys has them joined with `/`. */
  readonly cases?: readonly TestCase[];
}

/** One case of a test rule. */
export interface TestCase {
  readonly name: string;
  readonly outcome: 'passed' | 'failed';
}

/** Lines that the tests evaluated, of all files that have lines to evaluate, the tests included. */
export interface Coverage {
  /** 0 to 100, of lines over all files. */
  readonly percent: number;
  readonly files: Readonly<Record<string, FileCoverage>>;
}

/** Lines of one file that the tests evaluated; a line that they evaluated only in part is in both lists. */
export interface FileCoverage {
  readonly percent: number;
  readonly covered: readonly LineRange[];
  readonly notCovered: readonly LineRange[];
}

/** Lines from 1, both ends included. */
export interface LineRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Runs the tests as `opa test --bundle` does. The diagnostics are those of files that do not compile. Built-ins that a build
 * refuses are known here, because a test may replace them.
 */
export async function test(
  worker: CompilerWorker,
  request: TestRequest,
): Promise<Result<TestRun, readonly Diagnostic[]>> {
  const args = { ...testedSource(request), filter: request.filter ?? '', coverage: request.coverage ?? false };
  const run = await ask<RawTestRun>(worker, 'test', args, request.files);
  if (!run.ok) return run;
  const { results, coverage } = run.value;
  return ok({ results, ...(coverage === undefined ? {} : { coverage: fromReport(coverage) }) });
}

/** The Go side's answer; the coverage is OPA's own report. */
interface RawTestRun {
  readonly results: readonly TestResult[];
  readonly coverage?: RawCoverage;
}

interface RawCoverage {
  readonly coverage?: number;
  readonly files: Readonly<Record<string, RawFileCoverage>>;
}

interface RawFileCoverage {
  readonly coverage?: number;
  readonly covered?: readonly RawRange[];
  readonly not_covered?: readonly RawRange[];
}

/** From and to a row and a column, in the order of its start. */
interface RawRange {
  readonly start: { readonly row: number };
  readonly end: { readonly row: number };
}

function fromReport(report: RawCoverage): Coverage {
  const files = Object.entries(report.files).map(([path, file]) => [path, fromFileReport(file)] as const);
  return { percent: report.coverage ?? 0, files: Object.fromEntries(files.toSorted(([a], [b]) => (a < b ? -1 : 1))) };
}

function fromFileReport(file: RawFileCoverage): FileCoverage {
  return {
    percent: file.coverage ?? 0,
    covered: linesOf(file.covered ?? []),
    notCovered: linesOf(file.not_covered ?? []),
  };
}

/** Ranges within lines and over lines as ranges of whole lines, joined where they meet. */
function linesOf(ranges: readonly RawRange[]): readonly LineRange[] {
  const lines: LineRange[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start.row - b.start.row)) {
    const last = lines.at(-1);
    if (last === undefined || start.row > last.end + 1) lines.push({ start: start.row, end: end.row });
    else lines[lines.length - 1] = { start: last.start, end: Math.max(last.end, end.row) };
  }
  return lines;
}
