import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { BothRun } from '../../../src/app/workbench/test-both.ts';

const POLICY = `package shop

allow if input.user == data.owner

allow if {
	input.role == "admin"
	input.user != "eve"
}
`;

const TESTS = `package shop_test

import data.shop

test_owner if shop.allow with input as {"user": "ann"}

test_stranger if not shop.allow with input as {"user": "bob"}

test_without_input if not shop.allow

todo_test_later if false
`;

const FILES = { 'shop.rego': POLICY, 'shop_test.rego': TESTS, 'data.json': '{"owner":"ann"}' };

test('policy test: all tests pass in both evaluators, and one line says so', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, FILES);
  const { code, out } = await sallyport(['policy', 'test', folder]);
  assert.equal(code, 0, out.join('\n'));
  assert.match(out.at(-1) ?? '', /^3 passed, 1 skipped; at most [\d,]+ steps; in both evaluators$/);
  assert.match(out[0] ?? '', /^skipped {5}data\.shop_test\.todo_test_later {2}\(.*shop_test\.rego:11\)$/);
});

test('policy test --json: each test with its place, both outcomes and its steps, which are the same each time', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, FILES);
  const run = async (): Promise<BothRun> =>
    JSON.parse((await sallyport(['policy', 'test', folder, '--json'])).out.join('')) as BothRun;
  const [first, second] = [await run(), await run()];
  assert.equal(first.ok, true);
  assert.deepEqual(
    first.tests.map(({ path, row, outcome, verdict, host }) => [path, row, outcome, verdict, host?.outcome]),
    [
      ['data.shop_test.test_owner', 5, 'passed', 'passed', 'passed'],
      ['data.shop_test.test_stranger', 7, 'passed', 'passed', 'passed'],
      ['data.shop_test.test_without_input', 9, 'passed', 'passed', 'passed'],
      ['data.shop_test.todo_test_later', 11, 'skipped', 'skipped', undefined],
    ],
  );
  assert.equal(first.tests[0]?.file, join(folder, 'shop_test.rego'));
  assert.deepEqual(
    first.tests.map(({ host }) => host?.steps),
    second.tests.map(({ host }) => host?.steps),
  );
});

test('policy test: a test that fails is named with its place and what it printed, exit 1', async (context) => {
  const folder = await tempFolder(context);
  const failing = 'package shop_test\n\ntest_wrong if {\n\tprint("owner is", data.owner)\n\tdata.owner == "eve"\n}\n';
  await writeFiles(folder, { ...FILES, 'more_test.rego': failing });
  const { code, out } = await sallyport(['policy', 'test', folder]);
  assert.equal(code, 1);
  const at = out.findIndex((line) => line.startsWith('failed'));
  assert.match(out[at] ?? '', /data\.shop_test\.test_wrong {2}\(.*more_test\.rego:3\)/);
  assert.match(out[at + 1] ?? '', /owner is ann/);
  assert.match(out.at(-1) ?? '', /3 passed, 1 failed, 1 skipped/);
});

test('policy test: tests with cases name the case that failed', async (context) => {
  const folder = await tempFolder(context);
  const cases = `package shop_test

test_users[name] if {
	some name, user in {"owner": "ann", "stranger": "bob"}
	data.shop.allow with input as {"user": user}
}
`;
  await writeFiles(folder, { 'shop.rego': POLICY, 'data.json': '{"owner":"ann"}', 'cases_test.rego': cases });
  const { code, out } = await sallyport(['policy', 'test', folder]);
  assert.deepEqual([code, out[1]?.trim()], [1, 'case stranger failed'], out.join('\n'));
  const all = cases.replace('"bob"', '"ann"');
  await writeFiles(folder, { 'cases_test.rego': all });
  assert.equal((await sallyport(['policy', 'test', folder])).code, 0);
});

