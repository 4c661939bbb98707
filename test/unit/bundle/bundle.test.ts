import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bundleFromFiles, readBundle } from '../../../src/core/bundle/bundle.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../../../src/core/bundle/limits.ts';
import { writeBundle } from '../../../src/core/bundle/write-bundle.ts';

import type { Bundle } from '../../../src/core/bundle/bundle.ts';

function filesOf(entries: Readonly<Record<string, string>>): ReadonlyMap<string, Uint8Array> {
  return new Map(Object.entries(entries).map(([path, text]) => [path, Buffer.from(text)]));
}

function bundleOf(entries: Readonly<Record<string, string>>): Bundle {
  const bundle = bundleFromFiles(filesOf(entries));
  assert.ok(bundle.ok, bundle.ok ? '' : bundle.error.detail);
  return bundle.value;
}

function faultOf(entries: Readonly<Record<string, string>>): string {
  const bundle = bundleFromFiles(filesOf(entries));
  return bundle.ok ? 'read' : `${bundle.error.code}: ${bundle.error.detail}`;
}

test('a bundle without manifest owns everything and has its digest as revision', () => {
  const bundle = bundleOf({ 'policy.wasm': 'x' });
  assert.deepEqual(bundle.manifest.roots, ['']);
  assert.match(bundle.digest, /^sha256:[0-9a-f]{64}$/);
  assert.equal(bundle.revision, bundle.digest);
  assert.deepEqual([bundle.dataJson, bundle.planJson], ['{}', undefined]);
});

test('an empty revision is no revision', () => {
  const bundle = bundleOf({ '.manifest': '{"revision":""}' });
  assert.equal(bundle.revision, bundle.digest);
});

test('the digest follows names and content, and is the same for a folder and an archive of it', () => {
  const files = { '.manifest': '{"revision":"a"}', 'data.json': '{}', 'a.rego': 'package a' };
  const { digest } = bundleOf(files);
  const { '.manifest': manifestJson, 'data.json': dataJson, ...rest } = files;
  const archived = readBundle(writeBundle({ manifestJson, dataJson, files: filesOf(rest) }));
  assert.ok(archived.ok);
  assert.equal(archived.value.digest, digest);
  assert.notEqual(bundleOf({ ...files, 'a.rego': 'package b' }).digest, digest);
  assert.notEqual(bundleOf({ ...files, 'b.rego': '' }).digest, digest);
});

test('the digest cannot be made to agree by moving bytes between name and content', () => {
  assert.notEqual(bundleOf({ 'ab.rego': 'c' }).digest, bundleOf({ 'a.rego': 'bc' }).digest);
  assert.notEqual(bundleOf({ 'a.rego': '1', 'b.rego': '' }).digest, bundleOf({ 'a.rego': '', 'b.rego': '1' }).digest);
});

test('Rego is found at any depth; other files are passed over', () => {
  const bundle = bundleOf({ 'a.rego': 'package a', 'x/y/b.rego': 'package b', 'README.md': '#', 'x/plan.json': '{}' });
  assert.deepEqual([[...bundle.rego.keys()], bundle.planJson], [['a.rego', 'x/y/b.rego'], undefined]);
});

test('the manifest gives the module its entrypoints, with or without outer slashes', () => {
  const manifest = {
    wasm: [
      { entrypoint: 'a/allow', module: '/policy.wasm' },
      { entrypoint: '/b/allow/', module: 'policy.wasm' },
    ],
  };
  const bundle = bundleOf({ '.manifest': JSON.stringify(manifest), 'policy.wasm': 'x' });
  assert.deepEqual(bundle.module?.entrypoints, ['a/allow', 'b/allow']);
});

test('what OPA may add to a manifest is no fault', () => {
  const manifest = {
    revision: 'r',
    rego_version: 1,
    file_rego_versions: { 'a/*': 0 },
    metadata: { team: 'x' },
    future: true,
  };
  const bundle = bundleOf({ '.manifest': JSON.stringify(manifest) });
  assert.deepEqual([bundle.revision, bundle.manifest.regoVersion, bundle.manifest.metadata], ['r', 1, { team: 'x' }]);
});

