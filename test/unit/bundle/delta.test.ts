import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { applyDelta } from '../../../src/core/bundle/apply-delta.ts';
import { bundleFromFiles, readBundle } from '../../../src/core/bundle/bundle.ts';
import { readUpdate } from '../../../src/core/bundle/delta.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../../../src/core/bundle/limits.ts';
import { checkSequence, sequenceState } from '../../../src/core/bundle/sequence.ts';
import { packBundle, signedFiles, tiedManifest } from '../../../src/core/bundle/write-bundle.ts';
import { createBundleKeys } from '../../support/bundle-keys.ts';

import type { Bundle } from '../../../src/core/bundle/bundle.ts';
import type { DeltaBundle } from '../../../src/core/bundle/delta.ts';
import type { BundleFault } from '../../../src/core/bundle/fault.ts';
import type { Result } from '../../../src/core/kernel/result.ts';

type Texts = Readonly<Record<string, string>>;

function filesOf(texts: Texts): Map<string, Uint8Array> {
  return new Map(Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)]));
}

function told(result: Result<unknown, BundleFault>): string {
  return result.ok ? 'read' : `${result.error.code}: ${result.error.detail}`;
}

function snapshotOf(data: string, texts: Texts = {}): Bundle {
  const bundle = bundleFromFiles(filesOf({ 'data.json': data, 'a.rego': 'package a', ...texts }));
  return bundle.ok ? bundle.value : assert.fail(bundle.error.detail);
}

function readDelta(texts: Texts): Result<DeltaBundle, BundleFault> {
  const update = readUpdate(packBundle(filesOf(texts)));
  if (!update.ok) return update;
  return update.value.kind === 'delta' ? { ok: true, value: update.value.delta } : assert.fail('a whole bundle');
}

function applied(
  data: string,
  operations: readonly object[] | string,
  manifest?: string,
  own?: string,
): Result<Bundle, BundleFault> {
  const patch = typeof operations === 'string' ? operations : JSON.stringify({ data: operations });
  const delta = readDelta({ 'patch.json': patch, ...(manifest !== undefined && { '.manifest': manifest }) });
  return delta.ok ? applyDelta(snapshotOf(data, own === undefined ? {} : { '.manifest': own }), delta.value) : delta;
}

function dataAfter(data: string, ...operations: readonly object[]): string {
  const bundle = applied(data, operations);
  return bundle.ok ? bundle.value.dataJson : told(bundle);
}

test('OPA, delta bundles: upsert sets, makes parents, inserts into arrays and appends', () => {
  assert.equal(dataAfter('{"a":1}', { op: 'upsert', path: '/b', value: 2 }), '{"a":1,"b":2}');
  assert.equal(dataAfter('{"a":1}', { op: 'upsert', path: 'a', value: null }), '{"a":null}');
  assert.equal(dataAfter('{}', { op: 'upsert', path: '/x/y/z', value: [] }), '{"x":{"y":{"z":[]}}}');
  assert.equal(dataAfter('{"l":[1,2]}', { op: 'upsert', path: '/l/0', value: 0 }), '{"l":[0,1,2]}');
  assert.equal(dataAfter('{"l":[1,2]}', { op: 'upsert', path: '/l/2', value: 3 }), '{"l":[1,2,3]}');
  assert.equal(dataAfter('{"l":[1,2]}', { op: 'upsert', path: '/l/-', value: 3 }), '{"l":[1,2,3]}');
  assert.equal(dataAfter('{"l":[{}]}', { op: 'upsert', path: '/l/0/x/y', value: 1 }), '{"l":[{"x":{"y":1}}]}');
});

