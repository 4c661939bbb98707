import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { bundleFromFiles } from '../../../src/core/bundle/bundle.ts';
import { checkSequence, sequenceState } from '../../../src/core/bundle/sequence.ts';

import type { Bundle } from '../../../src/core/bundle/bundle.ts';

function bundleOf(sallyport: object, entries: Readonly<Record<string, string>> = {}, manifest: object = {}): Bundle {
  const text = JSON.stringify({ ...manifest, metadata: { sallyport } });
  const files = new Map(
    Object.entries({ '.manifest': text, ...entries }).map(([path, content]) => [path, Buffer.from(content)]),
  );
  const bundle = bundleFromFiles(files);
  return bundle.ok ? bundle.value : assert.fail(bundle.error.detail);
}

function verdict(active: Bundle, next: Bundle): string {
  const result = checkSequence(sequenceState(active), sequenceState(next));
  return result.ok ? 'may' : result.error.code;
}

test('a bundle states its sequence in metadata.sallyport; without one there is nothing to hold it to', () => {
  assert.equal(bundleOf({ sequence: 3 }).sequence, 3);
  assert.deepEqual([bundleOf({}).sequence, sequenceState(bundleOf({}))], [undefined, undefined]);
  assert.equal(verdict(bundleOf({}), bundleOf({})), 'may');
  assert.equal(verdict(bundleOf({}), bundleOf({ sequence: 0 })), 'may');
});

test('a newer sequence may replace the one in force, an older one and none may not', () => {
  const [one, two] = [bundleOf({ sequence: 1 }), bundleOf({ sequence: 2 })];
  assert.equal(verdict(one, two), 'may');
  assert.equal(verdict(two, one), 'sequence_older');
  assert.equal(verdict(one, bundleOf({})), 'sequence_missing');
  assert.equal(verdict(one, one), 'may');
});

const state = (sequence: number) => ({ sequence, content: `c${sequence}` });

test('the messages say what is in force, what came and what to do', () => {
  const older = checkSequence(state(9), state(4));
  assert.match(older.ok ? '' : older.error.detail, /sequence 4, the one in force has 9.*with a higher sequence/);
  const missing = checkSequence(state(9), undefined);
  assert.match(missing.ok ? '' : missing.error.detail, /no metadata\.sallyport\.sequence, the one in force has 9/);
});

test('one sequence is one content: data, Rego, entrypoints, roots, budget', () => {
  const base = bundleOf({ sequence: 5 }, { 'data.json': '{"a":1}', 'a.rego': 'package a' });
  const changed: Readonly<Record<string, Bundle>> = {
    data: bundleOf({ sequence: 5 }, { 'data.json': '{"a":2}', 'a.rego': 'package a' }),
    rego: bundleOf({ sequence: 5 }, { 'data.json': '{"a":1}', 'a.rego': 'package b' }),
    name: bundleOf({ sequence: 5 }, { 'data.json': '{"a":1}', 'b.rego': 'package a' }),
    module: bundleOf({ sequence: 5 }, { 'data.json': '{"a":1}', 'a.rego': 'package a', 'policy.wasm': 'x' }),
    roots: bundleOf({ sequence: 5 }, { 'data.json': '{"a":1}', 'a.rego': 'package a' }, { roots: ['a'] }),
    budget: bundleOf({ sequence: 5, budget: 9 }, { 'data.json': '{"a":1}', 'a.rego': 'package a' }),
  };
  for (const [what, bundle] of Object.entries(changed)) assert.equal(verdict(base, bundle), 'sequence_reused', what);
});

test('the same content in another form is the same: spaces, order, files, revision', () => {
  const base = bundleOf({ sequence: 5 }, { 'data.json': '{"a":{"b":1},"c":2}' });
  const other = bundleOf(
    { sequence: 5 },
    { 'data.json': '{ "c": 2 }', 'a/data.json': '{"b":1}', 'README.md': '#' },
    { revision: 'x' },
  );
  assert.notEqual(base.digest, other.digest);
  assert.equal(verdict(base, other), 'may');
});

for (const sequence of ['-1', '1.5', '"1"', 'null', 'true', '9007199254740992', '1e400', '[1]']) {
  test(`the sequence ${sequence} is no sequence`, () => {
    const manifest = `{"metadata":{"sallyport":{"sequence":${sequence}}}}`;
    const bundle = bundleFromFiles(new Map([['.manifest', Buffer.from(manifest)]]));
    assert.match(
      bundle.ok ? 'read' : `${bundle.error.code}: ${bundle.error.detail}`,
      /^manifest_invalid: \.manifest: metadata\.sallyport\.sequence/,
    );
  });
}

test('a misspelt key of metadata.sallyport is refused: it would protect nothing; other metadata is left alone', () => {
  const bundle = bundleFromFiles(new Map([['.manifest', Buffer.from('{"metadata":{"sallyport":{"sequnce":1}}}')]]));
  assert.match(bundle.ok ? 'read' : bundle.error.detail, /metadata\.sallyport: .*sequnce/);
  assert.deepEqual(bundleOf({}, {}, {}).manifest.sallyport, {});
});

test('property: among states with different content exactly the higher sequence may replace the lower', () => {
  const state = fc.record({ sequence: fc.nat(5), content: fc.constantFrom('a', 'b') });
  fc.assert(
    fc.property(state, state, (active, next) => {
      const result = checkSequence(active, next);
      const same = active.sequence === next.sequence && active.content === next.content;
      assert.equal(result.ok, next.sequence > active.sequence || same);
    }),
  );
});
