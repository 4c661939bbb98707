import { writeFile } from 'node:fs/promises';

import { readBundle } from '../../core/bundle/bundle.ts';
import { writeBundle } from '../../core/bundle/write-bundle.ts';
import { createRegoCompiler } from '../../io/rego/compiler.ts';
import { formatDiagnostic } from '../../io/rego/format-diagnostic.ts';
import { isTestFile } from '../../io/rego/source-files.ts';
import { readPolicyBundle } from '../../io/sources/policy-source.ts';
import { EXIT } from '../exit-codes.ts';
import { inert } from '../terminal.ts';

import type { Build } from '../../io/rego/build.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { PolicyBuildOptions } from '../define-policy.ts';
import type { Terminal } from '../terminal.ts';

const DEFAULT_DECISION = 'sallyport/authz/decision';
const LOG_ENTRYPOINTS: readonly string[] = ['system/log/mask', 'system/log/drop'];

/** `sallyport policy build`: the same source gives the same bytes. */
export async function policyBuild(folder: string, options: PolicyBuildOptions, terminal: Terminal): Promise<ExitCode> {
  const source = await readPolicyBundle(folder);
  if (!source.ok) return wrong(source.error, terminal);
  const compiler = createRegoCompiler();
  try {
    const built = await compiler.build({
      files: Object.fromEntries(source.value.files),
      entrypoints: options.decision ?? [DEFAULT_DECISION],
      optionalEntrypoints: LOG_ENTRYPOINTS,
      ...(options.revision === undefined ? {} : { revision: options.revision }),
    });
    if (!built.ok) return wrong(built.error.map(formatDiagnostic), terminal);
    const rego = new Map([...source.value.rego].filter(([path]) => !isTestFile(path)));
    return await write(built.value, rego, options, terminal);
  } finally {
    await compiler.stop();
  }
}

async function write(
  build: Build,
  rego: ReadonlyMap<string, Uint8Array>,
  options: PolicyBuildOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { policyWasm, planJson, dataJson, manifestJson, entrypoints } = build;
  const archive = writeBundle({ policyWasm, planJson, dataJson, manifestJson, files: rego });
  const read = readBundle(archive);
  if (!read.ok) return wrong([`${read.error.code}: ${read.error.detail}`], terminal);
  await writeFile(options.output, archive);
  const facts = { output: options.output, bytes: archive.length, revision: read.value.revision, entrypoints };
  if (options.json === true) terminal.out(JSON.stringify(facts));
  else
    terminal.out(`${facts.output}: revision ${inert(facts.revision)}, ${facts.bytes} bytes, ${entrypoints.join(', ')}`);
  return EXIT.done;
}

function wrong(lines: readonly string[], terminal: Terminal): ExitCode {
  for (const line of lines) terminal.err(line.split('\n').map(inert).join('\n'));
  return EXIT.wrongUse;
}
