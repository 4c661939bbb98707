import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

import { createRegoCompiler } from '../../src/io/rego/compiler.ts';
import { needsNativeOpa, runOpa } from '../support/native-opa.ts';
import { tempFolder, writeFiles } from '../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { Diagnostic } from '../../src/io/rego/diagnostic.ts';
import type { TestResult } from '../../src/io/rego/test-run.ts';

const compiler = createRegoCompiler();
after(() => compiler.stop());

const root = new URL('../../', import.meta.url);
const [demo, demoData, schema] = await Promise.all(
  ['examples/policy/demo.rego', 'examples/policy/data.json', 'policies/schemas/input.json'].map((path) =>
    readFile(new URL(path, root), 'utf8'),
  ),
);

type Files = Readonly<Record<string, string>>;

/** A policy with tests: what most comparisons are about. */
const policy: Files = {
  'p/authz.rego': `package p.authz

import data.p.lib

default allow := false

# METADATA
# entrypoint: true
allow if {
	some role in data.roles[input.user]
	lib.may(role, input.method)
}

allow if {
	input.token
	io.jwt.decode(input.token)[1].admin
}

levels contains level if {
	some role in data.roles[input.user]
	level := count(lib.methods[role]) / input.divisor
}

positive := total if {
	total := sum([n | some n in input.numbers; n > 0])
} else := -1

ordered := {name: {"n": n, "é": [n, n]} | some name, n in input.numbers}
`,
  'p/lib.rego': `package p.lib

methods := {"reader": {"GET"}, "writer": {"GET", "PUT"}}

may(role, method) if method in methods[role]

unreached if {
	input.never
	input.ever
}
`,
  'p/authz_test.rego': `package p.authz_test

import data.p.authz

test_reader if authz.allow with input as {"user": "ann", "method": "GET"}

test_refused if not authz.allow with input as {"user": "ann", "method": "PUT"}

test_wrong if authz.allow with input as {"user": "eve", "method": "GET"}

test_prints if {
	print("levels", authz.levels)
	authz.positive == 3 with input.numbers as [1, 2, -5]
}

test_each[name] if {
	some name, case in {"get": {"m": "GET", "want": true}, "put": {"m": "PUT", "want": true}}
	authz.allow == case.want with input as {"user": "ann", "method": case.m}
}

test_twice if true

test_twice if false

todo_test_later if false
`,
  'data.json': '{"roles": {"ann": ["reader"], "bob": ["writer", "reader"]}}',
};

async function folderOf(context: TestContext, files: Files): Promise<string> {
  const folder = await tempFolder(context);
  await writeFiles(join(folder, 'in'), files);
  return join(folder, 'in');
}

async function nativeJson<T>(folder: string, ...args: readonly string[]): Promise<T> {
  const { stdout, stderr } = await runOpa(folder, ...args);
  // opa check writes its JSON to the error output, and nothing if all is sound.
  const written = stdout === '' ? stderr : stdout;
  return JSON.parse(written === '' ? '{}' : written) as T;
}

describe('fmt: the text is byte for byte that of opa fmt', needsNativeOpa, () => {
  const untidy = `# first
package   a.b   # why
import   data.x as  y
import rego.v1


#about
default   allow=false
allow  if  { input.x ;input.y==[1,
2,  3] # trailing
  every k,v in input.o{k!=v} }
else:={"a":1,
"b":{2,3}} if not   input.z
f(x,_):=x+1
s contains {"deep": [x|some x in [1,2,3];x>1]} if true
msg := $"value {input.x}"
raw := \`a\\b\`
long := object.union(object.union({"a": 1}, {"b": 2}), object.union({"c": 3}, {"d": [1, 2, 3, 4, 5, 6, 7, 8, 9]})) if { input.q with input as {} with data.z as 3 }
`;
  const v0 = 'package a\nimport future.keywords.in\nallow{input.x;not deny}\ndeny[m]{m:=input.m[_]}\nf(x)=y{y:=x}\n';
  for (const [name, text, flags] of [
    ['the demo’s policy', demo ?? '', []],
    ['an untidy file', untidy, []],
    ['tests', policy['p/authz_test.rego'] ?? '', []],
    ['version 0', v0, ['--v0-compatible']],
  ] as const) {
    test(name, async (context) => {
      const folder = await folderOf(context, { 'p.rego': text });
      const { stdout, stderr } = await runOpa(folder, 'fmt', ...flags, 'p.rego');
      assert.equal(stderr, '');
      const here = await compiler.format({ files: { 'p.rego': text }, regoVersion: flags.length > 0 ? 0 : 1 });
      assert.deepEqual(here, { ok: true, value: { 'p.rego': stdout } });
    });
  }
});

