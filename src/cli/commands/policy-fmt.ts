import { realpath, stat } from 'node:fs/promises';

import { createTwoFilesPatch } from 'diff';

import { createRegoCompiler } from '../../io/rego/compiler.ts';
import { EXIT } from '../exit-codes.ts';
import { printDiagnostics, printProblems } from '../policy/print-diagnostics.ts';
import { readPolicySources } from '../policy/sources.ts';
import { writeWhole } from '../policy/write-whole.ts';
import { inert } from '../terminal.ts';

import type { PolicyFmtOptions } from '../define-policy.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { PolicySources } from '../policy/sources.ts';
import type { Terminal } from '../terminal.ts';

/** A Rego file as it is and as it should be. */
type Formatting = { readonly path: string; readonly shown: string; readonly before: string; readonly after: string };

/** `sallyport policy fmt`: one of `--check` (names), `--diff`, `--write`, or else the formatted text on stdout. */
export async function policyFmt(
  paths: readonly string[],
  options: PolicyFmtOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const sources = await readPolicySources(paths);
  if (!sources.ok) return printProblems(sources.error, false, terminal);
  const compiler = createRegoCompiler();
  try {
    const { files } = sources.value;
    const formatted = await compiler.format({ files, regoVersion: options.v0 === true ? 0 : 1 });
    if (!formatted.ok) return printDiagnostics(formatted.error, sources.value, false, terminal);
    return await act(compare(sources.value, formatted.value), sources.value, options, terminal);
  } finally {
    await compiler.stop();
  }
}

function compare(sources: PolicySources, formatted: Readonly<Record<string, string>>): readonly Formatting[] {
  return Object.entries(formatted).map(([path, after]) => {
    return { path, shown: sources.shown(path), before: Buffer.from(sources.files[path] ?? []).toString('utf8'), after };
  });
}

async function act(
  all: readonly Formatting[],
  sources: PolicySources,
  options: PolicyFmtOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const changed = all.filter(({ before, after }) => before !== after);
  if (options.diff === true) for (const one of changed) printDiff(one, terminal);
  if (options.write === true) return write(changed, sources, terminal);
  if (options.check === true) {
    if (options.diff !== true) for (const { shown } of changed) terminal.out(inert(shown));
    return changed.length === 0 ? EXIT.done : EXIT.no;
  }
  if (options.diff !== true) for (const { after } of all) terminal.out(text(after.replace(/\n$/, '')));
  return EXIT.done;
}

/** The text as it is, for a pipe; without escape sequences, for a terminal. */
function text(rego: string): string {
  return process.stdout.isTTY
    ? rego
        .split('\n')
        .map((line) => inert(line.replaceAll('\t', '    ')))
        .join('\n')
    : rego;
}

function printDiff({ shown, before, after }: Formatting, terminal: Terminal): void {
  const lines = createTwoFilesPatch(shown, shown, before, after, undefined, undefined, {
    headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
  });
  for (const line of lines.trimEnd().split('\n'))
    terminal.out(coloured(inert(line.replaceAll('\t', '    ')), terminal));
}

function coloured(line: string, terminal: Terminal): string {
  if (line.startsWith('+')) return terminal.style('out', 'green', line);
  return line.startsWith('-') ? terminal.style('out', 'red', line) : line;
}

/** Each file is replaced whole: one that is being read, or a disk that is full, never leaves half of it. */
async function write(changed: readonly Formatting[], sources: PolicySources, terminal: Terminal): Promise<ExitCode> {
  const members = changed.filter(({ path }) => !sources.onDisk.has(path));
  if (members.length > 0) {
    for (const { shown } of members) terminal.err(`${inert(shown)}: stands in a bundle, which is not rewritten`);
    return EXIT.wrongUse;
  }
  for (const { path, after } of changed) {
    const named = sources.onDisk.get(path) ?? path;
    const file = await realpath(named);
    const { mode } = await stat(file);
    await writeWhole(file, after, mode);
    terminal.out(inert(named));
  }
  return EXIT.done;
}
