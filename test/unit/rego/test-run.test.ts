import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { defaultLimits } from '../../../src/io/rego/compiler-worker.ts';
import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';
import { createManualTimer } from '../../support/manual-timer.ts';

import type { RegoCompiler } from '../../../src/io/rego/compiler.ts';
import type { SourceFiles } from '../../../src/io/rego/source-files.ts';
import type { Coverage, TestRequest, TestResult, TestRun } from '../../../src/io/rego/test-run.ts';

const compiler = createRegoCompiler();
after(() => compiler.stop());

async function run(files: SourceFiles, more: Partial<TestRequest> = {}): Promise<TestRun> {
  const tested = await compiler.test({ files, ...more });
  assert.ok(tested.ok, JSON.stringify(tested));
  return tested.value;
}

/** Runs the rules of one test file. */
async function results(rules: string, more?: Partial<TestRequest>): Promise<readonly TestResult[]> {
  return (await run({ 'p_test.rego': `package p_test\n\n${rules}\n` }, more)).results;
}

async function coverage(files: SourceFiles): Promise<Coverage> {
  const { coverage: found } = await run(files, { coverage: true });
  assert.ok(found);
  return found;
}

test('a test passes, fails, breaks off or is skipped, each with its place', async () => {
  const found = await results(`test_good if 1 < 2

test_bad if 1 > 2

test_false := false

test_error if twice == 1

todo_test_later if 1 > 2

helper if true

twice := [1, 2][_]`);
  assert.deepEqual(
    found.map((each) => [each.package, each.name, each.outcome, each.file, each.row, each.col]),
    [
      ['data.p_test', 'test_good', 'passed', 'p_test.rego', 3, 1],
      ['data.p_test', 'test_bad', 'failed', 'p_test.rego', 5, 1],
      ['data.p_test', 'test_false', 'failed', 'p_test.rego', 7, 1],
      ['data.p_test', 'test_error', 'error', 'p_test.rego', 9, 1],
      ['data.p_test', 'todo_test_later', 'skipped', 'p_test.rego', 11, 1],
    ],
  );
  assert.match(found[3]?.error ?? '', /^p_test\.rego:15: eval_conflict_error: /);
  assert.deepEqual(
    found.map((each) => each.error !== undefined),
    [false, false, false, true, false],
  );
  for (const each of found) assert.ok(Number.isInteger(each.durationNs) && each.durationNs >= 0);
});

test('what print writes comes with the test that wrote it', async () => {
  const found = await results('test_a if print("a", {"b": 1}, undefd)\n\ntest_b if true\n\nundefd if false');
  assert.deepEqual(
    found.map((each) => each.output),
    ['a {"b": 1} <undefined>\n', ''],
  );
});

test('a test rule with cases tells each of them', async () => {
  const [found, nested] = await results(`test_cases[name] if {
	some name, n in {"one": 1, "two": 2}
	n == 1
}

test_nested[a][b] if {
	some a, b in {"x": "y", "z": "w"}
	a == "x"
}`);
  assert.deepEqual(
    [found?.outcome, found?.cases],
    [
      'failed',
      [
        { name: 'one', outcome: 'passed' },
        { name: 'two', outcome: 'failed' },
      ],
    ],
  );
  assert.deepEqual(nested?.cases, [
    { name: 'x/y', outcome: 'passed' },
    { name: 'z/w', outcome: 'failed' },
  ]);
});

test('tests of one name are told apart, and one without cases has none', async () => {
  const found = await results('test_a if true\n\ntest_a if false');
  assert.deepEqual(
    found.map((each) => [each.name, each.outcome, each.cases]),
    [
      ['test_a', 'passed', undefined],
      ['test_a#01', 'failed', undefined],
    ],
  );
});

test('results are in the order of files and places', async () => {
  const rules = 'test_z if true\n\ntest_a if true\n';
  const { results: found } = await run({
    'b_test.rego': `package x\n\n${rules}`,
    'a/c_test.rego': `package y\n\n${rules}`,
    'a.rego': `package z\n\n${rules}`,
  });
  assert.deepEqual(
    found.map((each) => [each.file, each.name]),
    [
      ['a.rego', 'test_z'],
      ['a.rego', 'test_a'],
      ['a/c_test.rego', 'test_z'],
      ['a/c_test.rego', 'test_a'],
      ['b_test.rego', 'test_z'],
      ['b_test.rego', 'test_a'],
    ],
  );
});

test('the filter is a regular expression over package and name', async () => {
  const rules = 'test_ab if true\n\ntest_b if true';
  for (const [filter, names] of [
    ['test_b$', ['test_b']],
    ['p_test\\.test_a', ['test_ab']],
    ['^data\\.p_test', ['test_ab', 'test_b']],
    ['nothing', []],
    ['', ['test_ab', 'test_b']],
  ] as const) {
    const found = await results(rules, { filter });
    assert.deepEqual(
      found.map((each) => each.name),
      names,
      filter,
    );
  }
});

test('a filter that is no regular expression is refused', async () => {
  const tested = await compiler.test({ files: {}, filter: '(' });
  assert.deepEqual(tested, {
    ok: false,
    error: [{ code: 'rego_request_error', message: 'filter: error parsing regexp: missing closing ): `(`' }],
  });
});