interface NativeResult {
  readonly location: { readonly file: string; readonly row: number; readonly col: number };
  readonly package: string;
  readonly name: string;
  readonly fail?: boolean;
  readonly skip?: boolean;
  readonly error?: { readonly message: string };
  readonly output?: string;
  readonly sub_results?: Readonly<Record<string, { readonly fail?: boolean }>>;
}

/** What does not depend on the machine; the error's text is OPA's with more around it. */
type Comparable = Omit<TestResult, 'durationNs' | 'error'>;

function comparable(result: TestResult): Comparable {
  const { durationNs, error, ...rest } = result;
  assert.ok(durationNs >= 0);
  assert.equal(error !== undefined, rest.outcome === 'error');
  return rest;
}

function asOurs(native: NativeResult): Comparable {
  const { location, fail, skip, error, output, sub_results: cases } = native;
  return {
    package: native.package,
    name: native.name,
    ...location,
    outcome: fail ? 'failed' : skip ? 'skipped' : error ? 'error' : 'passed',
    output: output === undefined ? '' : Buffer.from(output, 'base64').toString(),
    ...(cases === undefined
      ? {}
      : { cases: Object.entries(cases).map(([name, each]) => ({ name, outcome: each.fail ? 'failed' : 'passed' })) }),
  };
}

describe('test: results and coverage are those of opa test', needsNativeOpa, () => {
  const broken = { ...policy, 'p/broken_test.rego': 'package p.broken\n\nx := [1, 2][_]\n\ntest_x if x == 1\n' };

  test('every outcome, with its place, output and cases', async (context) => {
    const folder = await folderOf(context, broken);
    const native = await nativeJson<readonly NativeResult[]>(folder, 'test', '--bundle', '--format', 'json', '.');
    const here = await compiler.test({ files: broken });
    assert.ok(here.ok);
    assert.deepEqual(
      here.value.results.map(comparable),
      native.map(asOurs).toSorted((a, b) => byText(a.file, b.file) || a.row - b.row),
    );
  });

  test('the filter', async (context) => {
    const folder = await folderOf(context, policy);
    const filter = 'authz_test\\.test_(r|p)';
    const args = ['test', '--bundle', '--format', 'json', '--run', filter, '.'];
    const native = await nativeJson<readonly NativeResult[]>(folder, ...args);
    const here = await compiler.test({ files: policy, filter });
    assert.ok(here.ok);
    assert.equal(here.value.results.length, 3);
    assert.deepEqual(
      here.value.results.map((each) => each.name).toSorted(byText),
      native.map((each) => each.name).toSorted(byText),
    );
  });

  test('percent and lines of the coverage', async (context) => {
    const folder = await folderOf(context, policy);
    // Where a test fails, opa test reports no coverage.
    const filter = 'test_(reader|refused|prints)';
    const args = ['test', '--bundle', '--coverage', '--run', filter, '--format', 'json', '.'];
    const native = await nativeJson<NativeCoverage>(folder, ...args);
    const here = await compiler.test({ files: policy, filter, coverage: true });
    assert.ok(here.ok && here.value.coverage);
    const { percent, files } = here.value.coverage;
    assert.equal(percent, native.coverage);
    assert.deepEqual(Object.keys(files), Object.keys(native.files).toSorted(byText));
    for (const [path, file] of Object.entries(files)) {
      const other = native.files[path];
      assert.equal(file.percent, other?.coverage ?? 0, path);
      assert.deepEqual(rows(file.covered), nativeRows(other?.covered), path);
      assert.deepEqual(rows(file.notCovered), nativeRows(other?.not_covered), path);
    }
  });
});

