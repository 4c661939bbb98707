import assert from 'node:assert/strict';
import { test } from 'node:test';

import { compare } from './compare.ts';
import type { Figures } from './figures.ts';
import { report } from './report.ts';

const FIGURES: Figures = {
  node: 'v1',
  kinds: {
    bytes: { unit: 'bytes a request', tolerance: 0.02, reason: 'a test', figures: { GET: 50_000, POST: 60_000 } },
    promises: { unit: 'promises a request', tolerance: 0, reason: 'a test', figures: { GET: 0 } },
  },
};

test('where nothing changed there is no table', () => {
  const rows = compare(FIGURES, { bytes: { GET: 50_000, POST: 60_000 }, promises: { GET: 0 } });
  assert.equal(report(rows, false), '3 counts: 3 as committed, 0 worse, 0 better, 0 new, 0 gone: passed');
});

test('what became worse is shown with its figure, its count, the change and what is allowed, and says what to do', () => {
  const rows = compare(FIGURES, { bytes: { GET: 55_000, POST: 60_000 }, promises: { GET: 1 } });
  const lines = report(rows, false).split('\n');
  assert.match(lines[1] ?? '', /^worse +GET +50,000 +55,000 +\+10\.0 % +\+2\.0 % +bytes a request/);
  assert.match(lines[2] ?? '', /^worse +GET +0 +1 +from 0 +exact +promises a request/);
  assert.match(lines[4] ?? '', /^WORSE: find out what a request does/);
  assert.equal(lines[5], '3 counts: 1 as committed, 2 worse, 0 better, 0 new, 0 gone: FAILED');
});

test('what became better is shown, asks for lower figures, and passes', () => {
  const text = report(compare(FIGURES, { bytes: { GET: 40_000, POST: 60_000 }, promises: { GET: 0 } }), false);
  assert.match(text, /^better +GET +50,000 +40,000 +-20\.0 %/m);
  assert.match(text, /^better: well done\. Lower the figures/m);
  assert.match(text, /1 better, 0 new, 0 gone: passed$/);
});

test('columns stand one below the other', () => {
  const rows = compare(FIGURES, { bytes: { GET: 1, POST: 1_000_000 }, promises: { GET: 2 } });
  const table = report(rows, false).split('\n').slice(0, 4);
  assert.deepEqual(new Set(table.map((line) => line.length)).size, 1);
});

test('what cannot be counted here is said in the summary, and shown where all is asked for', () => {
  const rows = compare(FIGURES, { promises: { GET: 0 } }, ['bytes']);
  assert.equal(report(rows, false), '3 counts: 1 as committed, 0 worse, 0 better, 0 new, 0 gone, 2 not counted here: passed'); // prettier-ignore
  assert.match(report(rows, true), /^skipped +POST +60,000 +-/m);
});
