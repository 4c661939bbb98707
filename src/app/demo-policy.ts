import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { manifestJson, tiedManifest } from '../core/bundle/write-bundle.ts';
import { DEFAULT_DECISION } from '../core/model/policy.ts';
import { createPolicyCompiler } from './policy-compiler.ts';

/**
 * Compiles the Rego of `source` once for all sidecars and writes a policy folder: `policy.wasm`, its plan, and `data.json`, which may be edited
 * while the sidecars run. Throws with the compiler's complaints.
 */
export async function makePolicy(source: string, folder: string): Promise<void> {
  const names = ['demo.rego', 'data.json'];
  const files = await Promise.all(names.map(async (name) => [name, await readFile(join(source, name))] as const));
  const compiler = createPolicyCompiler(DEFAULT_DECISION);
  try {
    const compiled = await compiler.compile(new Map(files));
    if (!compiled.ok) throw new Error(compiled.error.join('\n'));
    await mkdir(folder, { recursive: true });
    const { policyWasm, planJson } = compiled.value;
    const data = await readFile(join(source, 'data.json'));
    const manifest = tiedManifest({ policyWasm, planJson, manifestJson: manifestJson(undefined, [DEFAULT_DECISION]) });
    const parts = { '.manifest': manifest, 'policy.wasm': policyWasm, 'plan.json': planJson, 'data.json': data };
    for (const [name, content] of Object.entries(parts)) {
      await writeFile(join(folder, name), content);
    }
  } finally {
    await compiler.stop();
  }
}
