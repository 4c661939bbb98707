import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { memberName, utf8 } from '../../../src/core/bundle/member-name.ts';

const READ = {
  'policy.wasm': 'policy.wasm',
  '/policy.wasm': 'policy.wasm',
  './a/b': 'a/b',
  '.manifest': '.manifest',
  '/.manifest': '.manifest',
  '..data/x': '..data/x',
  'a/..b/c...d': 'a/..b/c...d',
  'ü/日 本.rego': 'ü/日 本.rego',
};
for (const [written, name] of Object.entries(READ)) {
  test(`${JSON.stringify(written)} is ${name}`, () => assert.equal(memberName(written), name));
}

test('property: a name that is read is its own reading, and never leaves the bundle', () => {
  const unit = fc.constantFrom('a', '.', '/', '\\', '\0', '\n', 'ü', ' ');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 20 }), (text) => {
      const name = memberName(text);
      if (name === undefined) return;
      assert.equal(memberName(name), name);
      const path = new URL(name.split('/').map(encodeURIComponent).join('/'), 'file:///bundle/root/').pathname;
      assert.ok(path.startsWith('/bundle/root/'), path);
    }),
    { numRuns: 2_000 },
  );
});

test('UTF-8 is read strictly: cut characters, surrogates and over-long forms are none', () => {
  assert.equal(utf8(Buffer.from('aü日🚪')), 'aü日🚪');
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]]) {
    assert.equal(utf8(Uint8Array.from(bytes)), undefined);
  }
});

test('a byte order mark is a character like any other: it is not dropped in silence', () => {
  assert.equal(utf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa');
});
