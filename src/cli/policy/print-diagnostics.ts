import { formatDiagnostic } from '../../io/rego/format-diagnostic.ts';
import { EXIT } from '../exit-codes.ts';
import { inert } from '../terminal.ts';

import type { Diagnostic } from '../../io/rego/diagnostic.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';
import type { PolicySources } from './sources.ts';

/** Where a diagnostic is, in the user's words: the path that an editor or terminal can open. */
export function placed(diagnostic: Diagnostic, sources: Pick<PolicySources, 'shown'>): Diagnostic {
  return diagnostic.file === undefined ? diagnostic : { ...diagnostic, file: sources.shown(diagnostic.file) };
}

/** Tells what is wrong with a policy, each with its place, line and mark; as JSON `{"ok":false,"errors":[…]}` on stdout. The exit code is that of bad input. */
export function printDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: Pick<PolicySources, 'shown'>,
  json: boolean,
  terminal: Terminal,
): ExitCode {
  const errors = diagnostics.map((diagnostic) => placed(diagnostic, sources));
  if (json) terminal.out(JSON.stringify({ ok: false, errors }));
  else for (const error of errors) terminal.err(formatDiagnostic(error).split('\n').map(inert).join('\n'));
  if (!json && errors.some(isOlderRego)) terminal.err('Rego from before OPA 1.0? --v0 reads it as that');
  return EXIT.wrongUse;
}

/** What OPA 1 says of rules as they were written before. */
function isOlderRego({ code, message }: Diagnostic): boolean {
  return code === 'rego_parse_error' && /^`(?:if|contains)` keyword is required/.test(message);
}

/** Tells what could not be read; as JSON like `printDiagnostics`. */
export function printProblems(problems: readonly string[], json: boolean, terminal: Terminal): ExitCode {
  if (json) terminal.out(JSON.stringify({ ok: false, errors: problems.map((message) => ({ message })) }));
  else for (const problem of problems) terminal.err(problem.split('\n').map(inert).join('\n'));
  return EXIT.wrongUse;
}
