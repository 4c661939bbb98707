import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';

import type { Inspection } from '../../../src/io/rego/inspect.ts';
import type { SourceFiles } from '../../../src/io/rego/source-files.ts';

const compiler = createRegoCompiler();
after(() => compiler.stop());

async function inspected(files: SourceFiles): Promise<Inspection> {
  const result = await compiler.inspect({ files });
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

/** Names and places of the built-ins that the rules of one file call. */
async function calls(rules: string): Promise<readonly string[]> {
  const { builtins } = await inspected({ 'p.rego': `package a\n\n${rules}\n` });
  return builtins.map(({ name, file, row, col }) => [name, file, row, col].join(':'));
}

const files = {
  'x/p.rego': `# METADATA
# title: The policy
package a.b

default allow := false

# METADATA
# entrypoint: true
# custom:
#   cost: 3
allow if input.x

names contains name if some name in input.names

table[key] := value if some key, value in input.table
`,
  'y/q.rego': '# METADATA\n# entrypoint: true\n# scope: package\npackage a.b.c\n\nf(x) := x + 1\n',
  'y/r.rego': 'package a.b\n\nmore := 1\n',
  'p_test.rego': 'package a_test\n\ntest_x if true\n',
  'data.json': '{"d": 1}',
};

test('packages come with their files, tests left out', async () => {
  assert.deepEqual((await inspected(files)).packages, [
    { path: 'data.a.b', files: ['x/p.rego', 'y/r.rego'] },
    { path: 'data.a.b.c', files: ['y/q.rego'] },
  ]);
});

test('rules come with their places, in the order of files', async () => {
  assert.deepEqual((await inspected(files)).rules, [
    { path: 'data.a.b.allow', file: 'x/p.rego', row: 5, col: 1, isDefault: true },
    { path: 'data.a.b.allow', file: 'x/p.rego', row: 11, col: 1, isDefault: false },
    { path: 'data.a.b.names', file: 'x/p.rego', row: 13, col: 1, isDefault: false },
    { path: 'data.a.b.table', file: 'x/p.rego', row: 15, col: 1, isDefault: false },
    { path: 'data.a.b.c.f', file: 'y/q.rego', row: 6, col: 1, isDefault: false },
    { path: 'data.a.b.more', file: 'y/r.rego', row: 3, col: 1, isDefault: false },
  ]);
});

test('annotations are OPA’s, and those of entrypoints name them', async () => {
  const { annotations, entrypoints } = await inspected(files);
  assert.deepEqual(annotations, [
    {
      path: 'data.a.b',
      scope: 'package',
      file: 'x/p.rego',
      row: 3,
      annotation: { scope: 'package', title: 'The policy' },
    },
    {
      path: 'data.a.b.allow',
      scope: 'document',
      file: 'x/p.rego',
      row: 11,
      annotation: { scope: 'document', entrypoint: true, custom: { cost: 3 } },
    },
    {
      path: 'data.a.b.c',
      scope: 'package',
      file: 'y/q.rego',
      row: 4,
      annotation: { scope: 'package', entrypoint: true },
    },
  ]);
  assert.deepEqual(entrypoints, ['a/b/allow', 'a/b/c']);
});

test('every call of a built-in is there with its place, nested ones and refused ones too', async () => {
  const rules = `x if {
	startswith(lower(input.a), concat("", ["b"]))
	not http.send({"url": upper("u")}).x
}

y := count([z | some z in input.l; lower(z) == "x"])

w if every e in input.l { upper(e) == e }

h[trim_space(k)] := 1 if some k in input.l`;
  assert.deepEqual(await calls(rules), [
    'startswith:p.rego:4:2',
    'lower:p.rego:4:13',
    'concat:p.rego:4:29',
    'http.send:p.rego:5:6',
    'upper:p.rego:5:24',
    'count:p.rego:8:6',
    'lower:p.rego:8:36',
    'upper:p.rego:10:27',
    'trim_space:p.rego:12:3',
  ]);
});

test('operators, syntax, own functions and unknown ones are no calls of built-ins', async () => {
  assert.deepEqual(
    await calls('x := 1 + 2 * count2([1])\n\ny if {\n\t1 in [x]\n\tprint(x)\n}\n\ncount2(z) := z[0]'),
    [],
  );
  assert.deepEqual(await calls('count(x) := x\n\ny := count(1)\n\nz := unknown.fn(2)'), []);
});

test('no files have nothing', async () => {
  const nothing = { packages: [], rules: [], annotations: [], entrypoints: [], builtins: [] };
  assert.deepEqual(await inspected({}), nothing);
  assert.deepEqual(await inspected({ 'p.rego': 'package a\n' }), {
    ...nothing,
    packages: [{ path: 'data.a', files: ['p.rego'] }],
  });
});

test('files that do not compile give diagnostics, all files that do not parse', async () => {
  const result = await compiler.inspect({
    files: { 'p.rego': 'package a\nx :=', 'q.rego': '', 'r.rego': 'package r' },
  });
  assert.deepEqual(result.ok ? [] : [...new Set(result.error.map((each) => each.file))], ['p.rego', 'q.rego']);
  const unsafe = await compiler.inspect({ files: { 'p.rego': 'package a\n\nx := y\n' } });
  assert.deepEqual(unsafe.ok ? [] : unsafe.error.map(({ code, row, col }) => [code, row, col]), [
    ['rego_unsafe_var_error', 3, 6],
  ]);
});
