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

function assertAboutFiles(diagnostic: Diagnostic, files: SourceFiles): void {
  const { code, message, file, row, col } = diagnostic;
  assert.doesNotMatch(code, /^rego_(?:compiler_|internal_|request_)/, `${code}: ${message}`);
  assert.notEqual(message, '');
  if (file === undefined) return;
  assert.ok(Object.hasOwn(files, file), file);
  assert.ok(row === undefined || row >= 1);
  assert.ok(col === undefined || col >= 1);
}

async function holds(content: fc.Arbitrary<string | Uint8Array>, file: string, numRuns: number): Promise<void> {
  const property = fc.asyncProperty(content, (generated) => survives({ 'p.rego': sound, [file]: generated }));
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
