import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { defaultLimits } from '../../../src/io/rego/compiler-worker.ts';
import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';
import { createManualTimer } from '../../support/manual-timer.ts';

import type { Build, BuildRequest } from '../../../src/io/rego/build.ts';
import type { RegoCompiler, RegoCompilerDeps } from '../../../src/io/rego/compiler.ts';
import type { Diagnostic } from '../../../src/io/rego/diagnostic.ts';

const started: RegoCompiler[] = [];
const compiler = create();

after(async () => {
  await Promise.all(started.map((each) => each.stop()));
});

function create(deps: RegoCompilerDeps = {}): RegoCompiler {
  const made = createRegoCompiler(deps);
  started.push(made);
  return made;
}

async function good(request: BuildRequest, by = compiler): Promise<Build> {
  const built = await by.build(request);
  assert.ok(built.ok, JSON.stringify(built));
  return built.value;
}

async function bad(request: BuildRequest, by = compiler): Promise<readonly Diagnostic[]> {
  const built = await by.build(request);
  assert.ok(!built.ok);
  return built.error;
}

const allow = { 'policy.rego': 'package a\n\nallow if input.x == 1\n' };
const entrypoints = ['a/allow'];

async function loads(policyWasm: Uint8Array<ArrayBuffer>): Promise<readonly string[]> {
  const module = await WebAssembly.compile(policyWasm);
  return WebAssembly.Module.exports(module).map((each) => each.name);
}

test('a policy becomes a module, the plan it was made from, data and manifest', async () => {
  const files = {
    ...allow,
    'data.json': '{"a": {"n": 12345678901234567890, "t": "<"}}',
    'b/data.yaml': 'list: [1, 2.50]\n',
    '.manifest': '{"revision": "r1", "roots": ["a", "b"], "metadata": {"k": 1}}',
  };
  const build = await good({ files, entrypoints });
  assert.ok((await loads(build.policyWasm)).includes('opa_eval'));
  const plan = JSON.parse(build.planJson) as { plans: { plans: { name: string }[] } };
  assert.deepEqual(
    plan.plans.plans.map((each) => each.name),
    entrypoints,
  );
  assert.equal(build.dataJson, '{"a":{"n":12345678901234567890,"t":"\\u003c"},"b":{"list":[1,2.5]}}\n');
  const manifest = JSON.parse(build.manifestJson) as Record<string, unknown>;
  assert.equal(manifest['revision'], 'r1');
  assert.deepEqual(manifest['roots'], ['a', 'b']);
  assert.deepEqual(manifest['metadata'], { k: 1 });
  assert.deepEqual(build.entrypoints, entrypoints);
});

test('the same request gives the same bytes, from another instance too', async () => {
  const first = await good({ files: allow, entrypoints });
  const second = await good({ files: allow, entrypoints }, create());
  assert.deepEqual(second, first);
});

test('the revision of the request takes the place of the manifest’s', async () => {
  const files = { ...allow, '.manifest': '{"revision": "old", "roots": [""]}' };
  const { manifestJson } = await good({ files, entrypoints, revision: 'new' });
  assert.equal((JSON.parse(manifestJson) as { revision: string }).revision, 'new');
});

test('annotated rules are entrypoints besides those asked for', async () => {
  const files = { 'p.rego': 'package a\n\nallow if input.x\n\n# METADATA\n# entrypoint: true\ndeny if input.y\n' };
  assert.deepEqual((await good({ files, entrypoints })).entrypoints, ['a/allow', 'a/deny']);
  assert.deepEqual((await good({ files, entrypoints: [] })).entrypoints, ['a/deny']);
});

test('optional entrypoints are taken where they exist and left out where not', async () => {
  const files = { ...allow, 'log.rego': 'package system.log\n\nmask contains "/input/x"\n' };
  const optionalEntrypoints = ['system/log/mask', 'system/log/drop'];
  const build = await good({ files, entrypoints, optionalEntrypoints });
  assert.deepEqual(build.entrypoints, ['a/allow', 'system/log/mask']);
});

test('version 0 of the language is read when asked for', async () => {
  const files = { 'p.rego': 'package a\n\nallow { input.x }\n' };
  await good({ files, entrypoints, regoVersion: 0 });
  const [found] = await bad({ files, entrypoints });
  assert.equal(found?.code, 'rego_parse_error');
});