test('OPA, delta bundles: replace and remove need what they change', () => {
  assert.equal(dataAfter('{"a":{"b":1}}', { op: 'replace', path: '/a/b', value: { c: 2 } }), '{"a":{"b":{"c":2}}}');
  assert.equal(dataAfter('{"l":[1,2]}', { op: 'replace', path: '/l/1', value: 9 }), '{"l":[1,9]}');
  assert.equal(dataAfter('{"a":1,"b":2}', { op: 'remove', path: '/a' }), '{"b":2}');
  assert.equal(dataAfter('{"l":[1,2,3]}', { op: 'remove', path: '/l/1' }), '{"l":[1,3]}');
  assert.equal(dataAfter('{"a":1}', { op: 'replace', path: '/', value: { b: 1 } }), '{"b":1}');
  for (const [op, path] of [
    ['replace', '/b'],
    ['remove', '/b'],
    ['remove', '/a/b'],
    ['replace', '/l/2'],
    ['remove', '/l/-'],
    ['replace', '/l/01'],
    ['remove', '/l/x'],
    ['upsert', '/l/4'],
    ['upsert', '/l/9/x'],
    ['upsert', '/a/b'],
    ['upsert', '/a/b/c'],
    ['replace', '/toString'],
    ['remove', '/a/length'],
    ['remove', ''],
  ] as const)
    assert.match(
      dataAfter('{"a":1,"l":[1,2]}', { op, path, value: 1 }),
      /^delta_target_missing: patch\.json: data\.0: .*deliver a whole bundle$/,
      `${op} ${path}`,
    );
  assert.match(dataAfter('{}', { op: 'replace', path: '/', value: [] }), /^delta_target_missing: .*must be an object/);
});

test('operations are applied one after another, and all or none', () => {
  assert.equal(
    dataAfter(
      '{"a":1}',
      { op: 'upsert', path: '/b/c', value: 1 },
      { op: 'replace', path: '/b/c', value: 2 },
      { op: 'remove', path: '/a' },
    ),
    '{"b":{"c":2}}',
  );
  const snapshot = snapshotOf('{"a":{"b":[1]}}');
  const delta = readDelta({
    'patch.json': '{"data":[{"op":"upsert","path":"/a/b/0","value":9},{"op":"remove","path":"/gone"}]}',
  });
  assert.ok(delta.ok);
  assert.match(told(applyDelta(snapshot, delta.value)), /^delta_target_missing: patch\.json: data\.1: data\.gone/);
  assert.equal(snapshot.dataJson, '{"a":{"b":[1]}}');
});

test('RFC 6901: ~1 and ~0 are / and ~, and percent escapes are resolved as in OPA', () => {
  assert.equal(
    dataAfter(
      '{"a/b":1,"c~d":2,"~1":3}',
      { op: 'remove', path: '/a~1b' },
      { op: 'remove', path: '/c~0d' },
      { op: 'remove', path: '/~01' },
    ),
    '{}',
  );
  assert.equal(
    dataAfter('{"é x":1,"a/b":2}', { op: 'remove', path: '/%C3%A9%20x' }, { op: 'remove', path: 'a%2Fb' }),
    '{}',
  );
  assert.equal(dataAfter('{"a":{"":{"b":1}}}', { op: 'remove', path: '/a//b/' }), '{"a":{"":{}}}');
});

