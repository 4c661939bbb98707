import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What a test wants compiled: one module as `source`, or a folder of Rego and data as `files` (path -> text). */
export interface RegoSource {
  readonly source?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Slash separated paths of rules, such as `sallyport/authz/decision`. */
  readonly entrypoints: readonly string[];
}

/** A compiled policy: the module, the plan it was made from and the data documents of the folder. */
export interface CompiledRego {
  readonly policyWasm: Uint8Array;
  readonly plan: unknown;
  readonly data: unknown;
}

const cacheFolder = join(tmpdir(), 'sallyport-rego-cache');

/**
 * Compiles Rego for a test, by OPA's own compiler. The answer is kept under the system's temporary folder, keyed by all that
 * went in, so that most test processes never start the compiler. Throws with the compiler's messages if the Rego is wrong.
 */
export async function compileRego(request: RegoSource): Promise<CompiledRego> {
  const files = request.files ?? { 'policy.rego': request.source ?? '' };
  const key = createHash('sha256')
    .update(JSON.stringify(['opa 1.22.0', Object.entries(files).sort(), request.entrypoints]))
    .digest('hex');
  const cached = join(cacheFolder, `${key}.json`);
  const found = await readFile(cached, 'utf8').catch(() => undefined);
  if (found !== undefined) return decode(found);
  const built = await compileWithOpa(files, request.entrypoints);
  await mkdir(cacheFolder, { recursive: true });
  await writeFile(`${cached}.${process.pid}`, built);
  await rename(`${cached}.${process.pid}`, cached);
  return decode(built);
}

function decode(text: string): CompiledRego {
  const entry = JSON.parse(text) as { policyWasm: string; plan: unknown; data: unknown };
  return { policyWasm: Uint8Array.fromBase64(entry.policyWasm), plan: entry.plan, data: entry.data };
}

async function compileWithOpa(
  files: Readonly<Record<string, string>>,
  entrypoints: readonly string[],
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-rego-'));
  try {
    const source = join(folder, 'source');
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(source, path)), { recursive: true });
      await writeFile(join(source, path), text);
    }
    const wasm = await buildTarget('wasm', folder, entrypoints);
    const plan = await buildTarget('plan', folder, entrypoints);
    const policyWasm = (await readFile(join(wasm, 'policy.wasm'))).toString('base64');
    const planText = await readFile(join(plan, 'plan.json'), 'utf8');
    const data = await readFile(join(wasm, 'data.json'), 'utf8');
    return JSON.stringify({ policyWasm, plan: JSON.parse(planText), data: JSON.parse(data) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function buildTarget(target: string, folder: string, entrypoints: readonly string[]): Promise<string> {
  const out = join(folder, target);
  await mkdir(out);
  const named = entrypoints.flatMap((entrypoint) => ['-e', entrypoint]);
  const options = ['build', '-t', target, '--prune-unused', '-b', 'source', '-o', join(out, 'b.tar.gz'), ...named];
  await run(join(homedir(), 'go/bin/opa'), options, { cwd: folder });
  await run('tar', ['-xzf', 'b.tar.gz'], { cwd: out });
  return out;
}
