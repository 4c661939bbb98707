import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { expand } from '../../../src/core/config/expansion.ts';

const ENV = { HOME: '/home/a', EMPTY: '', TRICK: '${HOME}', _1: 'one' };

const EXPANDED = {
  'no reference': 'no reference',
  '${HOME}': '/home/a',
  'a${HOME}b${_1}': 'a/home/abone',
  '${EMPTY}': '',
  '$${HOME}': '${HOME}',
  '$HOME $ {HOME} $': '$HOME $ {HOME} $',
  '${TRICK}': '${HOME}',
};
for (const [text, expected] of Object.entries(EXPANDED)) {
  test(`${text} becomes ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(expand(text, ENV), { ok: true, value: expected });
  });
}

test('a variable that is not set is a fault, and every one is named', () => {
  assert.deepEqual(expand('${A}-${HOME}-${B}', ENV), {
    ok: false,
    error: [
      { expected: 'the environment variable A to be set', found: '${A}' },
      { expected: 'the environment variable B to be set', found: '${B}' },
    ],
  });
});

for (const text of ['${', '${}', '${1A}', '${A-B}', '${A:-x}', '${A B}', '${A']) {
  test(`${text} is no reference and a fault, not a silent text`, () =>
    assert.equal(expand(text, { A: 'a' }).ok, false));
}

test('what every object inherits is no variable', () => {
  assert.equal(expand('${constructor}', {}).ok, false);
  assert.equal(expand('${__proto__}', {}).ok, false);
});

test('property: text without ${ stays as it is; a fault never holds the value of a variable', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      fc.pre(!text.includes('${'));
      assert.deepEqual(expand(text, ENV), { ok: true, value: text });
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.constantFrom('${SECRET}', '${', '}', '$', 'x', '${NO}')), (parts) => {
      const expanded = expand(parts.join(''), { SECRET: 'hunter2' });
      if (!expanded.ok) assert.equal(JSON.stringify(expanded.error).includes('hunter2'), false);
    }),
  );
});
