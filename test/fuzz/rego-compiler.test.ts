import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import fc from 'fast-check';

import { createRegoCompiler } from '../../src/io/rego/compiler.ts';

import type { Diagnostic } from '../../src/io/rego/diagnostic.ts';
import type { SourceFiles } from '../../src/io/rego/source-files.ts';

const compiler = createRegoCompiler();
after(() => compiler.stop());

const entrypoints = ['a/allow'];
const sound = 'package a\n\nallow if input.x == data.k[_]\n';

/** Whatever the files are: a module, or diagnostics about the files with places that exist. Never a failed compiler. */
async function survives(files: SourceFiles): Promise<void> {
  const built = await compiler.build({ files, entrypoints });
  if (built.ok) {
    await WebAssembly.compile(built.value.policyWasm);
    return;
  }
  assert.notEqual(built.error.length, 0);
  for (const diagnostic of built.error) assertAboutFiles(diagnostic, files);
}

const inputSchema = { type: 'object', properties: { x: { type: 'string' } } };

/** The other operations on the same files: an answer, or diagnostics about the files. */
async function survivesAll(files: SourceFiles): Promise<void> {
  const found = await Promise.all([
    compiler.check({ files, inputSchema }),
    compiler.format({ files }),
    compiler.test({ files, coverage: true }),
    compiler.evaluate({ files, entrypoint: 'a/allow', inputJson: '{"x": [1]}', tests: true, explain: true }),
    compiler.inspect({ files }),
  ]);
  for (const each of found) {
    const diagnostics = 'ok' in each ? (each.ok ? [] : each.error) : each;
    for (const diagnostic of diagnostics) assertAboutFiles(diagnostic, files);
  }
}

function assertAboutFiles(diagnostic: Diagnostic, files: SourceFiles): void {
  const { code, message, file, row, col } = diagnostic;
  assert.doesNotMatch(code, /^rego_(?:compiler_|internal_|request_)/, `${code}: ${message}`);
  assert.notEqual(message, '');
  if (file === undefined) return;
  assert.ok(Object.hasOwn(files, file), file);
  assert.ok(row === undefined || row >= 1);
  assert.ok(col === undefined || col >= 1);
}

async function holds(
  content: fc.Arbitrary<string | Uint8Array>,
  file: string,
  numRuns: number,
  claim: (files: SourceFiles) => Promise<void> = survives,
): Promise<void> {
  const property = fc.asyncProperty(content, (generated) => claim({ 'p.rego': sound, [file]: generated }));
  await fc.assert(property, { numRuns });
}

/** Pieces of the language in any order: far more of it parses than of random text. */
const pieces = [
  'package a\n',
  'import ',
  'allow',
  ' if ',
  ' := ',
  ' == ',
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  '|',
  ';',
  '\n',
];
const words = [
  'input.x',
  'data.k',
  '"s"',
  '`raw',
  '1e9',
  'some ',
  'every ',
  ' in ',
  'not ',
  'with ',
  'else ',
  'default ',
  '# c\n',
];
const more = [
  'count(',
  'sprintf("%d", ',
  '_',
  ',',
  '.',
  '"\\u',
  '"',
  'contains ',
  '-',
  '* ',
  '&',
  '# METADATA\n# scope: ',
  'é',
  '\0',
];
const language = fc
  .array(fc.constantFrom(...pieces, ...words, ...more), { maxLength: 40 })
  .map((parts) => parts.join(''));

/** A sound policy with one stretch replaced. */
const damaged = fc
  .tuple(fc.nat(sound.length), fc.nat(8), fc.string({ maxLength: 8 }))
  .map(([at, length, text]) => sound.slice(0, at) + text + sound.slice(at + length));

test('random bytes as Rego give diagnostics, never a crash', () =>
  holds(fc.uint8Array({ maxLength: 200 }), 'q.rego', 60));

test('random text as Rego gives diagnostics, never a crash', () =>
  holds(fc.string({ unit: 'binary', maxLength: 200 }), 'q.rego', 60));

test('pieces of Rego in any order give a module or diagnostics', () => holds(language, 'q.rego', 150));

test('a sound policy with damage gives a module or diagnostics', () => holds(damaged, 'p.rego', 100));

test('random bytes as data.json, data.yaml and manifest give diagnostics, never a crash', async () => {
  for (const file of ['data.json', 'data.yaml', '.manifest']) await holds(fc.uint8Array({ maxLength: 100 }), file, 30);
});

test('any JSON document as data.json gives a module with exactly that data, or is no object', async () => {
  const property = fc.asyncProperty(fc.json({ noUnicodeString: false }), async (text) => {
    const built = await compiler.build({ files: { 'p.rego': sound, 'data.json': text }, entrypoints });
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    assert.equal(built.ok, isObject);
    if (built.ok) assert.deepEqual(JSON.parse(built.value.dataJson), value);
  });
  await fc.assert(property, { numRuns: 60 });
});

test('random bytes and pieces of Rego are checked, formatted, tested, evaluated and inspected, never a crash', async () => {
  await holds(fc.uint8Array({ maxLength: 100 }), 'q_test.rego', 30, survivesAll);
  await holds(language, 'q_test.rego', 80, survivesAll);
  await holds(damaged, 'p.rego', 80, survivesAll);
});

test('random text as a query gives bindings or diagnostics, never a crash', async () => {
  const query = fc.oneof(language, fc.string({ unit: 'binary', maxLength: 60 }));
  const property = fc.asyncProperty(query, async (text) => {
    const evaluated = await compiler.evaluate({ files: { 'p.rego': sound }, query: text, inputJson: '{"x": 1}' });
    if (evaluated.ok) assert.ok(Array.isArray(JSON.parse(evaluated.value.resultJson ?? '')));
    else
      for (const { code, message } of evaluated.error)
        assert.doesNotMatch(code, /^rego_(?:compiler|internal)_/, message);
  });
  await fc.assert(property, { numRuns: 150 });
});

test('any JSON as input is evaluated, and as data, built-in answers or schema gives an answer or diagnostics', async () => {
  const property = fc.asyncProperty(fc.json({ noUnicodeString: false }), async (text) => {
    const asked = { files: { 'p.rego': 'package a\n\nsame := input\n' }, entrypoint: 'a/same' };
    const evaluated = await compiler.evaluate({ ...asked, inputJson: text });
    assert.ok(evaluated.ok);
    assert.deepEqual(JSON.parse(evaluated.value.resultJson ?? ''), JSON.parse(text));
    for (const other of [{ dataJson: text }, { ndBuiltinCacheJson: text }]) {
      const answer = await compiler.evaluate({ ...asked, ...other });
      assert.ok(answer.ok || answer.error[0]?.code === 'rego_request_error', JSON.stringify(answer));
    }
    const checked = await compiler.check({ files: asked.files, inputSchema: JSON.parse(text) as unknown });
    for (const { code, message } of checked) assert.doesNotMatch(code, /^rego_(?:compiler|internal)_/, message);
  });
  await fc.assert(property, { numRuns: 60 });
});