interface NativeRange {
  readonly start: { readonly row: number };
  readonly end: { readonly row: number };
}

interface NativeCoverage {
  readonly coverage: number;
  readonly files: Readonly<
    Record<
      string,
      {
        readonly coverage?: number;
        readonly covered?: readonly NativeRange[];
        readonly not_covered?: readonly NativeRange[];
      }
    >
  >;
}

function rows(ranges: readonly { readonly start: number; readonly end: number }[]): readonly number[] {
  return ranges.flatMap(({ start, end }) => Array.from({ length: end - start + 1 }, (_, at) => start + at));
}

function nativeRows(ranges: readonly NativeRange[] = []): readonly number[] {
  const all = rows(ranges.map(({ start, end }) => ({ start: start.row, end: end.row })));
  return [...new Set(all)].toSorted((a, b) => a - b);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

interface NativeErrors {
  readonly errors?: readonly {
    readonly code: string;
    readonly message: string;
    readonly location?: { readonly file: string; readonly row: number; readonly col: number };
  }[];
}

describe('check: errors and their places are those of opa check --strict --schema', needsNativeOpa, () => {
  for (const [name, files] of Object.entries<Files>({
    'a sound policy': { 'demo.rego': demo ?? '', 'data.json': demoData ?? '' },
    'unknown fields of the input': {
      'p.rego': 'package a\n\nallow if {\n\tinput.atributes.x\n\tinput.sallyport.per\n}\n\nb if input.parsed_path.x\n',
    },
    'strict mode': { 'p.rego': 'package a\n\nimport data.b\n\nf(x) if {\n\ty := 1\n}\n\ninput := 3\n' },
    'wrong arguments and unsafe variables': {
      'p.rego': 'package a\n\nx if count(1) == 2\n',
      'q.rego': 'package b\n\ny := z\n',
    },
    'wrong arguments': { 'p.rego': 'package a\n\nx if count(1) == 2\n\ny := lower(3)\n' },
    recursion: { 'p.rego': 'package a\n\nx if y\n\ny if x\n' },
    'a conflict with data': { 'p.rego': 'package a\n\nb := 1\n', 'data.json': '{"a": {"b": 2}}' },
    'partial inputs in tests': policy,
  })) {
    test(name, async (context) => {
      const folder = await folderOf(context, files);
      await writeFiles(join(folder, '..'), { 'schema.json': schema ?? '' });
      const args = [
        'check',
        '--bundle',
        '--strict',
        '--schema',
        '../schema.json',
        '--format',
        'json',
        '--max-errors',
        '0',
        '.',
      ];
      const native = await nativeJson<NativeErrors>(folder, ...args);
      const here = await compiler.check({ files, inputSchema: JSON.parse(schema ?? '') as unknown });
      const expected = (native.errors ?? []).map(({ code, message, location }) => ({ code, message, ...location }));
      assert.deepEqual(here.map(placeOf), expected);
    });
  }
});

function placeOf({ code, message, file, row, col }: Diagnostic): object {
  return { code, message, file, row, col };
}

interface NativeEvaluation {
  readonly result?: readonly {
    readonly expressions: readonly { readonly value: unknown }[];
    readonly bindings?: unknown;
  }[];
  readonly errors?: readonly { readonly code: string; readonly message: string }[];
}

const inputs = [
  '{"user": "ann", "method": "GET", "divisor": 2, "numbers": [1, 2.5, -1]}',
  '{"user": "bob", "method": "PUT", "divisor": 0, "numbers": {"a": 12345678901234567890, "b": 0.1}}',
  '{"user": "eve", "token": "e30.eyJhZG1pbiI6dHJ1ZX0.x", "numbers": []}',
  '[]',
];

describe('evaluate: values are those of opa eval', needsNativeOpa, () => {
  for (const [at, inputJson] of inputs.entries()) {
    for (const entrypoint of ['p/authz', 'p/authz/allow', 'p/authz/levels', 'p/authz/nothing', 'p']) {
      test(`${entrypoint} on input ${at}`, async (context) => {
        const folder = await folderOf(context, policy);
        await writeFiles(join(folder, '..'), { 'input.json': inputJson });
        const query = `data.${entrypoint.replaceAll('/', '.')}`;
        const args = ['eval', '--bundle', '.', '-i', '../input.json', '--format', 'json', query];
        const native = await nativeJson<NativeEvaluation>(folder, ...args);
        const here = await compiler.evaluate({ files: policy, entrypoint, inputJson, tests: true });
        assert.ok(here.ok, JSON.stringify(here));
        assert.equal(here.value.defined, native.result !== undefined);
        const { resultJson } = here.value;
        assert.deepEqual(
          resultJson === undefined ? undefined : JSON.parse(resultJson),
          native.result?.[0]?.expressions[0]?.value,
        );
      });
    }
  }

  test('bindings of a query', async (context) => {
    const folder = await folderOf(context, policy);
    const query = 'some user; roles := data.roles[user]; n := count(roles)';
    const native = await nativeJson<NativeEvaluation>(folder, 'eval', '--bundle', '.', '--format', 'json', query);
    const here = await compiler.evaluate({ files: policy, query });
    assert.ok(here.ok);
    assert.deepEqual(
      JSON.parse(here.value.resultJson ?? ''),
      native.result?.map((each) => each.bindings),
    );
  });

  test('an error of a built-in, when asked to be strict', async (context) => {
    const folder = await folderOf(context, policy);
    const args = ['eval', '--bundle', '.', '--strict-builtin-errors', '--format', 'json', 'x := 1 / 0'];
    const native = await nativeJson<NativeEvaluation>(folder, ...args);
    const here = await compiler.evaluate({ files: policy, query: 'x := 1 / 0', strictBuiltinErrors: true });
    assert.deepEqual(here.ok ? [] : here.error.map(({ code, message }) => ({ code, message })), [
      { code: native.errors?.[0]?.code, message: native.errors?.[0]?.message },
    ]);
  });
});

describe('inspect: packages, annotations and built-ins are those of opa inspect', needsNativeOpa, () => {
  test('the demo’s policy', async (context) => {
    const files = {
      'demo.rego': demo ?? '',
      'p.rego': policy['p/authz.rego'] ?? '',
      'l.rego': policy['p/lib.rego'] ?? '',
    };
    const folder = await folderOf(context, files);
    const native = await nativeJson<NativeInspection>(folder, 'inspect', '--annotations', '--format', 'json', '.');
    const here = await compiler.inspect({ files });
    assert.ok(here.ok);
    const { packages, annotations, builtins } = here.value;
    assert.deepEqual(Object.fromEntries(packages.map(({ path, files: of }) => [path, of])), native.namespaces);
    assert.deepEqual(
      annotations.map(({ file, row, annotation }) => [file, row, annotation]),
      native.annotations.map(({ location, annotations: each }) => [location.file, location.row, each]),
    );
    const named = native.capabilities.builtins.filter(({ name, infix }) => !infix && !name.startsWith('internal.'));
    assert.deepEqual(
      [...new Set(builtins.map((each) => each.name))].toSorted(byText),
      named.map((each) => each.name),
    );
  });
});

interface NativeInspection {
  readonly namespaces: Readonly<Record<string, readonly string[]>>;
  readonly annotations: readonly {
    readonly location: { readonly file: string; readonly row: number };
    readonly annotations: unknown;
  }[];
  readonly capabilities: { readonly builtins: readonly { readonly name: string; readonly infix?: string }[] };
}
