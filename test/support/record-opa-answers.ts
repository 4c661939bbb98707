/**
 * Asks a native `opa` for the answers in `test/unit/policy/opa-answers.json` again: `node test/support/record-opa-answers.ts [path of opa]`.
 * Run the formatter afterwards. The file holds `[expression, answer]`, without an answer where OPA gives undefined. Recorded with OPA 1.22.0.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const file = new URL('../unit/policy/opa-answers.json', import.meta.url);
const cases = JSON.parse(readFileSync(file, 'utf8')) as [string, unknown?][];
const folder = mkdtempSync(join(tmpdir(), 'opa-answers-'));
try {
  const rules = cases.map(([expression], index) => `r${index} := ${expression}`);
  writeFileSync(join(folder, 't.rego'), `package t\n\n${rules.join('\n')}\n`);
  writeFileSync(join(folder, 'input.json'), '{}');
  const args = ['eval', '-d', join(folder, 't.rego'), '-i', join(folder, 'input.json'), '-f', 'raw', 'data.t'];
  const text = execFileSync(process.argv[2] ?? 'opa', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  const answers = JSON.parse(text) as Record<string, unknown>;
  const rows = cases.map(([expression], index) =>
    JSON.stringify(`r${index}` in answers ? [expression, answers[`r${index}`]] : [expression]),
  );
  writeFileSync(file, `[\n${rows.join(',\n')}\n]\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
