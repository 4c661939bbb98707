import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';

import { HOST_BUILTINS } from '../../../src/core/policy/builtins/table.ts';
import { readArtefactFacts } from '../../../src/io/rego/artefact.ts';
import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';
import { REFUSED_BUILTINS } from '../../../src/core/policy/refused-builtins.ts';
import { homesOfBuiltins, homesText, readBuiltinNames } from './built-in-homes.ts';
import { CAUSES, EXCEPTIONS } from './exceptions.ts';
import { readOptions } from './options.ts';
import { outcomeOf, summary } from './outcome.ts';
import { partOf, tables, withPart } from './report.ts';
import { runCase } from './run-case.ts';
import { sameRows } from './same-rows.ts';
import { findSuite, readCases } from './suite.ts';

const DOCUMENT = await readFile(new URL('../../../policies/conformance.md', import.meta.url), 'utf8');
const compiler = createRegoCompiler();
after(() => compiler.stop());

test("every built-in of OPA's capabilities has exactly one home, and the documentation says which", async () => {
  const names = await readBuiltinNames();
  assert.equal(names.opa, (await readArtefactFacts()).opa, 'the list of names is of another version than the compiler');
  const homes = await homesOfBuiltins(names, compiler);
  for (const name of Object.keys(REFUSED_BUILTINS)) assert.equal(homes.get(name), 'refused', name);
  for (const name of HOST_BUILTINS.keys()) assert.equal(homes.get(name), 'host', name);
  assert.equal(homes.get('count'), 'module');
  assert.equal(homes.get('print'), 'compiler');
  assert.ok(partOf(DOCUMENT, 'built-ins').includes(homesText(homes)), 'npm run conformance:rego -- --write');
});

test('the documentation names every exception, each under a cause', () => {
  const suite = partOf(DOCUMENT, 'suite');
  assert.match(suite, new RegExp(`, ${EXCEPTIONS.length} are exceptions, `));
  assert.equal(new Set(EXCEPTIONS.map(({ place }) => place)).size, EXCEPTIONS.length);
  for (const { place } of EXCEPTIONS) assert.ok(suite.includes(`\`${place}\``), place);
  for (const [kind, cause] of Object.entries(CAUSES)) {
    assert.ok(
      EXCEPTIONS.some((one) => one.kind === kind),
      kind,
    );
    assert.ok(suite.includes(cause), kind);
  }
});

const SUITE = `cases:
  - note: rows
    query: data.t.p = x; y = 1
    modules: ["package t\\n\\np contains n if some n in input.ns"]
    input: {ns: [10, 9]}
    want_result: [{x: [9, 10], y: 1}]
  - note: order
    query: data.t.p = x
    modules: ["package t\\n\\np := [2, 1]"]
    want_result: [{x: [1, 2]}]
    sort_bindings: true
  - note: digits
    query: data.n = x
    data: {n: 18446744073709551615}
    want_result: [{x: 18446744073709551615}]
  - note: term
    query: data.t.p = x
    modules: ["package t\\n\\np if {1, 2} == input"]
    input_term: |
      {2, 1}
    want_result: [{x: true}]
  - note: absent input
    query: data.t.p = x
    modules: ["package t\\n\\np if not input"]
    want_result: [{x: true}]
  - note: scalar input
    query: input = x
    input: 7
    want_result: [{x: 7}]
  - note: conflict
    query: data.t.p = x
    modules: ["package t\\n\\np := 1 if input.a\\n\\np := 2 if input.b"]
    input: {a: 1, b: 1}
    want_error_code: eval_conflict_error
  - note: strict
    query: data.t.p = x
    modules: ["package t\\n\\np := hex.decode(input.a)"]
    input: {a: zz}
    want_error_code: eval_builtin_error
    strict_error: true
  - note: defined
    query: data.t.p
    modules: ["package t\\n\\np := input.a"]
    input: {a: 0}
    want_defined: true
`;

test('cases in every form that the suite has hold, and the same cases fail when they want something else', async () => {
  for (const one of readCases(SUITE, 'g', 'f.yaml')) {
    assert.deepEqual(await runCase(one, compiler), { kind: 'passed' }, one.note);
    for (const wanted of [
      { kind: 'rows', rows: [{ x: 'other' }], sorted: false },
      { kind: 'error', code: 'x' },
    ] as const) {
      assert.equal((await runCase({ ...one, wanted }, compiler)).kind, 'failed', one.note);
    }
  }
});

