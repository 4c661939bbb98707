import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { createCacheKey, createProjection } from '../../../src/core/policy/projection.ts';
import { ReadNode } from '../../../src/core/policy/read-set.ts';

const KEYS = ['a', 'b', '0', '1', "'1:a", '', '"', '__proto__', 'constructor', '\u2028'] as const;
const rarely = fc.integer({ min: 0, max: 4 }).map((n) => n === 0);

/** What a policy may read, at random: whole parts, keys, scalars, constant and unknown keys. */
const reads: fc.Arbitrary<ReadNode> = fc.letrec<{ node: ReadNode }>((tie) => {
  const flags = fc.record({ whole: rarely, keys: rarely, value: fc.boolean() });
  const leaf = flags.map((own) => Object.assign(new ReadNode(), own));
  const children = fc.array(fc.tuple(fc.constantFrom(...KEYS), tie('node')), { minLength: 1, maxLength: 3 });
  const branch = fc.tuple(leaf, children, fc.option(leaf, { nil: undefined, freq: 1 })).map(([node, below, every]) => {
    for (const [key, child] of below) node.children.set(key, child);
    if (every !== undefined) node.every = every;
    return node;
  });
  return { node: fc.oneof({ maxDepth: 3 }, leaf, branch) };
}).node;

/** Texts that look like what stands around them in a key. */
const text = fc.constantFrom(
  '',
  'a',
  "'",
  "'1:a",
  '1:a',
  '",',
  'null',
  '1',
  '0',
  ']',
  '[',
  '}',
  '{"a":1}',
  "a,'1:a",
  '\ud800',
  'é',
);
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    text,
    fc.constantFrom<unknown>(0, -0, 1, 10, true, false, null, undefined),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie('value'), { maxKeys: 3 }),
  ),
})).value;
const document = fc.dictionary(fc.constantFrom(...KEYS), value, { maxKeys: 4 });

test('two inputs of one key are one text to the policy, and two of one text have one key', () => {
  fc.assert(
    fc.property(reads, document, document, (node, a, b) => {
      const [key, project] = [createCacheKey(node), createProjection(node)];
      assert.equal(key(a) === key(b), project(a) === project(b), `${key(a)}\n${key(b)}\n${project(a)}\n${project(b)}`);
      assert.equal(key(a), key(structuredClone(a)));
    }),
    { numRuns: 2_000 },
  );
});

/** `Function` under `--disallow-code-generation-from-strings`. */
function forbidden(): never {
  throw new EvalError('Code generation from strings disallowed for this context');
}

test('what is written does not depend on code from text: a process that forbids it gets the same', () => {
  const real = globalThis.Function;
  fc.assert(
    fc.property(reads, document, (node, input) => {
      const [key, project] = [createCacheKey(node)(input), createProjection(node)(input)];
      globalThis.Function = forbidden as unknown as FunctionConstructor;
      try {
        assert.equal(createCacheKey(node)(input), key);
        assert.equal(createProjection(node)(input), project);
      } finally {
        globalThis.Function = real;
      }
    }),
    { numRuns: 500 },
  );
});

test('keys that are code in a language of programs are only keys', () => {
  const node = new ReadNode();
  const hostile = [
    '"];globalThis.hacked=1;["',
    '\\"+alert()//',
    '`${1}`',
    '\u2028',
    '*/',
    '\n}',
    '__proto__',
    'toString',
  ];
  for (const key of hostile) node.child(key).whole = true;
  const input = Object.fromEntries(hostile.map((key, index) => [key, index]));
  assert.equal(createProjection(node)(input), JSON.stringify(input));
  assert.equal(createProjection(node)({}), '{}');
  assert.equal('hacked' in globalThis, false);
});

test('a key says where a text ends: no text can be taken for its neighbours', () => {
  const node = Object.assign(new ReadNode(), { whole: false });
  for (const name of ['a', 'b']) node.children.set(name, Object.assign(new ReadNode(), { whole: true }));
  const key = createCacheKey(node);
  assert.notEqual(key({ a: `x,"b":'1:y`, b: 'z' }), key({ a: 'x', b: 'y' }));
  assert.notEqual(key({ a: '1' }), key({ a: 1 }));
  assert.notEqual(key({ a: 'null' }), key({ a: null }));
  assert.notEqual(key({ a: ['x', 'y'] }), key({ a: ["x,'1:y"] }));
  assert.notEqual(key({ a: ['x'] }), key({ a: 'x' }));
});