test('test files are left out, so that what they need need not be there', async () => {
  const files = { ...allow, 'policy_test.rego': 'package a_test\n\ntest_x if this is not even Rego\n' };
  assert.deepEqual(await good({ files, entrypoints }), await good({ files: allow, entrypoints }));
});

test('a syntax error has row, column and the line', async () => {
  const files = { 'x/p.rego': 'package a\n\nallow if {\n\tinput.x ==\n}\n' };
  assert.deepEqual(await bad({ files, entrypoints }), [
    { code: 'rego_parse_error', message: 'unexpected } token', file: 'x/p.rego', row: 5, col: 1, line: '}' },
  ]);
});

test('syntax errors of several files are all reported, in the order of the files', async () => {
  const files = { 'b.rego': 'package b\nx if if', 'a.rego': 'package a\nx := [', 'data.json': '{' };
  const found = await bad({ files, entrypoints });
  assert.deepEqual([...new Set(found.map((each) => each.file))], ['a.rego', 'b.rego', 'data.json']);
});

test('a file that ends too early is at fault one past its end', async () => {
  const [found] = await bad({ files: { 'p.rego': 'package a\n\nallow if {\n' }, entrypoints });
  assert.deepEqual([found?.message, found?.row, found?.col, found?.line], ['unexpected eof token', 4, 1, '']);
});

test('a type error says what the function was given and wants', async () => {
  const files = { 'p.rego': 'package a\n\nallow if count(1) == 2\n' };
  const [found] = await bad({ files, entrypoints });
  assert.deepEqual([found?.code, found?.row, found?.col], ['rego_type_error', 3, 10]);
  assert.ok(
    found?.details?.some((line) => line.startsWith('want')),
    JSON.stringify(found),
  );
});

test('every unknown entrypoint is named, with what exists', async () => {
  const found = await bad({ files: allow, entrypoints: ['a/alow', 'a/allow', 'b'] });
  assert.deepEqual(
    found.map((each) => [each.code, each.file, each.row, each.line]),
    [
      ['rego_unknown_entrypoint', 'policy.rego', 1, 'package a'],
      ['rego_unknown_entrypoint', undefined, undefined, undefined],
    ],
  );
  assert.equal(found[0]?.message, 'no rule or package is at entrypoint "a/alow"; the files define a/allow');
});

test('an empty entrypoint, which OPA takes for all of data, is refused', async () => {
  const [found] = await bad({ files: allow, entrypoints: [''] });
  assert.equal(found?.code, 'rego_request_error');
});

test('no entrypoint at all is refused', async () => {
  const [found] = await bad({ files: allow, entrypoints: [] });
  assert.deepEqual(
    [found?.code, found?.message],
    ['rego_build_error', 'wasm compilation requires at least one entrypoint'],
  );
});

for (const call of ['http.send({"method": "get", "url": "http://x"})', 'net.lookup_ip_addr("x")']) {
  test(`${call.split('(')[0]} is refused at compile time with its place, the reason and what to do`, async () => {
    const files = { 'p.rego': `package a\n\nallow if {\n  input.x\n  ${call}\n}\n` };
    const [found, ...more] = await bad({ files, entrypoints });
    assert.deepEqual(more, []);
    assert.deepEqual([found?.code, found?.file, found?.row, found?.col], ['rego_refused_builtin', 'p.rego', 5, 3]);
    assert.equal(found?.line, `  ${call}`);
    assert.match(found?.message ?? '', /Push the data in the bundle instead/);
  });
}

test('compiled with their tests, files may replace what a build refuses, and test rules are entrypoints', async () => {
  const files = {
    ...allow,
    'policy_test.rego': `package a_test

mock(_) := {"body": 1}

test_allow if data.a.allow with input.x as 1

test_mock if http.send({}).body == 1 with http.send as mock
`,
  };
  const tested = { files, entrypoints: ['a/allow', 'a_test/test_allow', 'a_test/test_mock'], tests: true };
  const build = await good(tested);
  assert.deepEqual(build.entrypoints, tested.entrypoints);
  assert.doesNotMatch(build.planJson, /http\.send/);
  const [found] = await bad({ ...tested, tests: false });
  assert.equal(found?.code, 'rego_unknown_entrypoint');
});