test('a case that does not compile fails with the place and the reason', async () => {
  const [one] = readCases('cases: [{note: n, query: "data.t.p = x", modules: ["package t\\n\\np :="]}]', 'g', 'f.yaml');
  assert.ok(one !== undefined);
  const verdict = await runCase(one, compiler);
  assert.match(verdict.kind === 'failed' ? verdict.got : '', /^does not compile: module-0\.rego:3/);
});

test('rows are compared as sets, digit by digit, in the order of arrays unless bindings are sorted', () => {
  assert.ok(sameRows('[{"x":1},{"x":2}]', '[{"x":2.0},{"x":1e0},{"x":2}]', false));
  assert.ok(sameRows('[{"x":{"b":1,"a":[null]}}]', '[{"x":{"a":[null],"b":1}}]', false));
  assert.ok(!sameRows('[{"x":[1,2]}]', '[{"x":[2,1]}]', false));
  assert.ok(sameRows('[{"x":[1,2]}]', '[{"x":[2,1]}]', true));
  assert.ok(!sameRows('[{"x":[[1,2]]}]', '[{"x":[[2,1]]}]', true));
  assert.ok(!sameRows('[{"x":18446744073709551615}]', '[{"x":18446744073709551616}]', false));
  assert.ok(!sameRows('[{"x":1}]', '[{"x":"1"}]', false));
  assert.ok(!sameRows('[{"x":{"a":1}}]', '[{"x":{"a":1,"b":1}}]', false));
  assert.ok(!sameRows('[]', '[{}]', false));
  assert.ok(!sameRows('[]', '{}', false));
});

test('an exception that holds after all is stale, one that fails is excepted, anything else that fails is a failure', () => {
  const [exception] = EXCEPTIONS;
  const [plain] = readCases(SUITE, 'g', 'f.yaml');
  assert.ok(exception !== undefined && plain !== undefined);
  const excepted = { ...plain, place: exception.place };
  const failed = { kind: 'failed', wanted: 'w', got: 'g' } as const;
  assert.equal(outcomeOf(excepted, failed).kind, 'excepted');
  assert.equal(outcomeOf(excepted, { kind: 'passed' }).kind, 'stale');
  assert.equal(outcomeOf(plain, failed).kind, 'failed');
  const outcomes = [outcomeOf(excepted, { kind: 'passed' }), outcomeOf(plain, failed), outcomeOf(excepted, failed)];
  assert.match(
    summary(outcomes),
    /STALE .*\n.*\nFAILED g\/f\.yaml#1 rows\n  wanted w\n  got    g\n3 cases: 0 passed, 1 excepted, 1 failed, 1 stale$/,
  );
  const table = tables(outcomes, '9.9.9');
  assert.match(table, /OPA 9\.9\.9: 3 cases, 0 hold, 1 are exceptions, 2 fail\./);
  assert.ok(table.includes('| g | 0 | 1 | 2 |') && table.includes(`\`${exception.place}\` rows`));
});

test('a part of the document is replaced as it is, whatever it holds; without its marks nothing is written', () => {
  const once = withPart(DOCUMENT, 'suite', "$& $1 $'");
  assert.ok(partOf(once, 'suite').includes("$& $1 $'"));
  assert.equal(partOf(once, 'built-ins'), partOf(DOCUMENT, 'built-ins'));
  assert.throws(() => withPart('nothing', 'suite', 'x'), /lost its marks/);
});

test('a suite that is named and not there is missing, with the name', async () => {
  const suite = await findSuite('no/such/folder');
  assert.ok(suite.kind === 'missing');
  assert.match(suite.reason, /no\/such\/folder is no folder/);
});

test('arguments: a part of the cases is never written down as the whole', () => {
  assert.deepEqual(readOptions(['--filter', 'jwt']), { suite: undefined, filter: 'jwt', every: 1, write: false });
  for (const wrong of [
    ['--every', '0'],
    ['--every', 'x'],
    ['--unknown'],
    ['--write', '--every', '2'],
    ['--write', '--filter', 'a'],
  ]) {
    assert.equal(readOptions(wrong), undefined, wrong.join(' '));
  }
});