test('data of the folder is there, and input and data can be replaced', async () => {
  const files = {
    'p.rego': 'package p\n\nallow if input.role in data.roles\n',
    'p_test.rego': `package p_test

import data.p

test_data if p.allow with input as {"role": "admin"}

test_replaced if p.allow with input.role as "x" with data.roles as ["x"]
`,
    'data.json': '{"roles": ["admin"]}',
  };
  const { results: found } = await run(files);
  assert.deepEqual(
    found.map((each) => each.outcome),
    ['passed', 'passed'],
  );
});

test('what a build refuses can be replaced in a test, and finds no network if it is not', async () => {
  const found = await results(`mock(_) := {"body": 1}

test_mocked if http.send({"method": "get", "url": "http://localhost"}).body == 1 with http.send as mock

test_unmocked if http.send({"method": "get", "url": "http://localhost", "raise_error": false}).error.message

test_lookup if net.lookup_ip_addr("localhost")`);
  assert.deepEqual(
    found.map((each) => each.outcome),
    ['passed', 'passed', 'failed'],
  );
});

test('no tests give no results', async () => {
  assert.deepEqual(await run({}), { results: [] });
  assert.deepEqual(await run({ 'p.rego': 'package p\n\nallow if input.x\n' }), { results: [] });
});

test('version 0 of the language is run when asked for', async () => {
  const found = await run({ 'p_test.rego': 'package p_test\n\ntest_x { true }\n' }, { regoVersion: 0 });
  assert.equal(found.results[0]?.outcome, 'passed');
});

const covered = {
  'p.rego': `package p

default allow := false

allow if {
	input.a
	input.b
}

allow if input.c

never if {
	input.d
	input.e
}
`,
  'p_test.rego': 'package p_test\n\ntest_x if data.p.allow with input as {"a": 1, "b": 2}\n',
};

test('coverage says which lines were evaluated, per file and in all', async () => {
  assert.deepEqual(await coverage(covered), {
    percent: (100 * 4) / 9,
    files: {
      'p.rego': {
        percent: (100 * 3) / 8,
        covered: [{ start: 5, end: 7 }],
        notCovered: [
          { start: 3, end: 3 },
          { start: 10, end: 10 },
          { start: 12, end: 14 },
        ],
      },
      'p_test.rego': { percent: 100, covered: [{ start: 3, end: 3 }], notCovered: [] },
    },
  });
});

test('a line of which only a part was evaluated is in both lists', async () => {
  const files = {
    'p.rego': 'package p\n\nx if count(input.l) > 9\n',
    'p_test.rego': 'package p_test\n\ntest_x if not data.p.x with input as {"l": []}\n',
  };
  const file = (await coverage(files)).files['p.rego'];
  assert.deepEqual(file?.covered, [{ start: 3, end: 3 }]);
  assert.deepEqual(file.notCovered, [{ start: 3, end: 3 }]);
});

test('without asking there is no coverage; without tests nothing is covered', async () => {
  assert.equal((await run(covered)).coverage, undefined);
  const none = await coverage({ 'p.rego': covered['p.rego'] });
  assert.deepEqual([none.percent, none.files['p.rego']?.covered], [0, []]);
  assert.deepEqual(await coverage({}), { percent: 0, files: {} });
});

test('files that do not compile give diagnostics with their places, all files that do not parse', async () => {
  for (const [files, expected] of [
    [{ 'p_test.rego': 'package p_test\n\ntest_x if undefd(1)\n' }, ['rego_type_error:p_test.rego:3:11']],
    [
      { 'p.rego': 'package p\n\nx :=\n', 'q.rego': '', 'r.rego': new Uint8Array([0xff]) },
      ['p.rego', 'q.rego', 'r.rego'],
    ],
  ] as const) {
    const tested = await compiler.test({ files });
    assert.ok(!tested.ok);
    const places = tested.error.map(({ code, file, row, col }) => [code, file, row, col].join(':'));
    for (const place of expected) {
      assert.ok(
        places.some((each) => each.includes(place)),
        `${place} in ${places.join(' ')}`,
      );
    }
  }
});

async function servesOn(used: RegoCompiler): Promise<void> {
  const again = await used.test({ files: { 'p_test.rego': 'package p_test\n\ntest_x if true\n' } });
  assert.ok(again.ok && again.value.results[0]?.outcome === 'passed');
}

test('a test that does not come to an end is ended at the deadline, and the next call is served', async () => {
  const manual = createManualTimer();
  const timed = createRegoCompiler({ timer: manual.timer });
  try {
    await servesOn(timed);
    const spin = 'test_x if { some a in numbers.range(1, 99999); some b in numbers.range(1, 99999); a + b < 0 }';
    const endless = timed.test({ files: { 'p_test.rego': `package p_test\n\n${spin}\n` } });
    await manual.fire(defaultLimits.deadlineMs);
    const ended = await endless;
    assert.deepEqual(ended.ok ? [] : ended.error.map((each) => each.code), ['rego_compiler_deadline']);
    await servesOn(timed);
  } finally {
    await timed.stop();
  }
});

test('a test that runs into the memory bound is ended, and the next call is served', async () => {
  const small = createRegoCompiler({ limits: { maxBytes: 64 * 1024 * 1024 } });
  try {
    const hoard = 'test_x if count([n | some n in numbers.range(1, 9999999)]) > 0';
    const ended = await small.test({ files: { 'p_test.rego': `package p_test\n\n${hoard}\n` } });
    assert.deepEqual(ended.ok ? [] : ended.error.map((each) => each.code), ['rego_compiler_failed']);
    await servesOn(small);
  } finally {
    await small.stop();
  }
});
