import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

const SOUND = `package sallyport.authz

decision if input.attributes.request.http.method == "GET"
`;
const TYPO = `package sallyport.authz

decision if input.atributes.request.http.method == "GET"
`;

test('policy check: what is sound is said to be, with how many files were read', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'a.rego': SOUND, 'sub/b.rego': 'package b\n\nx := 1\n', 'data.json': '{}' });
  const { code, out, err } = await sallyport(['policy', 'check', folder]);
  assert.deepEqual([code, out, err], [0, ['2 files of Rego: good'], []]);
});

test('policy check: an input that does not exist is found, with file, line, column, the line and what there is', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'a.rego': TYPO });
  const { code, out, err } = await sallyport(['policy', 'check', folder]);
  assert.deepEqual([code, out], [2, []]);
  const text = err.join('\n');
  assert.ok(text.startsWith(`${join(folder, 'a.rego')}:3:13: rego_type_error: undefined ref: input.atributes`), text);
  assert.match(text, /"attributes"/);
  assert.match(text, /\n {2}3 \| decision if input\.atributes\.request\.http\.method == "GET"\n {4}\| {13}\^$/);
});

test('policy check: --no-schema checks no inputs, --schema checks them by another document', async (context) => {
  const folder = await tempFolder(context);
  const schema = { type: 'object', properties: { atributes: {} }, additionalProperties: false };
  await writeFiles(folder, { 'a.rego': TYPO, 'b/a.rego': SOUND, 'schema.txt': JSON.stringify(schema) });
  const file = join(folder, 'a.rego');
  assert.equal((await sallyport(['policy', 'check', file, '--no-schema'])).code, 0);
  assert.equal((await sallyport(['policy', 'check', file, '--schema', join(folder, 'schema.txt')])).code, 0);
  const other = await sallyport(['policy', 'check', join(folder, 'b'), '--schema', join(folder, 'schema.txt')]);
  assert.equal(other.code, 2);
  assert.match(other.err.join('\n'), /undefined ref: input\.attributes/);
  const none = await sallyport(['policy', 'check', file, '--schema', join(folder, 'none.json')]);
  assert.deepEqual([none.code, none.err], [2, [`${join(folder, 'none.json')}: there is no such file`]]);
});

test('policy check: strict mode is on, and --no-strict turns it off', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'a.rego': 'package a\n\nx := 1 if unused := 2\n' });
  const strict = await sallyport(['policy', 'check', folder]);
  assert.equal(strict.code, 2);
  assert.match(strict.err.join('\n'), /a\.rego:3:\d+: rego_compile_error: assigned var unused unused/);
  assert.equal((await sallyport(['policy', 'check', folder, '--no-strict'])).code, 0);
});

test('policy check: Rego of before 1.0 is taken with --v0', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'a.rego': 'package a\n\nx { 1 == 1 }\n' });
  assert.equal((await sallyport(['policy', 'check', folder])).code, 2);
  assert.equal((await sallyport(['policy', 'check', folder, '--v0'])).code, 0);
});

test('policy check --json: one document, errors with places', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'a.rego': TYPO, 'b/b.rego': SOUND });
  const bad = await sallyport(['policy', 'check', join(folder, 'a.rego'), '--json']);
  const { ok, errors } = JSON.parse(bad.out[0] ?? '') as { ok: boolean; errors: Record<string, unknown>[] };
  assert.deepEqual([bad.code, bad.out.length, bad.err, ok], [2, 1, [], false]);
  assert.deepEqual(
    errors.map(({ code, file, row, col }) => [code, file, row, col]),
    [['rego_type_error', join(folder, 'a.rego'), 3, 13]],
  );
  const good = await sallyport(['policy', 'check', join(folder, 'b'), '--json']);
  assert.deepEqual([good.code, good.out], [0, ['{"ok":true,"errors":[]}']]);
  const none = await sallyport(['policy', 'check', join(folder, 'none'), '--json']);
  assert.deepEqual([none.code, (JSON.parse(none.out[0] ?? '') as { ok: boolean }).ok], [2, false]);
});

test('policy check: two places may hold Rego of one name, and may not hold one document twice', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, {
    'a/x.rego': SOUND,
    'b/x.rego': 'package b\n\nx := undefined_thing\n',
    'c/data.json': '{}',
    'd/data.json': '{}',
  });
  const check = (...names: string[]) => sallyport(['policy', 'check', ...names.map((name) => join(folder, name))]);
  const both = await check('a', 'b');
  assert.equal(both.code, 2);
  assert.ok(both.err[0]?.startsWith(`${join(folder, 'b', 'x.rego')}:3:`), both.err.join());
  const twice = await check('c', 'd');
  assert.deepEqual(
    [twice.code, twice.err],
    [2, [`${join(folder, 'd/data.json')}: ${join(folder, 'c/data.json')} holds the same document; name one of them`]],
  );
});

test('policy check: control characters of a policy do not reach the terminal', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'a.rego': 'package a\n\nx := "\u001b[2J" y\n' });
  const { code, err } = await sallyport(['policy', 'check', folder]);
  assert.equal(code, 2);
  assert.ok(!err.join('\n').includes('\u001b'));
});

test('policy check: where there is no Rego nothing is called good', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'data.json': '{}' });
  const { code, out, err } = await sallyport(['policy', 'check', folder]);
  const why = `${folder}: holds no Rego; name a folder or bundle with .rego files, or such a file`;
  assert.deepEqual([code, out, err], [2, [], [why]]);
});

test('policy check: Rego of before 1.0 is told of --v0, other mistakes are not', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'old.rego': 'package a\n\nx { 1 == 1 }\n', 'broken.rego': 'package a\n\nx := \n' });
  const old = await sallyport(['policy', 'check', join(folder, 'old.rego')]);
  assert.equal(old.err.at(-1), 'Rego from before OPA 1.0? --v0 reads it as that');
  const broken = await sallyport(['policy', 'check', join(folder, 'broken.rego')]);
  assert.doesNotMatch(broken.err.join('\n'), /--v0/);
});