const MANIFESTS: Readonly<Record<string, RegExp>> = {
  '': /\.manifest: empty; write \{\}/,
  '{"revision":"a",}': /\.manifest: not JSON/,
  '[]': /the document/,
  null: /the document/,
  '{"revision":1}': /revision/,
  '{"roots":"a"}': /roots/,
  '{"roots":[]}': /roots/,
  '{"roots":[1]}': /roots\.0/,
  '{"roots":["a","a/b"]}': /the root "a\/b" overlaps/,
  '{"roots":["a","/a/"]}': /overlaps/,
  '{"roots":["","a"]}': /overlaps/,
  '{"wasm":[{"entrypoint":"a"}]}': /wasm\.0\.module/,
  '{"wasm":[{"entrypoint":"","module":"policy.wasm"}]}': /wasm\.0\.entrypoint/,
  '{"roots":["a"],"wasm":[{"entrypoint":"ab/c","module":"policy.wasm"}]}':
    /"ab\/c" lies outside the roots "a"; add its root/,
  '{"rego_version":2}': /rego_version/,
};
for (const [manifest, detail] of Object.entries(MANIFESTS)) {
  test(`the manifest ${manifest} is refused`, () => {
    const fault = faultOf({ '.manifest': manifest, 'policy.wasm': 'x' });
    assert.match(fault, /^manifest_invalid: /);
    assert.match(fault, detail);
  });
}

test('roots that only share a prefix do not overlap', () => {
  assert.deepEqual(bundleOf({ '.manifest': '{"roots":["a/b","a/bc"]}' }).manifest.roots, ['a/b', 'a/bc']);
});

test('only one module, and only as policy.wasm at the top', () => {
  assert.match(faultOf({ 'policy.wasm': 'x', 'a/policy.wasm': 'y' }), /^module_refused: two modules/);
  assert.match(faultOf({ 'other.wasm': 'x' }), /^module_refused: the module is "other\.wasm"; only policy\.wasm/);
  const named = JSON.stringify({ wasm: [{ entrypoint: 'a', module: '/other.wasm' }] });
  assert.match(
    faultOf({ '.manifest': named, 'policy.wasm': 'x' }),
    /^module_refused: the manifest names the module "other\.wasm"/,
  );
  const missing = JSON.stringify({ wasm: [{ entrypoint: 'a', module: '/policy.wasm' }] });
  assert.match(faultOf({ '.manifest': missing }), /^module_refused/);
});

test('a signed bundle is refused while there is no key to verify it with', () => {
  assert.match(faultOf({ '.signatures.json': '{}', 'policy.wasm': 'x' }), /^signature_unexpected: .*configure the key/);
});

test('a delta bundle is refused by name where a whole one is needed, wherever its file stands', () => {
  assert.match(faultOf({ 'patch.json': '{"data":[]}' }), /^delta_unexpected: /);
  assert.match(faultOf({ 'a/patch.json': '{"data":[]}' }), /^delta_unexpected: "a\/patch\.json".*rename the file/);
});

test('files that are not UTF-8 where text is needed are refused', () => {
  const codes = ['.manifest', 'data.json', 'data.yaml'].map((path) => {
    const bundle = bundleFromFiles(new Map([[path, Uint8Array.of(0xff, 0xfe)]]));
    return bundle.ok ? 'read' : bundle.error.code;
  });
  assert.deepEqual(codes, ['manifest_invalid', 'data_invalid', 'data_invalid']);
});

test('a folder is held to the same names and bounds as an archive', () => {
  const small = { ...DEFAULT_BUNDLE_LIMITS, members: 2, memberBytes: 10, totalBytes: 15 };
  const code = (entries: Readonly<Record<string, string>>) => {
    const bundle = bundleFromFiles(filesOf(entries), { limits: small });
    return bundle.ok ? 'read' : bundle.error.code;
  };
  assert.equal(code({ '../a.rego': '' }), 'name_refused');
  assert.equal(code({ '/a.rego': '' }), 'name_refused');
  assert.equal(code({ a: '', b: '', c: '' }), 'too_large');
  assert.equal(code({ a: 'x'.repeat(11) }), 'too_large');
  assert.equal(code({ a: 'x'.repeat(8), b: 'x'.repeat(8) }), 'too_large');
  assert.equal(code({ a: 'x'.repeat(10), b: 'x'.repeat(5) }), 'read');
});
