import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { bundleFromFiles, readBundle } from '../../../src/core/bundle/bundle.ts';
import { readManifest } from '../../../src/core/bundle/manifest.ts';
import { writeBundle } from '../../../src/core/bundle/write-bundle.ts';

const key = fc.string({
  unit: fc.constantFrom('a', 'b', '_', 'ü', '__proto__', 'constructor'),
  minLength: 1,
  maxLength: 3,
});
const tree = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer(),
    fc.boolean(),
    fc.string(),
    fc.array(fc.integer(), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
})).object;

/** Splits a document into files: each branch is, or is not, a folder of its own. */
function split(document: Record<string, unknown>, decide: () => boolean, at = ''): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const own: [string, unknown][] = [];
  for (const [name, value] of Object.entries(document)) {
    const isBranch =
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
    if (isBranch && decide())
      for (const entry of split(value as Record<string, unknown>, decide, `${at}${name}/`)) files.set(...entry);
    else own.push([name, value]);
  }
  if (own.length > 0) files.set(`${at}data.json`, Buffer.from(JSON.stringify(Object.fromEntries(own))));
  return files;
}

function dataOf(files: ReadonlyMap<string, Uint8Array>): unknown {
  const bundle = bundleFromFiles(files);
  assert.ok(bundle.ok, bundle.ok ? '' : bundle.error.detail);
  return JSON.parse(bundle.value.dataJson);
}

test('property: a document split over folders in any way is read as the same document', () => {
  fc.assert(
    fc.property(tree, fc.array(fc.boolean(), { minLength: 1 }), (document, decisions) => {
      let next = 0;
      const files = split(document, () => decisions[next++ % decisions.length] === true);
      assert.deepEqual(dataOf(files), JSON.parse(JSON.stringify(document)));
    }),
    { numRuns: 300 },
  );
});

test('property: the order in which files come decides nothing, not even the digest', () => {
  fc.assert(
    fc.property(tree, fc.func(fc.integer()), (document, order) => {
      const files = split(document, () => true);
      const shuffled = new Map([...files].sort(([a], [b]) => order(a) - order(b)));
      const [one, other] = [bundleFromFiles(files), bundleFromFiles(shuffled)];
      assert.deepEqual(
        [one.ok && one.value.digest, one.ok && one.value.dataJson],
        [other.ok && other.value.digest, other.ok && other.value.dataJson],
      );
    }),
  );
});

test('property: a written bundle reads back its data, its revision and its digest as the folder does', () => {
  fc.assert(
    fc.property(tree, fc.string({ minLength: 1, maxLength: 20 }), (document, revision) => {
      const dataJson = JSON.stringify(document);
      const manifestJson = JSON.stringify({ revision });
      const archived = readBundle(writeBundle({ manifestJson, dataJson }));
      const folder = bundleFromFiles(
        new Map([
          ['.manifest', Buffer.from(manifestJson)],
          ['data.json', Buffer.from(dataJson)],
        ]),
      );
      assert.ok(archived.ok && folder.ok);
      assert.deepEqual(
        [archived.value.revision, archived.value.digest, archived.value.dataJson],
        [revision, folder.value.digest, folder.value.dataJson],
      );
    }),
  );
});

test('property: any manifest gives a manifest or a fault', () => {
  const field = fc.constantFrom('revision', 'roots', 'wasm', 'rego_version', 'metadata', 'other');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.dictionary(field, fc.jsonValue()).map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const manifest = readManifest(text);
        if (manifest.ok) assert.ok(manifest.value.roots.length > 0);
        else assert.equal(manifest.error.code, 'manifest_invalid');
      },
    ),
    { numRuns: 500 },
  );
});

test('property: any files give a bundle or a fault', () => {
  const name = fc.constantFrom(
    '.manifest',
    'data.json',
    'a/data.json',
    'a/data.yaml',
    'plan.json',
    'policy.wasm',
    'x.wasm',
    'a.rego',
    'patch.json',
    '../x',
    'a//b',
  );
  fc.assert(
    fc.property(fc.dictionary(name, fc.oneof(fc.json(), fc.string())), (entries) => {
      const files = new Map(Object.entries(entries).map(([path, text]) => [path, Buffer.from(text)]));
      const bundle = bundleFromFiles(files);
      if (!bundle.ok) assert.match(bundle.error.code, /^[a-z_]+$/);
    }),
    { numRuns: 500 },
  );
});
