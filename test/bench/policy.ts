/**
 * What deciding costs, beside others in the same run: `npm run bench:policy`, with names of sections (`starter rules compile builtins runaways`) for some of them.
 * Nanoseconds are CPU time of this process, those of `opa bench` wall clock.
 */
import { compileTimes } from './policy-compile.ts';
import { builtinCosts } from './policy-builtins.ts';
import { contestantsOf } from './policy-contestants.ts';
import { microseconds, race, table } from './policy-clock.ts';
import { opaBench, opaMissing } from './policy-opa.ts';
import { runaways } from './policy-runaways.ts';
import { manyRules, starter } from './policy-subjects.ts';
import type { Standing } from './policy-clock.ts';
import type { Subject } from './policy-subjects.ts';

const missing = await opaMissing();

/** Microseconds of `opa bench` beside ours: of the whole operation, and in brackets of its evaluation. */
async function opaCell(subject: Subject, input: unknown, ours: number): Promise<readonly string[]> {
  if (missing !== undefined) return ['-', '-'];
  const { op, evaluation } = await opaBench(subject, input);
  return [
    `${microseconds(op)} (${microseconds(evaluation)})`,
    `${(op / ours).toFixed(1)} (${(evaluation / ours).toFixed(1)})`,
  ];
}

async function starterPolicies(): Promise<void> {
  for (const subject of [
    starter('starter library, 10 segments, plain input', 10, 0),
    starter('starter library, 30 segments, 24 more headers', 30, 24),
  ]) {
    const all = (await contestantsOf(subject))(subject.inputs);
    const standings = race([all.uncached, all.sdk, all.cached, all.whole, all.unindexed, all.unmetered]);
    const ours = standings[0]?.ns ?? Number.NaN;
    console.log(`\n## ${subject.name} (input ${JSON.stringify(subject.inputs[0]).length} bytes)`);
    const opa = await opaCell(subject, subject.inputs[0], ours);
    table(
      ['', 'us a decision', 'x sallyport, uncached'],
      [
        ...standings.map(({ name, ns, ratio }) => [name, microseconds(ns), ratio.toFixed(2)]),
        ['opa bench (evaluation alone)', ...opa],
      ],
    );
    const [, sdk, cached, , plain, free] = standings;
    console.log(
      `\nopa-wasm / uncached ${quotient(sdk, standings[0])} (aim 3), opa-wasm / cached ${quotient(sdk, cached)} (aim 30), meter ${quotient(plain, free)} (aim 1.20).`,
    );
  }
}

function quotient(a: Standing | undefined, b: Standing | undefined): string {
  return ((a?.ns ?? Number.NaN) / (b?.ns ?? Number.NaN)).toFixed(2);
}

async function rules(): Promise<void> {
  const rows: (readonly (string | number)[])[] = [];
  for (const count of [10, 100, 1_000]) {
    const subject = manyRules(count);
    const ready = await contestantsOf(subject);
    for (const [at, match] of ['first', 'last', 'none'].entries()) {
      const input = subject.inputs[at];
      const all = ready(input === undefined ? [] : [input]);
      const standings = race([all.uncached, all.unindexed, all.sdk], 5);
      const opa = await opaCell(subject, input, standings[0]?.ns ?? Number.NaN);
      rows.push([
        count,
        match,
        ...standings.map(({ ns, ratio }) => `${microseconds(ns)} (${ratio.toFixed(1)})`),
        ...opa,
      ]);
    }
  }
  console.log('\n## Many rules: us a decision, and as a multiple of ours');
  table(
    ['rules', 'match', 'sallyport', 'no rule index', 'opa-wasm', 'opa bench (evaluation)', 'x sallyport (evaluation)'],
    rows,
  );
}

const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  starter: starterPolicies,
  rules,
  compile: () => compileTimes(5),
  builtins: builtinCosts,
  runaways,
};

const chosen = process.argv.slice(2);
if (missing !== undefined) console.log(`OPA's interpreter is left out: ${missing}.`);
for (const [name, section] of Object.entries(SECTIONS))
  if (chosen.length === 0 || chosen.includes(name)) await section();
// The compiler of the tests has a worker that is still there.
process.exit(0);
