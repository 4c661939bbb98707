import type { Diagnostic } from './diagnostic.ts';

/**
 * A diagnostic for a person: place, code and message, then the line with a mark under the column.
 * ```
 * authz.rego:4:10: rego_parse_error: unexpected } token
 *   4 | allow if }
 *     |          ^
 * ```
 */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { code, message, file, row, col, line, details } = diagnostic;
  const place = [file, row, col].filter((part) => part !== undefined).join(':');
  const head = `${place === '' ? '' : `${place}: `}${code}: ${message}`;
  const shown = row === undefined || line === undefined ? [] : lineWithMark(row, col, line);
  return [head, ...(details ?? []).map((detail) => `  ${detail}`), ...shown].join('\n');
}

function lineWithMark(row: number, col: number | undefined, line: string): readonly string[] {
  const source = `  ${row} | ${line}`;
  if (col === undefined || col > line.length + 1) return [source];
  const before = Array.from(line)
    .slice(0, col - 1)
    .map((character) => (character === '\t' ? '\t' : ' '));
  return [source, `  ${' '.repeat(String(row).length)} | ${before.join('')}^`];
}