test('a capabilities document of the caller limits the built-ins further', async () => {
  const capabilities = { builtins: [], features: ['rego_v1'] };
  const files = { 'p.rego': 'package a\n\nallow if count(input.x) > 1\n' };
  const [found] = await bad({ files, entrypoints, capabilities });
  assert.deepEqual([found?.code, found?.message], ['rego_type_error', 'undefined function count']);
});

test('malformed data.json is found with its place', async () => {
  const files = { ...allow, 'd/data.json': '{"a": 1,\n "b": tru}' };
  assert.deepEqual(await bad({ files, entrypoints }), [
    {
      code: 'rego_load_error',
      message: "bundle load failed on d/data.json: invalid character '}' in literal true (expecting 'e')",
      file: 'd/data.json',
      row: 2,
      col: 10,
      line: ' "b": tru}',
    },
  ]);
});

test('truncated data.json, malformed data.yaml and a malformed manifest are found with their place', async () => {
  for (const [name, text, row, col] of [
    ['data.json', '{"a": 1', 1, 8],
    ['data.json', '{"a": 1}}', 1, 8],
    ['data.yaml', 'a: 1\nb: c: d\n', 2, 1],
    ['.manifest', '{"revision": }', 1, 14],
  ] as const) {
    const [found] = await bad({ files: { ...allow, [name]: text }, entrypoints });
    assert.deepEqual([found?.code, found?.file, found?.row, found?.col], ['rego_load_error', name, row, col]);
  }
});

test('data outside the roots of the manifest is refused', async () => {
  const files = { ...allow, '.manifest': '{"roots": ["b"]}' };
  const [found] = await bad({ files, entrypoints });
  assert.deepEqual([found?.code, found?.file], ['rego_load_error', 'policy.rego']);
  assert.match(found?.message ?? '', /manifest roots \[b\] do not permit 'package a'/);
});

test('paths that lead out of the folder are refused', async () => {
  for (const path of ['/p.rego', '../p.rego', 'a/../p.rego', 'a//p.rego']) {
    const [found] = await bad({ files: { ...allow, [path]: 'package a\n' }, entrypoints });
    assert.deepEqual([found?.code, found?.file], ['rego_request_error', path]);
  }
});

test('running into the memory bound ends the call with a diagnostic, and the next call is served', async () => {
  const small = create({ limits: { maxBytes: 40 * 1024 * 1024 } });
  const big = `{"a": [${Array.from({ length: 400_000 }, (_, at) => at).join(',')}]}`;
  const [found] = await bad({ files: { ...allow, 'data.json': big }, entrypoints }, small);
  assert.equal(found?.code, 'rego_compiler_failed');
  assert.match(found?.message ?? '', /out of memory/);
  await good({ files: allow, entrypoints }, small);
});

test('nesting that exhausts the stack of the instance is a diagnostic, and the next call is served', async () => {
  const files = { 'p.rego': `package a\n\nx := ${'['.repeat(100_000)}${']'.repeat(100_000)}\n` };
  const [found] = await bad({ files, entrypoints: ['a/x'] });
  assert.equal(found?.code, 'rego_compiler_failed');
  await good({ files: allow, entrypoints });
});

test('a build past the deadline is ended while it computes, and the next call is served', async () => {
  const manual = createManualTimer();
  const timed = create({ timer: manual.timer });
  await good({ files: allow, entrypoints }, timed);
  const nested = `package a\n\nx := ${'[y | y := '.repeat(200)}1${']'.repeat(200)}\n`;
  const endless = bad({ files: { 'p.rego': nested }, entrypoints: ['a/x'] }, timed);
  await manual.fire(defaultLimits.deadlineMs);
  const [found] = await endless;
  assert.equal(found?.code, 'rego_compiler_deadline');
  assert.match(found.message, /^the Rego compiler took longer than 60000 ms and was ended; /);
  await good({ files: allow, entrypoints }, timed);
});

test('after stop every build answers that the compiler was stopped', async () => {
  const own = create();
  await own.stop();
  const [found] = await bad({ files: allow, entrypoints }, own);
  assert.equal(found?.code, 'rego_compiler_stopped');
});
