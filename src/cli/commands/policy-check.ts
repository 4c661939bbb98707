import { readFile } from 'node:fs/promises';

import { createRegoCompiler } from '../../io/rego/compiler.ts';
import { reasonOf } from '../../io/sources/problem.ts';
import { EXIT } from '../exit-codes.ts';
import { printDiagnostics, printProblems } from '../policy/print-diagnostics.ts';
import { readPolicySources } from '../policy/sources.ts';

import type { PolicyCheckOptions } from '../define-policy.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

const NO_REGO = 'holds no Rego; name a folder or bundle with .rego files, or such a file';
const INPUT_SCHEMA = new URL('../../../policies/schemas/input.json', import.meta.url);

/** `sallyport policy check`: everything that OPA's compiler and the schema of the input find, each with its place. */
export async function policyCheck(
  paths: readonly string[],
  options: PolicyCheckOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const json = options.json === true;
  const sources = await readPolicySources(paths);
  if (!sources.ok) return printProblems(sources.error, json, terminal);
  if (regoCount(sources.value.files) === 0) return printProblems([`${paths.join(', ')}: ${NO_REGO}`], json, terminal);
  const schema = await readSchema(options.schema);
  if (schema.kind === 'unreadable') return printProblems([schema.problem], json, terminal);
  const compiler = createRegoCompiler();
  try {
    const diagnostics = await compiler.check({
      files: sources.value.files,
      regoVersion: options.v0 === true ? 0 : 1,
      strict: options.strict,
      ...(schema.kind === 'schema' ? { inputSchema: schema.value } : {}),
    });
    if (diagnostics.length > 0) return printDiagnostics(diagnostics, sources.value, json, terminal);
    if (json) terminal.out(JSON.stringify({ ok: true, errors: [] }));
    else terminal.out(`${filesOfRego(sources.value.files)}: ${terminal.style('out', 'green', 'good')}`);
    return EXIT.done;
  } finally {
    await compiler.stop();
  }
}

type Schema =
  | { readonly kind: 'none' }
  | { readonly kind: 'schema'; readonly value: unknown }
  | { readonly kind: 'unreadable'; readonly problem: string };

/** The schema that the input is checked against: ours unless the user names another (a path) or none (`false`). */
async function readSchema(asked: string | boolean): Promise<Schema> {
  if (asked === false) return { kind: 'none' };
  const path = typeof asked === 'string' ? asked : INPUT_SCHEMA;
  try {
    return { kind: 'schema', value: JSON.parse(await readFile(path, 'utf8')) as unknown };
  } catch (error) {
    const why = error instanceof SyntaxError ? `is not JSON: ${error.message}` : reasonOf(error);
    return { kind: 'unreadable', problem: `${String(asked)}: ${why}` };
  }
}

function regoCount(files: Readonly<Record<string, unknown>>): number {
  return Object.keys(files).filter((path) => path.endsWith('.rego')).length;
}

function filesOfRego(files: Readonly<Record<string, unknown>>): string {
  const count = regoCount(files);
  return `${count} ${count === 1 ? 'file' : 'files'} of Rego`;
}
