import { createRandom, systemClock } from '../../app/system.ts';
import { inspectPolicy } from '../../app/workbench/inspect-policy.ts';
import { DEFAULT_DECISION, LOG_ENTRYPOINTS } from '../../core/model/policy.ts';
import { createRegoCompiler } from '../../io/rego/compiler.ts';
import { EXIT } from '../exit-codes.ts';
import { printDiagnostics, printProblems } from '../policy/print-diagnostics.ts';
import { count } from '../policy/print-tests.ts';
import { readSignatures, shownSignature } from '../policy/shown-signature.ts';
import { readPolicySources } from '../policy/sources.ts';
import { inert } from '../terminal.ts';

import type { PolicyFacts } from '../../app/workbench/inspect-policy.ts';
import type { PolicyInspectOptions } from '../define-policy-bundle.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { StatedSignature } from '../policy/shown-signature.ts';
import type { Terminal } from '../terminal.ts';

const USUAL: readonly string[] = [DEFAULT_DECISION, 'envoy/authz/allow', ...LOG_ENTRYPOINTS];

/** `sallyport policy inspect`: what is in it; a signature is shown as it stands, unverified. */
export async function policyInspect(
  paths: readonly string[],
  options: PolicyInspectOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const json = options.json === true;
  const sources = await readPolicySources(paths);
  if (!sources.ok) return printProblems(sources.error, json, terminal);
  const signatures = readSignatures(sources.value.signatures);
  const compiler = createRegoCompiler();
  try {
    const facts = await inspectPolicy(compiler, {
      files: sources.value.files,
      regoVersion: options.v0 === true ? 0 : 1,
      usual: USUAL,
      host: { clock: systemClock, random: createRandom() },
    });
    if (!facts.ok) return printDiagnostics(facts.error, sources.value, json, terminal);
    if (json) terminal.out(JSON.stringify({ ...facts.value, signatures }));
    else print(facts.value, signatures, terminal);
    return EXIT.done;
  } finally {
    await compiler.stop();
  }
}

function print(facts: PolicyFacts, signatures: readonly StatedSignature[], terminal: Terminal): void {
  const line = (title: string, text: string): void =>
    terminal.out(`${terminal.style('out', 'bold', title.padEnd(10))} ${inert(text)}`);
  const { revision, sequence, budget, sizes, regoFiles } = facts;
  if (revision !== undefined) line('revision', `${revision}${sequence === undefined ? '' : `, sequence ${sequence}`}`);
  for (const signature of signatures) line('signature', shownSignature(signature));
  if (budget !== undefined) line('budget', `${count(budget)} steps`);
  const plan = sizes.plan === 0 ? '' : `, plan ${count(sizes.plan)}`;
  line(
    'sizes',
    `Rego ${count(sizes.rego)} (${regoFiles} ${regoFiles === 1 ? 'file' : 'files'}), data ${count(sizes.data)}, policy.wasm ${count(sizes.module)}${plan} bytes`,
  );
  line('roots', facts.roots.map((root) => (root === '' ? 'all of data' : root)).join(', '));
  for (const { path, title, reads } of facts.entrypoints) {
    line('decision', `${path}${title === undefined ? '' : `: ${title}`}`);
    const known = reads.length > 0 ? reads.flatMap(shownRead) : ['not known: the whole input is given'];
    known.forEach((read, index) => line(index === 0 ? '  reads' : '', read));
  }
  if (facts.entrypoints.length === 0) line('decision', 'none: no rule is annotated `entrypoint: true`');
  if (facts.builtins.length > 0) line('built-ins', facts.builtins.map(shownBuiltin).join(', '));
  for (const { path, files } of facts.packages) line('package', `${path}  (${files.join(', ')})`);
}

/** `input.a.b !=` as `input.a.b, whole`; what is only looked through on the way to something below is left out. */
function shownRead(read: string): readonly string[] {
  const space = read.lastIndexOf(' ');
  const [path, marks] = [read.slice(0, space), read.slice(space + 1)];
  if (marks === '?') return [];
  return [marks.includes('!') ? `${path}, whole` : marks.includes('#') ? `${path}, its keys` : path];
}

function shownBuiltin({ name, nondeterministic }: PolicyFacts['builtins'][number]): string {
  return nondeterministic ? `${name} (nondeterministic: no decision is remembered)` : name;
}
