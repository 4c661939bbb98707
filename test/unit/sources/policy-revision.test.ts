import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createPolicyCompiler } from '../../../src/app/policy-compiler.ts';
import { bundleFromFiles } from '../../../src/core/bundle/bundle.ts';
import { err, ok } from '../../../src/core/kernel/result.ts';
import { revisionOf } from '../../../src/io/sources/policy-revision.ts';

import type { Bundle } from '../../../src/core/bundle/bundle.ts';
import type { PolicyFiles } from '../../../src/io/sources/policy-revision.ts';

const REGO = 'package p\n\nq := data.d\n';

function bundleOf(files: Readonly<Record<string, string>>): Bundle {
  const bundle = bundleFromFiles(new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)])));
  assert.ok(bundle.ok, bundle.ok ? '' : bundle.error.detail);
  return bundle.value;
}

const noCompiler = () => Promise.resolve(err(['no compiler']));

/** What a compiler is given, as texts. */
async function compiled(bundle: Bundle): Promise<Readonly<Record<string, string>>> {
  let seen: PolicyFiles = new Map();
  const revision = await revisionOf({ bundle, descriptors: undefined, name: 'n', where: '/b' }, (files) => {
    seen = files;
    return Promise.resolve(ok({ policyWasm: new Uint8Array(), planJson: '{}', dataJson: '{}' }));
  });
  assert.ok(revision.ok);
  return Object.fromEntries(Array.from(seen, ([path, bytes]) => [path, Buffer.from(bytes).toString()]));
}

test('a compiler gets the data as they were read and verified, in one JSON document, and everything else as it stands', async () => {
  const bundle = bundleOf({
    'p/p.rego': REGO,
    'd/data.yaml': 'a: yes\nn: 12345678901234567890\n',
    'd/e/data.yml': 'b: 0o17\n',
    'data.json': '{"x": 1, "x": 2}',
  });
  assert.deepEqual(await compiled(bundle), {
    'p/p.rego': REGO,
    'data.json': '{"d":{"a":"yes","n":12345678901234567890,"e":{"b":15}},"x":2}',
  });
});

test('a compiler gets a manifest without keys that stand twice: Go would join what the two say', async () => {
  const manifest =
    '{"metadata": {"a": 1}, "file_rego_versions": {"/p/p.rego": 0}, "metadata": {}, "file_rego_versions": {}}';
  const seen = await compiled(bundleOf({ 'p/p.rego': REGO, '.manifest': manifest }));
  assert.equal(seen['.manifest'], '{"file_rego_versions":{},"metadata":{}}');
});

test("OPA's compiler finds the data in what it is given, also below roots", async (context) => {
  const compiler = createPolicyCompiler('p/q');
  context.after(() => compiler.stop());
  const bundle = bundleOf({ 'p/p.rego': REGO, 'd/data.yaml': 'a: no\n', '.manifest': '{"roots": ["p", "d"]}' });
  const revision = await revisionOf({ bundle, descriptors: undefined, name: 'n', where: '/b' }, compiler.compile);
  assert.ok(revision.ok);
  assert.deepEqual(revision.value.data, { d: { a: 'no' } });
});

test('a delivered module needs no compiler, and a bundle with neither is refused', async () => {
  const parts = { descriptors: undefined, name: 'n', where: '/b' };
  const delivered = await revisionOf(
    { ...parts, bundle: bundleOf({ 'policy.wasm': 'module', 'p/p.rego': REGO }) },
    noCompiler,
  );
  assert.ok(delivered.ok);
  assert.equal(Buffer.from(delivered.value.wasm).toString(), 'module');
  assert.deepEqual(await revisionOf({ ...parts, bundle: bundleOf({ 'data.json': '{}' }) }, noCompiler), {
    ok: false,
    error: ['/b: holds neither policy.wasm nor Rego'],
  });
});
