import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import fc from 'fast-check';

import { defaultLimits } from '../../../src/io/rego/compiler-worker.ts';
import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';
import { createManualTimer } from '../../support/manual-timer.ts';

import type { Diagnostic } from '../../../src/io/rego/diagnostic.ts';
import type { Evaluated, EvaluateOptions, EvaluateRequest } from '../../../src/io/rego/evaluate.ts';

const compiler = createRegoCompiler();
after(() => compiler.stop());

async function evaluated(request: EvaluateRequest): Promise<Evaluated> {
  const result = await compiler.evaluate(request);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

async function refused(request: EvaluateRequest): Promise<readonly Diagnostic[]> {
  const result = await compiler.evaluate(request);
  assert.ok(!result.ok, JSON.stringify(result));
  return result.error;
}

/** The bindings of a query on no files. */
async function query(rego: string, more: Partial<EvaluateOptions> = {}): Promise<string | undefined> {
  return (await evaluated({ files: {}, query: rego, ...more })).resultJson;
}

const policy = {
  'p.rego': `package a.b

default allow := false

allow if {
	input.role in data.roles
	print("role", input.role)
}

names contains upper(name) if some name in input.names

same := input
`,
  'data.json': '{"roles": ["admin"]}',
};
const entrypoint = 'a/b/allow';

test('an entrypoint has the value of its rule', async () => {
  const { defined, resultJson, output } = await evaluated({ files: policy, entrypoint, inputJson: '{"role":"admin"}' });
  assert.deepEqual([defined, resultJson, output], [true, 'true', 'role admin\n']);
  assert.equal((await evaluated({ files: policy, entrypoint, inputJson: '{}' })).resultJson, 'false');
});

test('a package is an entrypoint, a set is an ordered array', async () => {
  const inputJson = '{"role": "x", "names": ["b", "a", "b"]}';
  const { resultJson } = await evaluated({ files: policy, entrypoint: 'a/b', inputJson });
  assert.deepEqual(JSON.parse(resultJson ?? ''), {
    allow: false,
    names: ['A', 'B'],
    same: { role: 'x', names: ['b', 'a', 'b'] },
  });
});

test('what is undefined has no result', async () => {
  for (const unknown of ['a/b/nothing', 'x', 'a/b/same']) {
    const { defined, resultJson } = await evaluated({ files: policy, entrypoint: unknown });
    assert.deepEqual([defined, resultJson], [false, undefined]);
  }
});

test('an entrypoint is a path and never Rego', async () => {
  for (const path of ['a"]; true; data["b', 'a/b/allow; true', 'a/b/é', '/a', 'a\\']) {
    assert.equal((await evaluated({ files: policy, entrypoint: path })).defined, false, path);
  }
});

test('an empty entrypoint is refused', async () => {
  assert.equal((await refused({ files: policy, entrypoint: '' }))[0]?.code, 'rego_request_error');
});

test('a query has an object of bindings for each solution', async () => {
  assert.equal(await query('some x in [1, 2]; y := x + 1'), '[{"x":1,"y":2},{"x":2,"y":3}]');
  assert.equal(await query('1 == 1'), '[{}]');
  const none = await evaluated({ files: {}, query: 'x := 1; x == 2' });
  assert.deepEqual([none.defined, none.resultJson], [false, '[]']);
});

test('numbers keep all their digits, from input and data to the result', async () => {
  const big = '123456789012345678901234567890';
  const dataJson = `{"n": ${big}}`;
  const { resultJson } = await evaluated({ files: policy, entrypoint: 'a/b/same', inputJson: `[${big},0.10]` });
  assert.equal(resultJson, `[${big},0.10]`);
  assert.equal(await query('x := data.n', { dataJson }), `[{"x":${big}}]`);
});

test('text stays as it is', async () => {
  assert.equal(await query('x := input', { inputJson: '"<>&\\u2028é\\u0000"' }), '[{"x":"<>&\\u2028é\\u0000"}]');
});

test('data of the request takes the place of the folder’s', async () => {
  const inputJson = '{"role": "x"}';
  const { resultJson } = await evaluated({ files: policy, entrypoint, inputJson, dataJson: '{"roles": ["x"]}' });
  assert.equal(resultJson, 'true');
  assert.equal((await evaluated({ files: policy, entrypoint, inputJson, dataJson: '{}' })).resultJson, 'false');
});

test('time is what the request says', async () => {
  const nowNs = '1700000000123456789';
  assert.equal(await query('x := time.now_ns(); y := time.now_ns()', { nowNs }), `[{"x":${nowNs},"y":${nowNs}}]`);
});

test('what built-ins answered before is answered again', async () => {
  const rego = 'x := rand.intn("a", 1000000); y := time.now_ns(); z := uuid.rfc4122("k")';
  const first = await evaluated({ files: {}, query: rego });
  const { ndBuiltinCacheJson } = first;
  assert.deepEqual(Object.keys(JSON.parse(ndBuiltinCacheJson) as object).toSorted(), [
    'rand.intn',
    'time.now_ns',
    'uuid.rfc4122',
  ]);
  const again = await evaluated({ files: {}, query: rego, ndBuiltinCacheJson });
  assert.deepEqual([again.resultJson, again.ndBuiltinCacheJson], [first.resultJson, ndBuiltinCacheJson]);
  const recorded = '{"rand.intn":{"[\\"a\\",1000000]":77},"time.now_ns":{"[]":12}}';
  assert.match((await query(rego, { ndBuiltinCacheJson: recorded })) ?? '', /"x":77,"y":12,/);
});

test('explain tells which rules were entered, where they are and how often they held', async () => {
  const inputJson = '{"role": "none", "names": ["a", "b", "c"]}';
  const { rules } = await evaluated({ files: policy, entrypoint: 'a/b', inputJson, explain: true });
  assert.deepEqual(rules, [
    { path: 'data.a.b.allow', file: 'p.rego', row: 3, col: 1, entered: 1, succeeded: 1 },
    { path: 'data.a.b.allow', file: 'p.rego', row: 5, col: 1, entered: 1, succeeded: 0 },
    { path: 'data.a.b.names', file: 'p.rego', row: 10, col: 1, entered: 1, succeeded: 3 },
    { path: 'data.a.b.same', file: 'p.rego', row: 12, col: 1, entered: 1, succeeded: 1 },
  ]);
  assert.deepEqual((await evaluated({ files: policy, entrypoint: 'a/b', inputJson })).rules, []);
});

test('an error in a built-in makes its expression undefined and is told with its place', async () => {
  const files = { 'p.rego': 'package a\n\nx := 1 / input.zero\n\ny if not x\n' };
  const lenient = await evaluated({ files, entrypoint: 'a/y', inputJson: '{"zero": 0}' });
  assert.deepEqual(
    [lenient.resultJson, lenient.builtinErrors],
    ['true', ['p.rego:3: eval_builtin_error: div: divide by zero']],
  );
  assert.deepEqual(await refused({ files, entrypoint: 'a/y', inputJson: '{"zero": 0}', strictBuiltinErrors: true }), [
    {
      code: 'eval_builtin_error',
      message: 'div: divide by zero',
      file: 'p.rego',
      row: 3,
      col: 6,
      line: 'x := 1 / input.zero',
    },
  ]);
  assert.deepEqual((await evaluated({ files, entrypoint: 'a/y', inputJson: '{"zero": 1}' })).builtinErrors, []);
});

test('a conflict ends the evaluation with its place', async () => {
  const files = { 'p.rego': 'package a\n\nx := input[_]\n' };
  const [found] = await refused({ files, entrypoint: 'a/x', inputJson: '[1, 2]' });
  assert.deepEqual([found?.code, found?.file, found?.row], ['eval_conflict_error', 'p.rego', 3]);
});

test('tests are left out as in a build unless asked for', async () => {
  const files = { ...policy, 'p_test.rego': 'package a.b\n\nallow if input.test\n' };
  const asked = { files, entrypoint, inputJson: '{"test": true}' };
  assert.equal((await evaluated(asked)).resultJson, 'false');
  assert.equal((await evaluated({ ...asked, tests: true })).resultJson, 'true');
});

test('version 0 of the language is evaluated when asked for, in query and files', async () => {
  const files = { 'p.rego': 'package a\n\nallow { input.x }\n' };
  assert.equal(
    (await evaluated({ files, entrypoint: 'a/allow', inputJson: '{"x":1}', regoVersion: 0 })).resultJson,
    'true',
  );
  assert.equal((await refused({ files, entrypoint: 'a/allow' }))[0]?.code, 'rego_parse_error');
});

test('built-ins that a build refuses are refused, in files and queries', async () => {
  const files = { 'p.rego': 'package a\n\nx := http.send({})\n' };
  assert.equal((await refused({ files, entrypoint: 'a/x' }))[0]?.code, 'rego_refused_builtin');
  assert.equal((await refused({ files: {}, query: 'opa.runtime()' }))[0]?.code, 'rego_refused_builtin');
});

test('what is malformed is named', async () => {
  for (const [part, code, message] of [
    [{ inputJson: '{' }, 'rego_request_error', /^inputJson: /],
    [{ inputJson: '' }, 'rego_request_error', /^inputJson: /],
    [{ inputJson: '{} {}' }, 'rego_request_error', /^inputJson: /],
    [{ dataJson: '[]' }, 'rego_request_error', /^dataJson: /],
    [{ nowNs: '1e3' }, 'rego_request_error', /^nowNs: /],
    [{ nowNs: '99999999999999999999' }, 'rego_request_error', /^nowNs: /],
    [{ ndBuiltinCacheJson: '[]' }, 'rego_request_error', /^ndBuiltinCacheJson: /],
    [{ ndBuiltinCacheJson: '{"rand.intn": {"[": 1}}' }, 'rego_request_error', /^ndBuiltinCacheJson: arguments of rand/],
  ] as const) {
    const [found] = await refused({ files: policy, entrypoint, ...part });
    assert.equal(found?.code, code);
    assert.match(found.message, message);
  }
  for (const rego of ['', 'x :=', 'x := y', '}']) {
    const [found] = await refused({ files: {}, query: rego });
    assert.match(found?.code ?? '', /^rego_(?:parse|unsafe_var|compile|build|request)_error$/, rego);
  }
});

test('every file that does not parse is reported', async () => {
  const files = { 'p.rego': 'package a\nx :=', 'q.rego': '', 'data.json': '{' };
  const found = await refused({ files, entrypoint });
  assert.deepEqual([...new Set(found.map((each) => each.file))], ['data.json', 'p.rego', 'q.rego']);
});

/** The value of `data.a.x` where `rule` is the only rule of package a. */
function one(rule: string, more: Partial<EvaluateOptions> = {}): Promise<Evaluated> {
  return evaluated({ files: { 'p.rego': `package a\n\n${rule}\n` }, entrypoint: 'a/x', ...more });
}

test('what is kept between calls never answers for other files, data or input', async () => {
  for (let round = 0; round < 2; round += 1) {
    for (let n = 0; n < 6; n += 1) assert.equal((await one(`x := ${n}`)).resultJson, String(n));
    for (let n = 0; n < 6; n += 1) {
      assert.equal((await one('x := data.n', { dataJson: `{"n":${n}}` })).resultJson, String(n));
      assert.equal((await one('x := input.n', { inputJson: `{"n":${n}}` })).resultJson, String(n));
    }
    assert.equal((await one('x := input.n')).defined, false);
    assert.equal((await one('x if print("a")')).output, 'a\n');
  }
});

test('any JSON comes back as it went in', async () => {
  const property = fc.asyncProperty(fc.json({ noUnicodeString: false }), async (inputJson) => {
    const { resultJson } = await evaluated({ files: policy, entrypoint: 'a/b/same', inputJson });
    assert.deepEqual(JSON.parse(resultJson ?? 'undefined'), JSON.parse(inputJson));
  });
  await fc.assert(property, { numRuns: 100 });
});

test('an evaluation that does not come to an end is ended at the deadline, and the next call is served', async () => {
  const manual = createManualTimer();
  const timed = createRegoCompiler({ timer: manual.timer });
  const sum = { files: {}, query: 'x := 1 + 1' };
  try {
    assert.ok((await timed.evaluate(sum)).ok);
    const rego = 'some a in numbers.range(1, 99999); some b in numbers.range(1, 99999); a + b < 0';
    const endless = timed.evaluate({ files: {}, query: rego });
    await manual.fire(defaultLimits.deadlineMs);
    const ended = await endless;
    assert.deepEqual(ended.ok ? [] : ended.error.map((each) => each.code), ['rego_compiler_deadline']);
    assert.ok((await timed.evaluate(sum)).ok);
  } finally {
    await timed.stop();
  }
});
