import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Subject } from './policy-subjects.ts';

const run = promisify(execFile);
const OPA = process.env['OPA'] ?? 'opa';

/** Nanoseconds of `opa bench`, wall clock: a prepared query with its input parsed beforehand, and within it the evaluation alone (median). */
export type OpaTime = { readonly op: number; readonly evaluation: number };

/** Why OPA's interpreter is not compared; undefined where it is. */
export async function opaMissing(): Promise<string | undefined> {
  try {
    await run(OPA, ['version']);
    return undefined;
  } catch {
    return `no native opa: \`${OPA}\` cannot be run; put it on the path, or its name in OPA`;
  }
}

/** What OPA's Go interpreter takes for one input of a subject: the rule index, early exit and all. */
export async function opaBench(subject: Subject, input: unknown): Promise<OpaTime> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  try {
    const files = { ...subject.files, 'data.json': JSON.stringify(subject.data), 'input.json': JSON.stringify(input) };
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));
    const policies = ['data.json', ...Object.keys(subject.files)].flatMap((name) => ['-d', name]);
    const query = `data.${subject.entrypoint.replaceAll('/', '.')}`;
    const args = ['bench', ...policies, '-i', 'input.json', '--format', 'json', '--fail=false', query];
    const { stdout } = await run(OPA, args, { cwd: folder });
    const { N, T, Extra } = JSON.parse(stdout) as { N: number; T: number; Extra: Record<string, number> };
    return { op: T / N, evaluation: Extra['histogram_timer_rego_query_eval_ns_median'] ?? Number.NaN };
  } finally {
    await rm(folder, { recursive: true });
  }
}