test('policy test --filter: only tests whose path matches; none is exit 1', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, FILES);
  const { code, out } = await sallyport(['policy', 'test', folder, '--filter', 'test_o', '--verbose']);
  assert.deepEqual([code, out.length], [0, 2]);
  assert.match(out[0] ?? '', /^passed {6}data\.shop_test\.test_owner .* [\d,]+ steps$/);
  const none = await sallyport(['policy', 'test', folder, '--filter', 'nothing_like_this']);
  assert.deepEqual(
    [none.code, none.out],
    [
      1,
      ['no tests: no path data.package.test_name matches nothing_like_this; --verbose without --filter lists them all'],
    ],
  );
  const empty = await sallyport(['policy', 'test', await tempFolder(context)]);
  assert.deepEqual([empty.code, empty.out], [1, ['no tests: rules named test_… are tests']]);
});

test('policy test --coverage: lines that no test reached, and a threshold', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, FILES);
  const seen = await sallyport(['policy', 'test', folder, '--coverage']);
  assert.equal(seen.code, 0);
  assert.ok(seen.out.includes(`${join(folder, 'shop.rego')}: 25 %; not covered: 5-7`), seen.out.join('\n'));
  const below = await sallyport(['policy', 'test', folder, '--threshold', '100']);
  assert.deepEqual([below.code, below.out.at(-1)], [1, 'coverage is below 100 %']);
  assert.equal((await sallyport(['policy', 'test', folder, '--threshold', '50'])).code, 0);
  assert.equal((await sallyport(['policy', 'test', folder, '--threshold', '101'])).code, 2);
});

test('policy test: a budget that the manifest states, or the command line, must be met', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { ...FILES, '.manifest': '{"metadata":{"sallyport":{"budget":1000}}}' });
  const over = await sallyport(['policy', 'test', folder, '--json']);
  const { tests } = JSON.parse(over.out.join('')) as BothRun;
  assert.equal(over.code, 1);
  assert.deepEqual(new Set(tests.map(({ verdict }) => verdict)), new Set(['over-budget', 'skipped']));
  assert.equal((await sallyport(['policy', 'test', folder, '--budget', '100000000'])).code, 0);
});

test('policy test --junit: a report for continuous integration', async (context) => {
  const folder = await tempFolder(context);
  const failing = 'package shop_test\n\ntest_wrong if {\n\tprint("<&>")\n\tfalse\n}\n';
  await writeFiles(folder, { ...FILES, 'more_test.rego': failing });
  const report = join(folder, 'report.xml');
  assert.equal((await sallyport(['policy', 'test', folder, '--junit', report])).code, 1);
  const xml = await readFile(report, 'utf8');
  assert.match(xml, /<testsuite name="data\.shop_test" tests="5" failures="1" errors="0" skipped="1">/);
  assert.match(
    xml,
    /<testcase classname="data\.shop_test" name="test_wrong" [^>]*line="3"><failure message="failed"\/>/,
  );
  assert.match(xml, /<system-out>&#60;&#38;&#62;\n?<\/system-out>/);
});

test('policy test: Rego that does not compile is exit 2 with its place', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { ...FILES, 'bad.rego': 'package bad\n\nx := unknown_function(1)\n' });
  const { code, err } = await sallyport(['policy', 'test', folder]);
  assert.equal(code, 2);
  assert.match(err.join('\n'), /bad\.rego:3:6: rego_type_error: undefined function unknown_function/);
});

test('policy test --junit: a failed test says which of its cases failed', async (context) => {
  const folder = await tempFolder(context);
  const cases = 'test_cases[name] if {\n\tsome name, x in {"one": 1, "<two>": 2}\n\tx == 1\n}\n';
  await writeFiles(folder, { 'a_test.rego': `package a_test\n\n${cases}` });
  const report = join(folder, 'report.xml');
  assert.equal((await sallyport(['policy', 'test', folder, '--junit', report])).code, 1);
  assert.match(await readFile(report, 'utf8'), /<failure message="case &#60;two&#62; failed"\/>/);
});

test('policy test --coverage: percentages have one decimal, rounded down', async (context) => {
  const folder = await tempFolder(context);
  const rules = ['a := 1', 'b := 2', 'test_a if a == 1'];
  await writeFiles(folder, { 'a_test.rego': `package a_test\n\n${rules.join('\n\n')}\n` });
  const { out } = await sallyport(['policy', 'test', folder, '--coverage']);
  assert.match(out.at(-1) ?? '', /^coverage: 66\.6 %$/);
  assert.match(out.at(-2) ?? '', /a_test\.rego: 66\.6 %; not covered: 5$/);
});
