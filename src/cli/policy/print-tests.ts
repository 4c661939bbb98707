import { inert } from '../terminal.ts';

import type { BothRun, BothTest } from '../../app/workbench/test-both.ts';
import type { Coverage } from '../../io/rego/test-run.ts';
import type { Style, Terminal } from '../terminal.ts';
import type { PolicySources } from './sources.ts';

const STYLES = {
  passed: 'green',
  failed: 'red',
  error: 'red',
  disagree: 'red',
  'over-budget': 'red',
  skipped: 'yellow',
} as const satisfies Record<BothTest['verdict'], Style>;

/** Prints a run for a person: what did not pass, with its reason; all of it if asked; then one line of numbers. */
export function printTests(
  run: BothRun,
  sources: PolicySources,
  { verbose = false, filter }: { readonly verbose?: boolean; readonly filter?: string | undefined },
  terminal: Terminal,
): void {
  for (const test of run.tests) {
    if (!verbose && test.verdict === 'passed') continue;
    const place = `${sources.shown(test.file)}:${test.row}`;
    const steps = test.host === undefined ? '' : `  ${count(test.host.steps)} steps`;
    const word = terminal.style('out', STYLES[test.verdict], test.verdict.padEnd(11));
    terminal.out(`${word} ${inert(`${test.path}  (${place})`)}${steps}`);
    for (const line of reasons(test)) terminal.out(`            ${inert(line)}`);
    for (const line of printed(test)) terminal.out(`            | ${inert(line)}`);
  }
  terminal.out(summary(run, filter, terminal));
}

/** `12,345`: the same everywhere, whatever the locale. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Why a test did not pass, line by line; nothing where there is no more to say than its verdict. */
export function reasons({ verdict, outcome, error, host, cases = [] }: BothTest): readonly string[] {
  switch (verdict) {
    case 'error':
      return [error ?? 'evaluation broke off'];
    case 'failed':
      return cases.filter((one) => one.outcome === 'failed').map(({ name }) => `case ${name} failed`);
    case 'disagree':
      return [
        `OPA's interpreter: ${outcome}${error === undefined ? '' : `: ${error}`}`,
        `this host:         ${host?.outcome ?? 'nothing'}${host?.error === undefined ? '' : `: ${host.error}`}`,
        'a sidecar would decide as this host does; please report this with the test',
      ];
    case 'over-budget':
      return ['takes more steps than the budget allows; `sallyport policy bench` shows which rules cost most'];
    case 'passed':
    case 'skipped':
      return [];
    default:
      return verdict satisfies never;
  }
}

function printed({ output }: BothTest): readonly string[] {
  return output === '' ? [] : output.trimEnd().split('\n');
}

function summary({ tests, ok }: BothRun, filter: string | undefined, terminal: Terminal): string {
  if (tests.length === 0) return terminal.style('out', 'yellow', inert(noTests(filter)));
  const parts = Object.keys(STYLES).flatMap((verdict) => {
    const found = tests.filter((test) => test.verdict === verdict).length;
    return found === 0 ? [] : [`${found} ${verdict}`];
  });
  const dearest = Math.max(...tests.map(({ host }) => host?.steps ?? 0));
  return `${terminal.style('out', ok ? 'green' : 'red', parts.join(', '))}; at most ${count(dearest)} steps; in both evaluators`;
}

function noTests(filter: string | undefined): string {
  if (filter === undefined) return 'no tests: rules named test_… are tests';
  return `no tests: no path data.package.test_name matches ${filter}; --verbose without --filter lists them all`;
}

/** Prints which lines no test reached, and the percentage. */
export function printCoverage(coverage: Coverage, sources: PolicySources, terminal: Terminal): void {
  for (const [file, { notCovered, percent }] of Object.entries(coverage.files)) {
    if (notCovered.length === 0) continue;
    const lines = notCovered.map(({ start, end }) => (start === end ? `${start}` : `${start}-${end}`));
    terminal.out(`${inert(sources.shown(file))}: ${shownPercent(percent)} %; not covered: ${lines.join(', ')}`);
  }
  terminal.out(`coverage: ${shownPercent(coverage.percent)} %`);
}

/** One decimal, rounded down: only what is covered whole is 100 %, and what is below a threshold never looks like it. */
function shownPercent(percent: number): string {
  return String(Math.floor(percent * 10) / 10);
}
