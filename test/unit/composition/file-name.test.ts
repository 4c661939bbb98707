import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { fileKind } from '../../../src/core/composition/file-name.ts';

test('Rego, tests of it, and data whose name says where it goes', () => {
  assert.deepEqual(fileKind('authz.rego'), { kind: 'rego' });
  assert.deepEqual(fileKind('authz_test.rego'), { kind: 'test' });
  for (const [name, path] of [
    ['data.json', 'data.json'],
    ['data.yaml', 'data.yaml'],
    ['fleet.yml', 'fleet/data.yml'],
    ['data.fleet.json', 'fleet/data.json'],
    ['fleet.segments.yaml', 'fleet/segments/data.yaml'],
  ] as const)
    assert.deepEqual(fileKind(name), { kind: 'data', path });
});

test('what would leave the folder, means something to OPA, or is neither Rego nor data is refused', () => {
  const odd = ['', '.manifest', '.signatures.json', '../x.rego', 'a/b.rego', 'a\\b.rego', '/etc/passwd', 'x\0.rego'];
  const others = [
    'policy.wasm',
    'README',
    'x.REGO',
    'a..json',
    '..json',
    'a b.json',
    '-a.json',
    `${'a'.repeat(260)}.rego`,
  ];
  for (const name of [...odd, ...others]) assert.equal(fileKind(name).kind, 'refused', JSON.stringify(name));
});

test('no name leads anywhere but below the top', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), fc.constantFrom('', '.json', '.yaml', '.rego'), (stem, ending) => {
      const kind = fileKind(`${stem}${ending}`);
      if (kind.kind === 'data') assert.match(kind.path, /^(?:[-\w]+\/)*data\.(?:json|yaml|yml)$/);
    }),
  );
});
