import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readArtefactFacts } from '../../src/io/rego/artefact.ts';
import { createRegoCompiler } from '../../src/io/rego/compiler.ts';
import { formatDiagnostic } from '../../src/io/rego/format-diagnostic.ts';

import type { RegoCompiler } from '../../src/io/rego/compiler.ts';

/** What a test wants compiled: one module as `source`, or a folder of Rego and data as `files` (path -> text). */
export interface RegoSource {
  readonly source?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Slash separated paths of rules, such as `sallyport/authz/decision`. */
  readonly entrypoints: readonly string[];
  /** Entrypoints that are added only if the files define them. */
  readonly optionalEntrypoints?: readonly string[];
  /** Version of the Rego language; 1 unless said. */
  readonly regoVersion?: 0 | 1;
}

/** A compiled policy: the module, the plan it was made from and the data documents of the folder. */
export interface CompiledRego {
  readonly policyWasm: Uint8Array<ArrayBuffer>;
  readonly plan: unknown;
  readonly data: unknown;
}

interface CacheEntry {
  readonly policyWasm: string;
  readonly planJson: string;
  readonly dataJson: string;
}

const cacheFolder = join(tmpdir(), 'sallyport-rego-cache');
let compiler: RegoCompiler | undefined;

/**
 * Compiles Rego for a test, by the project's own compiler. The answer is kept under the system's temporary folder, keyed by
 * all that went in, so that most test processes never start the compiler. Throws with the diagnostics if the Rego is wrong.
 * The compiler's thread does not keep a test process alive; nothing needs closing.
 */
export async function compileRego(request: RegoSource): Promise<CompiledRego> {
  const files = request.files ?? { 'policy.rego': request.source ?? '' };
  const cached = join(cacheFolder, `${await keyOf(files, request)}.json`);
  const found = await readFile(cached, 'utf8').catch(() => undefined);
  if (found !== undefined) return decode(JSON.parse(found) as CacheEntry);
  const entry = await compile(files, request);
  await store(cached, JSON.stringify(entry));
  return decode(entry);
}

async function keyOf(files: Readonly<Record<string, string>>, request: RegoSource): Promise<string> {
  const { sha256 } = await readArtefactFacts();
  const sorted = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
  const options = [request.entrypoints, request.optionalEntrypoints ?? [], request.regoVersion ?? 1];
  return createHash('sha256')
    .update(JSON.stringify([sha256, sorted, options]))
    .digest('hex');
}

async function compile(files: Readonly<Record<string, string>>, request: RegoSource): Promise<CacheEntry> {
  const { entrypoints, optionalEntrypoints = [], regoVersion = 1 } = request;
  compiler ??= createRegoCompiler();
  const built = await compiler.build({ files, entrypoints, optionalEntrypoints, regoVersion });
  if (!built.ok) throw new Error(built.error.map(formatDiagnostic).join('\n'));
  const { policyWasm, planJson, dataJson } = built.value;
  return { policyWasm: policyWasm.toBase64(), planJson, dataJson };
}

/** Several test processes may compile the same policy at once; each sees either no entry or a whole one. */
async function store(path: string, text: string): Promise<void> {
  await mkdir(cacheFolder, { recursive: true });
  const fresh = `${path}.${randomUUID()}`;
  await writeFile(fresh, text);
  await rename(fresh, path);
}

function decode(entry: CacheEntry): CompiledRego {
  return {
    policyWasm: Uint8Array.fromBase64(entry.policyWasm),
    plan: JSON.parse(entry.planJson) as unknown,
    data: JSON.parse(entry.dataJson) as unknown,
  };
}
