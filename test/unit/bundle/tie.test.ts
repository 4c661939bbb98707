import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { bundleFromFiles, readBundle } from '../../../src/core/bundle/bundle.ts';
import { packBundle, tiedManifest, writeBundle, writeSignedBundle } from '../../../src/core/bundle/write-bundle.ts';
import { createBundleKeys } from '../../support/bundle-keys.ts';

import type { BundleParts } from '../../../src/core/bundle/write-bundle.ts';

const WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const PARTS: BundleParts = { manifestJson: '{"revision":"r","roots":[""]}', policyWasm: WASM, planJson: '{"plan":{}}' };

function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

function filesOf(parts: BundleParts = PARTS): Map<string, Uint8Array> {
  const bundle = readBundle(writeBundle(parts));
  return bundle.ok ? new Map(bundle.value.files) : assert.fail(bundle.error.detail);
}

function judged(files: ReadonlyMap<string, Uint8Array>): string {
  const bundle = bundleFromFiles(files);
  return bundle.ok ? `plan ${bundle.value.planJson}` : `${bundle.error.code}: ${bundle.error.detail}`;
}

test('module and plan that are written together are tied by their hashes, and the plan is believed', () => {
  const files = filesOf();
  assert.deepEqual(JSON.parse(Buffer.from(files.get('.manifest') ?? '').toString()), {
    revision: 'r',
    roots: [''],
    metadata: { sallyport: { wasm_sha256: sha256(WASM), plan_sha256: sha256('{"plan":{}}') } },
  });
  assert.equal(judged(files), 'plan {"plan":{}}');
});

test('a module, plan or tie that is another one is refused, as is a plan that is gone', () => {
  const other = writeBundle({ ...PARTS, planJson: '{"plan":1}' });
  const otherManifest = readBundle(other);
  assert.ok(otherManifest.ok);
  const changes: Readonly<Record<string, readonly [string, Uint8Array | undefined]>> = {
    'policy.wasm is not the one': ['policy.wasm', Buffer.from('x')],
    'plan.json is not the one': ['plan.json', Buffer.from('{"plan":1}')],
    'plan.json is not there': ['plan.json', undefined],
    'plan.json is not the one that .manifest names': ['.manifest', otherManifest.value.files.get('.manifest')],
  };
  for (const [what, [path, content]] of Object.entries(changes)) {
    const files = filesOf();
    if (content === undefined) files.delete(path);
    else files.set(path, content);
    assert.match(judged(files), /^plan_not_of_module: .*build the bundle again/);
    assert.ok(judged(files).includes(what), `${what}: ${judged(files)}`);
  }
});

test('a plan without a tie, or with half of one, is not believed: whole inputs are used', () => {
  for (const sallyport of [{}, { wasm_sha256: sha256(WASM) }, { plan_sha256: sha256('{"plan":{}}') }]) {
    const files = filesOf().set('.manifest', Buffer.from(JSON.stringify({ metadata: { sallyport } })));
    assert.equal(judged(files), 'plan undefined');
  }
  assert.equal(judged(new Map([['plan.json', Buffer.from('{')]])), 'plan undefined');
});

test('a tie without a module says nothing: the Rego is compiled again', () => {
  const files = filesOf();
  files.delete('policy.wasm');
  files.set('a.rego', Buffer.from('package a'));
  assert.equal(judged(files), 'plan undefined');
});

test('a hash that is none is a mistake in the manifest', () => {
  const files = filesOf().set('.manifest', Buffer.from('{"metadata":{"sallyport":{"wasm_sha256":"AB"}}}'));
  assert.match(judged(files), /^manifest_invalid: \.manifest: metadata\.sallyport\.wasm_sha256/);
});

test('sequence, budget and compiler are added; what the manifest says otherwise stays, with every digit', () => {
  const manifestJson = '{"revision":"r","metadata":{"n":12345678901234567890,"sallyport":{"budget":5,"sequence":1}}}';
  const text = tiedManifest({ manifestJson, sallyport: { sequence: 2, compiler: 'opa 1.22.0', budget: undefined } });
  assert.equal(
    text,
    '{"revision":"r","metadata":{"n":12345678901234567890,"sallyport":{"budget":5,"sequence":2,"compiler":"opa 1.22.0"}}}',
  );
  const bundle = readBundle(writeBundle({ manifestJson: text }));
  assert.ok(bundle.ok);
  assert.deepEqual([bundle.value.sequence, bundle.value.budget], [2, 5]);
});

test('a manifest to which nothing is added is written as it is', () => {
  for (const manifestJson of ['{ "revision" : "r" }', '{}', '[]'])
    assert.equal(tiedManifest({ manifestJson }), manifestJson);
});

for (const budget of [0, -1, 1.5, '10', 2 ** 53]) {
  test(`the budget ${JSON.stringify(budget)} is none`, () => {
    const files = new Map([['.manifest', Buffer.from(JSON.stringify({ metadata: { sallyport: { budget } } }))]]);
    assert.match(judged(files), /^manifest_invalid: \.manifest: metadata\.sallyport\.budget/);
  });
}

test('the same parts are the same bytes, signed with HS and RS keys too', () => {
  assert.deepEqual(writeBundle(PARTS), writeBundle({ ...PARTS }));
  for (const algorithm of ['HS512', 'RS256'] as const) {
    const key = createBundleKeys(algorithm).signing({ keyId: 'k', scope: 's', claims: { iss: 'x' } });
    assert.deepEqual(writeSignedBundle(PARTS, key), writeSignedBundle({ ...PARTS }, key));
  }
});

test('a bundle that cannot be signed is a fault, not half a bundle', () => {
  const signed = writeSignedBundle({ ...PARTS, dataJson: '{' }, createBundleKeys('HS256').signing());
  assert.equal(signed.ok ? 'signed' : signed.error.code, 'data_invalid');
});

test('packing keeps every file', () => {
  const files = filesOf();
  const bundle = readBundle(packBundle(files));
  assert.ok(bundle.ok);
  assert.deepEqual([...bundle.value.files.keys()].sort(), [...files.keys()].sort());
});
