import { refusalIn } from './refused-builtins.ts';
import { lengthInCharacters, lineAt, placeOfByte, textOf } from './source-files.ts';

import type { Diagnostic } from './diagnostic.ts';
import type { RawDiagnostic } from './protocol.ts';
import type { SourceFiles } from './source-files.ts';

interface Place {
  readonly row: number;
  readonly col: number;
}

/** Completes what OPA reports for the author: the place where OPA gives none, the line itself, our reasons for refusals. */
export function toDiagnostic(raw: RawDiagnostic, files: SourceFiles): Diagnostic {
  const refusal = raw.code === 'rego_type_error' ? refusalIn(raw.message) : undefined;
  const file = raw.file ?? fileNamedIn(raw.message, files);
  return {
    code: refusal === undefined ? raw.code : 'rego_refused_builtin',
    message: refusal ?? withoutLoaderPrefix(raw.message),
    ...(showsMoreThanLine(raw) ? { details: raw.details ?? [] } : {}),
    ...(file === undefined ? {} : { file, ...placeAndLine(raw, file, files) }),
  };
}

/** The details of a parse error are the line and a caret, which the diagnostic has anyway. */
function showsMoreThanLine(raw: RawDiagnostic): boolean {
  return raw.details !== undefined && raw.details.length > 0 && raw.code !== 'rego_parse_error';
}

/** OPA's loader says which bundle it was reading; here there is only one, and it has no name. */
function withoutLoaderPrefix(message: string): string {
  return message.replace(/^(?:load error: )?(?:bundle \.: )?/, '');
}

function fileNamedIn(message: string, files: SourceFiles): string | undefined {
  const named = /failed on \/?(.+?): /.exec(message)?.[1];
  return named !== undefined && Object.hasOwn(files, named) ? named : undefined;
}

function placeAndLine(raw: RawDiagnostic, file: string, files: SourceFiles): Partial<Diagnostic> {
  const content = Object.hasOwn(files, file) ? files[file] : undefined;
  if (content === undefined) return raw.row ? { row: raw.row, col: raw.col || 1 } : {};
  const text = textOf(content);
  const { row, col } = placeOf(raw, content, text);
  const line = lineAt(text, row);
  return { row, col, ...(line === undefined ? {} : { line }) };
}

/** OPA's place; else the byte offset of a JSON error, the line in a YAML error's text, the end or the start of the file. */
function placeOf(raw: RawDiagnostic, content: string | Uint8Array, text: string): Place {
  if (raw.row) return { row: raw.row, col: raw.col || lengthInCharacters(lineAt(text, raw.row) ?? '') + 1 };
  if (raw.offset) return placeOfByte(typeof content === 'string' ? Buffer.from(content) : content, raw.offset);
  const yamlLine = /\byaml: line (\d+):/.exec(raw.message)?.[1];
  if (yamlLine !== undefined) return { row: Number(yamlLine), col: 1 };
  if (/\bEOF$/.test(raw.message)) return placeOfByte(Buffer.from(text), Buffer.byteLength(text) + 1);
  return { row: 1, col: 1 };
}
