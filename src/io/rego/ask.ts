import { err, ok } from '../../core/kernel/result.ts';

import { toDiagnostic } from './locate.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { CallResult, CompilerWorker } from './compiler-worker.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { Operation } from './protocol.ts';
import type { SourceFiles } from './source-files.ts';

/**
 * Asks the compiler for one operation. Whatever goes wrong becomes diagnostics: with the policy (`files` are what its
 * author wrote, for places and lines) or with the compiler itself. The type of the value is the operation's, unchecked.
 */
export async function ask<T>(
  worker: CompilerWorker,
  operation: Operation,
  args: unknown,
  files: SourceFiles,
): Promise<Result<T, readonly Diagnostic[]>> {
  const result = await worker.call({ operation, arguments: args });
  if (result.kind !== 'answered') return err([compilerFault(result)]);
  if (result.answer.ok) return ok(result.answer.value as T);
  return err(result.answer.errors.map((raw) => toDiagnostic(raw, files)));
}

function compilerFault(result: Exclude<CallResult, { kind: 'answered' }>): Diagnostic {
  switch (result.kind) {
    case 'deadline':
      return { code: 'rego_compiler_deadline', message: tooLong(result.ms) };
    case 'failed':
      return { code: 'rego_compiler_failed', message: `the Rego compiler failed: ${result.reason}` };
    case 'stopped':
      return { code: 'rego_compiler_stopped', message: 'the Rego compiler was stopped' };
    default:
      return result satisfies never;
  }
}

function tooLong(ms: number): string {
  return `the Rego compiler took longer than ${ms} ms and was ended; look for a rule, test or query that tries too many combinations`;
}