test('every key is a key: __proto__ changes no object of ours', () => {
  assert.equal(
    dataAfter(
      '{}',
      { op: 'upsert', path: '/__proto__/polluted', value: 1 },
      { op: 'upsert', path: '/constructor', value: 2 },
    ),
    '{"__proto__":{"polluted":1},"constructor":2}',
  );
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('numbers keep every digit, in the data and in the values', () => {
  const bundle = applied(
    '{"big":12345678901234567890}',
    '{"data":[{"op":"upsert","path":"/n","value":{"x":0.1234567890123456789}}]}',
  );
  assert.equal(bundle.ok && bundle.value.dataJson, '{"big":12345678901234567890,"n":{"x":0.1234567890123456789}}');
});

test('an empty list would wipe all data in OPA: refused by name', () => {
  assert.match(told(readDelta({ 'patch.json': '{"data":[]}' })), /^delta_empty: .*wipe everything/);
});

const PATCHES: Readonly<Record<string, RegExp>> = {
  '': /patch\.json: empty/,
  '{"data":[{}]}': /data\.0\.op/,
  '{}': /patch\.json: data/,
  '[]': /the document/,
  '{"data":[{"op":"add","path":"/a","value":1}]}': /data\.0\.op/,
  '{"data":[{"op":"upsert","value":1}]}': /data\.0\.path/,
  '{"data":[{"op":"upsert","path":"/a"}]}': /data\.0: upsert of "\/a" has no value/,
  '{"data":[{"op":"remove","path":"/%zz"}]}': /data\.0: .*percent sign/,
  '{"data":[{"op":"remove","path":"/%ff"}]}': /data\.0: .*percent sign/,
  '{"data":[{"op":"upsert","path":"/a","value":{"\\ud800":1,"\\ud801":2}}]}': /lone surrogates/,
  [`{"data":[{"op":"remove","path":"${'/a'.repeat(65)}"}]}`]: /deeper than 64/,
  [`{"data":[${'{"op":"remove","path":"/a"},'.repeat(10_000)}{"op":"remove","path":"/a"}]}`]: /data: /,
  '{"data":[]}x': /not JSON/,
};
for (const [patch, detail] of Object.entries(PATCHES)) {
  test(`a delta that is refused: ${patch.slice(0, 70)}`, () => {
    assert.match(told(readDelta({ 'patch.json': patch })), /^delta_invalid: patch\.json/);
    assert.match(told(readDelta({ 'patch.json': patch })), detail);
  });
}

const readPath = (path: string, roots = ['a/b', 'c']) =>
  told(
    readDelta({
      '.manifest': JSON.stringify({ roots }),
      'patch.json': JSON.stringify({ data: [{ op: 'remove', path }] }),
    }),
  );

test('paths must lie inside the roots, whole segments of them', () => {
  for (const path of ['/a/b', '/a/b/x', '/c', 'c/x', '/a/%62']) assert.equal(readPath(path), 'read');
  for (const path of ['/', '', '/a', '/a/bc', '/a~1b', '/a%2Fb', '/d', '/cx'])
    assert.match(readPath(path), /^delta_invalid: .*outside the roots "a\/b", "c"/, path);
});

test('a delta holds nothing but its patch, manifest and signature', () => {
  for (const path of ['a.rego', 'data.json', 'policy.wasm', 'x/y'])
    assert.match(
      told(readDelta({ 'patch.json': '{"data":[]}', [path]: '' })),
      /^delta_invalid: ".*deliver a whole bundle/,
    );
});

test('readUpdate takes whole bundles too; readBundle no deltas', () => {
  const whole = readUpdate(packBundle(filesOf({ 'data.json': '{"a":1}' })));
  assert.ok(whole.ok && whole.value.kind === 'snapshot');
  assert.equal(whole.value.bundle.dataJson, '{"a":1}');
  assert.match(told(readBundle(packBundle(filesOf({ 'patch.json': '{}' })))), /^delta_unexpected: /);
});

const REMOVE = [{ op: 'remove', path: '/a' }];

test('OPA: roots and module must be those of the bundle in force', () => {
  const roots = '{"roots":["a","b"]}';
  assert.equal(told(applied('{"a":1}', REMOVE, '{"roots":["b","/a/"]}', roots)), 'read');
  assert.match(
    told(applied('{"a":1}', REMOVE, '{"roots":["a"]}', roots)),
    /^delta_not_of_snapshot: .*roots are "a", those in force "a", "b"/,
  );
  assert.match(told(applied('{"a":1}', REMOVE, undefined, roots)), /^delta_not_of_snapshot: /);
  assert.equal(told(applied('{"a":1}', REMOVE, '{}')), 'read');
  const wasm = { wasm: [{ entrypoint: 'a/allow', module: '/policy.wasm' }] };
  const snapshot = snapshotOf('{"a":1}', { '.manifest': JSON.stringify(wasm), 'policy.wasm': 'x' });
  const [without, same] = [{}, wasm].map((manifest) =>
    readDelta({ '.manifest': JSON.stringify(manifest), 'patch.json': JSON.stringify({ data: REMOVE }) }),
  );
  assert.ok(without?.ok && same?.ok);
  assert.match(told(applyDelta(snapshot, without.value)), /^delta_not_of_snapshot: wasm in the delta's \.manifest/);
  assert.equal(told(applyDelta(snapshot, same.value)), 'read');
});

function withSequence(sequence: number | undefined, base?: number): string {
  return JSON.stringify({ revision: `r${sequence}`, metadata: { sallyport: { sequence, base } } });
}

const after = (own: number, sequence: number, base?: number) =>
  told(applied('{"a":1}', REMOVE, withSequence(sequence, base), withSequence(own)));

test('a delta is for the sequence before its own, or for the base it names: none can be left out', () => {
  assert.equal(after(3, 4), 'read');
  assert.equal(after(3, 9, 3), 'read');
  assert.match(after(3, 5), /^delta_not_of_snapshot: .*changes the sequence 4 to 5, and 3 is in force/);
  assert.match(after(3, 9, 4), /^delta_not_of_snapshot: /);
});

test('the bundle after a delta is a bundle: data, revision, sequence, digest; the policy and its plan stay', () => {
  const manifest = tiedManifest({
    manifestJson: '{"revision":"r1","roots":[""],"metadata":{"n":12345678901234567890}}',
    policyWasm: Buffer.from('wasm'),
    planJson: '{"plan":{}}',
    sallyport: { sequence: 1, budget: 500 },
  });
  const snapshot = snapshotOf('{"a":1}', {
    '.manifest': manifest,
    'policy.wasm': 'wasm',
    'plan.json': '{"plan":{}}',
    'x/data.yaml': 'y: 1',
  });
  const delta = readDelta({
    '.manifest': withSequence(2),
    'patch.json': '{"data":[{"op":"replace","path":"/x/y","value":2}]}',
  });
  assert.ok(delta.ok);
  const bundle = applyDelta(snapshot, delta.value);
  assert.ok(bundle.ok, told(bundle));
  const { revision, sequence, budget, planJson, dataJson, module, files } = bundle.value;
  assert.deepEqual(
    [revision, sequence, budget, planJson, dataJson],
    ['r2', 2, 500, '{"plan":{}}', '{"a":1,"x":{"y":2}}'],
  );
  assert.equal(Buffer.from(module?.bytes ?? []).toString(), 'wasm');
  assert.deepEqual([...files.keys()].sort(), ['.manifest', 'a.rego', 'data.json', 'plan.json', 'policy.wasm']);
  assert.notEqual(bundle.value.digest, snapshot.digest);
  const again = bundleFromFiles(files);
  assert.equal(again.ok && again.value.digest, bundle.value.digest);
});

test('a whole bundle of the sequence that a delta led to is the same content', () => {
  const byDelta = applied('{"a":1,"b":2}', REMOVE, withSequence(2), withSequence(1));
  const whole = snapshotOf('{ "b": 2 }', { '.manifest': withSequence(2) });
  assert.ok(byDelta.ok);
  assert.ok(checkSequence(sequenceState(byDelta.value), sequenceState(whole)).ok);
  const other = snapshotOf('{ "b": 3 }', { '.manifest': withSequence(2) });
  assert.match(told(checkSequence(sequenceState(byDelta.value), sequenceState(other))), /^sequence_reused/);
});

test('a delta without sequence, or an older one, does not get past the check of the sequence', () => {
  const snapshot = snapshotOf('{"a":1}', { '.manifest': withSequence(5) });
  for (const [manifest, code] of [
    [withSequence(undefined), 'sequence_missing'],
    [withSequence(4), 'sequence_older'],
    [withSequence(5), 'sequence_reused'],
  ] as const) {
    const bundle = applied('{"a":1}', REMOVE, manifest, withSequence(5));
    assert.ok(bundle.ok);
    assert.match(told(checkSequence(sequenceState(snapshot), sequenceState(bundle.value))), new RegExp(`^${code}`));
  }
});

test('with a verification a delta must be signed as a whole bundle must', () => {
  const keys = createBundleKeys('ES256');
  const verification = { keys: new Map([['k1', keys.verification]]) };
  const plain = filesOf({ 'patch.json': JSON.stringify({ data: REMOVE }) });
  const signed = signedFiles(plain, keys.signing({ keyId: 'k1' }));
  assert.ok(signed.ok);
  const read = (files: ReadonlyMap<string, Uint8Array>, verify = true) =>
    readUpdate(packBundle(files), verify ? { verification } : {});
  assert.match(told(read(plain)), /^signature_missing/);
  assert.match(told(read(signed.value, false)), /^signature_unexpected/);
  const forged = new Map([...signed.value, ['patch.json', Buffer.from('{"data":[{"op":"remove","path":"/b"}]}')]]);
  assert.match(told(read(forged)), /^signature_hash_mismatch: "patch\.json"/);
  const update = read(signed.value);
  assert.ok(update.ok && update.value.kind === 'delta');
  assert.deepEqual(update.value.delta.signer, { keyId: 'k1', algorithm: 'ES256' });
  const bundle = applyDelta(snapshotOf('{"a":1}'), update.value.delta);
  assert.ok(bundle.ok);
  assert.equal(bundle.value.files.has('.signatures.json'), false);
});

test('what a delta makes is bounded as any bundle is', () => {
  const delta = readDelta({
    'patch.json': JSON.stringify({ data: [{ op: 'upsert', path: '/x', value: 'y'.repeat(100) }] }),
  });
  assert.ok(delta.ok);
  const limits = { ...DEFAULT_BUNDLE_LIMITS, memberBytes: 100 };
  assert.match(told(applyDelta(snapshotOf('{}'), delta.value, limits)), /^too_large: "data\.json"/);
  const deep = readDelta({
    'patch.json': JSON.stringify({
      data: Array.from({ length: 6 }, (_, index) => ({
        op: 'upsert',
        path: '/a'.repeat(index * 60 + 1).slice(0, 128),
        value: 1,
      })),
    }),
  });
  assert.match(told(deep.ok ? applyDelta(snapshotOf('{}'), deep.value) : deep), /^delta_/);
});

const key = fc.constantFrom('a', 'b', '__proto__', 'x/y');
const value = fc.jsonValue({ maxDepth: 2 });
const operation = fc.record({
  op: fc.constantFrom('upsert', 'replace', 'remove'),
  path: fc
    .array(fc.oneof(key, fc.constantFrom('0', '1', '-')), { minLength: 1, maxLength: 3 })
    .map((keys) => `/${keys.map((one) => one.replace('/', '~1')).join('/')}`),
  value,
});

test('property: any operations give a bundle or a fault, and never change the snapshot', () => {
  fc.assert(
    fc.property(fc.dictionary(key, value), fc.array(operation, { minLength: 1, maxLength: 5 }), (data, operations) => {
      const snapshot = snapshotOf(JSON.stringify(data));
      const before = snapshot.dataJson;
      const delta = readDelta({ 'patch.json': JSON.stringify({ data: operations }) });
      assert.ok(delta.ok);
      const bundle = applyDelta(snapshot, delta.value);
      if (!bundle.ok) assert.equal(bundle.error.code, 'delta_target_missing');
      assert.equal(snapshot.dataJson, before);
    }),
    { numRuns: 300 },
  );
});

test('property: what was upserted is there, what was removed is not, and the rest is as before', () => {
  fc.assert(
    fc.property(fc.dictionary(key, value), key, value, (data, name, put) => {
      const path = `/${name.replace('/', '~1')}`;
      const after = dataAfter(JSON.stringify(data), { op: 'upsert', path, value: put });
      const rest = Object.entries(data).filter(([own]) => own !== name);
      assert.deepEqual(JSON.parse(after), JSON.parse(JSON.stringify(Object.fromEntries([...rest, [name, put]]))));
      assert.deepEqual(
        JSON.parse(dataAfter(after, { op: 'remove', path })),
        JSON.parse(JSON.stringify(Object.fromEntries(rest))),
      );
    }),
    { numRuns: 300 },
  );
});
