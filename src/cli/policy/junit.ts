import { reasons } from './print-tests.ts';

import type { BothRun, BothTest } from '../../app/workbench/test-both.ts';
import type { PolicySources } from './sources.ts';

/** A run as JUnit XML, the form that continuous integration reads: one suite for each package. */
export function junit(run: BothRun, sources: PolicySources): string {
  const packages = [...new Set(run.tests.map((test) => test.package))];
  const suites = packages.map((name) =>
    suite(
      name,
      run.tests.filter((test) => test.package === name),
      sources,
    ),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('')}</testsuites>\n`;
}

function suite(name: string, tests: readonly BothTest[], sources: PolicySources): string {
  const failures = tests.filter(({ verdict }) => ['failed', 'disagree', 'over-budget'].includes(verdict)).length;
  const errors = tests.filter(({ verdict }) => verdict === 'error').length;
  const skipped = tests.filter(({ verdict }) => verdict === 'skipped').length;
  const counts = `tests="${tests.length}" failures="${failures}" errors="${errors}" skipped="${skipped}"`;
  const cases = tests.map((test) => testCase(test, sources)).join('');
  return `  <testsuite name="${xml(name)}" ${counts}>\n${cases}  </testsuite>\n`;
}

function testCase(test: BothTest, sources: PolicySources): string {
  const seconds = (test.durationNs / 1e9).toFixed(6);
  const place = `file="${xml(sources.shown(test.file))}" line="${test.row}"`;
  const head = `    <testcase classname="${xml(test.package)}" name="${xml(test.name)}" time="${seconds}" ${place}`;
  const inner = outcome(test) + (test.output === '' ? '' : `<system-out>${xml(test.output)}</system-out>`);
  return inner === '' ? `${head}/>\n` : `${head}>${inner}</testcase>\n`;
}

function outcome(test: BothTest): string {
  const { verdict, error, host } = test;
  switch (verdict) {
    case 'passed':
      return '';
    case 'skipped':
      return '<skipped/>';
    case 'error':
      return `<error message="${xml(error ?? 'evaluation broke off')}"/>`;
    case 'failed':
      return `<failure message="${xml(reasons(test).join('; ') || 'failed')}"/>`;
    case 'disagree':
      return `<failure message="${xml(`evaluators disagree; this host: ${host?.outcome ?? 'nothing'} ${host?.error ?? ''}`)}"/>`;
    case 'over-budget':
      return `<failure message="over budget: ${host?.steps ?? 0} steps"/>`;
    default:
      return verdict satisfies never;
  }
}

/** Text for XML 1.0: markup escaped, characters that it cannot hold replaced (section 2.2). */
function xml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\u{fffd}')
    .replaceAll(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
