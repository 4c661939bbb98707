import { readBundle } from '../../core/bundle/bundle.ts';
import { writeBundle, writeSignedBundle } from '../../core/bundle/write-bundle.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { DEFAULT_DECISION, LOG_ENTRYPOINTS } from '../../core/model/policy.ts';
import { readArtefactFacts } from '../../io/rego/artefact.ts';
import { createRegoCompiler } from '../../io/rego/compiler.ts';
import { isTestFile } from '../../io/rego/source-files.ts';
import { EXIT } from '../exit-codes.ts';
import { readSigningKey, verificationBy } from '../policy/key-files.ts';
import { printDiagnostics, printProblems } from '../policy/print-diagnostics.ts';
import { readPolicySources } from '../policy/sources.ts';
import { statedBudget } from '../policy/stated-budget.ts';
import { writeWhole } from '../policy/write-whole.ts';
import { inert } from '../terminal.ts';

import type { BundleFault } from '../../core/bundle/fault.ts';
import type { SigningKey } from '../../core/bundle/signature-key.ts';
import type { BundleParts } from '../../core/bundle/write-bundle.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Build } from '../../io/rego/build.ts';
import type { PolicyBuildOptions } from '../define-policy-bundle.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { PolicySources } from '../policy/sources.ts';
import type { Terminal } from '../terminal.ts';

const NO_KEY =
  'sallyport policy build: --algorithm, --key-id and --scope are about a signature; add --key FILE, or the bundle would not be signed';

/** `sallyport policy build`: the same source gives the same bytes (but for ES and PS signatures, which are other ones each time). */
export async function policyBuild(
  paths: readonly string[],
  options: PolicyBuildOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const json = options.json === true;
  if (options.key === undefined && isAboutKey(options)) return printProblems([NO_KEY], json, terminal);
  const sources = await readPolicySources(paths);
  if (!sources.ok) return printProblems(sources.error, json, terminal);
  const key = options.key === undefined ? ok(undefined) : await readSigningKey({ ...options, key: options.key });
  if (!key.ok) return printProblems([key.error], json, terminal);
  const compiler = createRegoCompiler();
  try {
    const built = await compiler.build({
      files: sources.value.files,
      regoVersion: options.v0 === true ? 0 : 1,
      entrypoints: options.decision ?? [DEFAULT_DECISION],
      optionalEntrypoints: LOG_ENTRYPOINTS,
      ...(options.revision === undefined ? {} : { revision: options.revision }),
    });
    if (!built.ok) return printDiagnostics(built.error, sources.value, json, terminal);
    return await write(await partsOf(built.value, sources.value, options), built.value, key.value, options, terminal);
  } finally {
    await compiler.stop();
  }
}

/** Does the user want a signature? (The default of `--algorithm` does not say so.) */
function isAboutKey({ algorithm, keyId, scope }: PolicyBuildOptions): boolean {
  return keyId !== undefined || scope !== undefined || algorithm !== 'ES256';
}

async function partsOf(build: Build, sources: PolicySources, options: PolicyBuildOptions): Promise<BundleParts> {
  const { policyWasm, planJson, dataJson, manifestJson } = build;
  const rego = Object.entries(sources.files).filter(([path]) => path.endsWith('.rego') && !isTestFile(path));
  const { opa } = await readArtefactFacts();
  const budget = options.budget ?? statedBudget(sources.files);
  const sallyport = { compiler: `opa ${opa}`, sequence: options.sequence, budget };
  return { policyWasm, planJson, dataJson, manifestJson, files: new Map(rego), sallyport };
}

async function write(
  parts: BundleParts,
  { entrypoints }: Build,
  key: SigningKey | undefined,
  options: PolicyBuildOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const json = options.json === true;
  const archive = key === undefined ? ok(writeBundle(parts)) : writeSignedBundle(parts, key);
  const read = archive.ok ? readBack(archive.value, key) : archive;
  if (!archive.ok || !read.ok)
    return printProblems([read.ok ? '' : `${read.error.code}: ${read.error.detail}`], json, terminal);
  await writeWhole(options.output, archive.value);
  const facts = { output: options.output, bytes: archive.value.length, ...read.value, entrypoints };
  if (json) terminal.out(JSON.stringify(facts));
  else terminal.out(`${inert(facts.output)}: ${described(facts)}`);
  return EXIT.done;
}

type Facts = { readonly revision: string; readonly sequence?: number; readonly signed: boolean };

/** What is written must be what a sidecar takes. */
function readBack(archive: Uint8Array, key: SigningKey | undefined): Result<Facts, BundleFault> {
  const read = readBundle(archive, key === undefined ? {} : { verification: verificationBy(key) });
  if (!read.ok) return err(read.error);
  const { revision, sequence } = read.value;
  return ok({ revision, ...(sequence === undefined ? {} : { sequence }), signed: key !== undefined });
}

function described(facts: Facts & { readonly bytes: number; readonly entrypoints: readonly string[] }): string {
  const { revision, sequence, signed, bytes, entrypoints } = facts;
  const parts = [
    `revision ${inert(revision)}`,
    ...(sequence === undefined ? [] : [`sequence ${sequence}`]),
    ...(signed ? ['signed'] : []),
    `${bytes} bytes`,
    inert(entrypoints.join(', ')),
  ];
  return parts.join(', ');
}
