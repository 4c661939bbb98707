import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import fc from 'fast-check';

import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';

import type { SourceFiles } from '../../../src/io/rego/source-files.ts';

const compiler = createRegoCompiler();
after(() => compiler.stop());

async function formatted(files: SourceFiles, regoVersion?: 0 | 1): Promise<Readonly<Record<string, string>>> {
  const result = await compiler.format(regoVersion === undefined ? { files } : { files, regoVersion });
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

async function places(files: SourceFiles, regoVersion?: 0 | 1): Promise<readonly string[]> {
  const result = await compiler.format(regoVersion === undefined ? { files } : { files, regoVersion });
  assert.ok(!result.ok);
  return result.error.map(({ code, file, row, col }) => [code, file, row, col].join(':'));
}

test('every Rego file is formatted, tests too, and other files are left out', async () => {
  const files = {
    'a/p.rego': 'package   a\n#c\nallow   if   {input.x ;  input.y}\n',
    'a/p_test.rego': 'package a_test\ntest_x if { true }',
    'data.json': '{ "not":   "touched" }',
    'notes.txt': 'package   a',
    '.manifest': 'whatever',
  };
  assert.deepEqual(await formatted(files), {
    'a/p.rego': 'package a\n\n#c\nallow if {\n\tinput.x\n\tinput.y\n}\n',
    'a/p_test.rego': 'package a_test\n\ntest_x := true\n',
  });
});

test('version 0 stays version 0', async () => {
  const files = { 'p.rego': 'package a\nallow   {input.x}' };
  assert.deepEqual(await formatted(files, 0), { 'p.rego': 'package a\n\nallow {\n\tinput.x\n}\n' });
});

test('the version that is not asked for is not read', async () => {
  const v0 = { 'p.rego': 'package a\n\nallow { input.x }\n' };
  assert.deepEqual((await places(v0))[0], 'rego_parse_error:p.rego:3:1');
  const v1 = { 'p.rego': 'package a\n\nallow if input.x\n' };
  assert.notDeepEqual(await places(v1, 0), []);
});

test('bytes are read as text', async () => {
  const bytes = new TextEncoder().encode('package a\nx:="é"');
  assert.deepEqual(await formatted({ 'p.rego': bytes }), { 'p.rego': 'package a\n\nx := "é"\n' });
});

test('all files that do not parse are reported, with their places, and nothing is formatted', async () => {
  const files = {
    'a.rego': 'package a\nx :=\n',
    'b.rego': '',
    'c.rego': new Uint8Array([...new TextEncoder().encode('package c\nx := "'), 0xff, 0x22]),
    'd.rego': 'package d\n',
  };
  const found = await places(files);
  assert.deepEqual([...new Set(found.map((each) => each.split(':')[1]))], ['a.rego', 'b.rego', 'c.rego']);
  assert.ok(found.includes('rego_parse_error:b.rego:1:1'));
  assert.ok(found.includes('rego_parse_error:c.rego:2:6'));
});

test('no files give no files', async () => {
  assert.deepEqual(await formatted({}), {});
});

test('a large file is formatted', async () => {
  const rules = Array.from({ length: 5000 }, (_, at) => `r${at}   :=   ${at}\n`);
  const text = (await formatted({ 'p.rego': `package a\n${rules.join('')}` }))['p.rego'];
  assert.ok(text?.endsWith('\nr4999 := 4999\n'));
});

test('formatting what is formatted changes nothing', async () => {
  const value = fc.oneof(fc.integer(), fc.boolean(), fc.stringMatching(/^[a-zé ]{0,9}$/), fc.constant(null));
  const json = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      value,
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('any')),
    ),
  })).any;
  const spaces = fc.stringMatching(/^[ \t]{1,3}$/);
  const property = fc.asyncProperty(
    fc.array(fc.tuple(json, spaces), { minLength: 1, maxLength: 5 }),
    async (values) => {
      const rules = values.map(([each, space], at) => `r${at}${space}:=${space}${JSON.stringify(each)}`);
      const once = await formatted({ 'p.rego': `package a\n${rules.join('\n')}` });
      assert.deepEqual(await formatted(once), once);
    },
  );
  await fc.assert(property, { numRuns: 50 });
});
