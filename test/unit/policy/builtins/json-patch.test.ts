import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { termKey } from '../../../../src/core/policy/builtins/term-key.ts';
import { parseTerm } from '../../../../src/core/policy/term-text.ts';
import { arr, num, str } from '../../../../src/core/policy/term.ts';
import type { Term } from '../../../../src/core/policy/term.ts';
import { ask, call, limited } from '../../../support/builtin-call.ts';

function patch(document: string, ...operations: string[]): string {
  return ask('json.patch', document, `[${operations.join(', ')}]`);
}

const CASES: readonly (readonly [string, string, string, string])[] = [
  [
    'RFC 6902 4.1: add puts a member into an object',
    '{"a": 1}',
    '{"op": "add", "path": "/b", "value": 2}',
    '{"a": 1, "b": 2}',
  ],
  [
    'RFC 6902 4.1: add replaces a member that is there',
    '{"a": 1}',
    '{"op": "add", "path": "/a", "value": 2}',
    '{"a": 2}',
  ],
  ['RFC 6902 4.1: add inserts before an element', '[1, 3]', '{"op": "add", "path": "/1", "value": 2}', '[1, 2, 3]'],
  ['RFC 6901 4: - is the place after the last element', '[1]', '{"op": "add", "path": "/-", "value": 2}', '[1, 2]'],
  ['RFC 6902 4.2: remove takes an element away', '[1, 2, 3]', '{"op": "remove", "path": "/1"}', '[1, 3]'],
  ['RFC 6902 4.3: replace', '{"a": [1]}', '{"op": "replace", "path": "/a/0", "value": null}', '{"a": [null]}'],
  ['RFC 6902 4.4: move', '{"a": 1}', '{"from": "/a", "op": "move", "path": "/b"}', '{"b": 1}'],
  ['RFC 6902 4.5: copy', '{"a": [1]}', '{"from": "/a", "op": "copy", "path": "/b"}', '{"a": [1], "b": [1]}'],
  [
    'RFC 6902 4.6: a test that holds changes nothing',
    '{"a": 1.0}',
    '{"op": "test", "path": "/a", "value": 1}',
    '{"a": 1.0}',
  ],
  ['RFC 6901 4: ~1 is /, and ~01 is ~1', '{}', '{"op": "add", "path": "/a~1b~01", "value": 1}', '{"a/b~1": 1}'],
  [
    'OPA: the first slash of a path may be missing',
    '{"a": {}}',
    '{"op": "add", "path": "a/b", "value": 1}',
    '{"a": {"b": 1}}',
  ],
  [
    'OPA: a path may be an array of keys of any type',
    '{"a": {1: 2}}',
    '{"op": "remove", "path": ["a", 1]}',
    '{"a": {}}',
  ],
  ['OPA: the root is replaced', '{"a": 1}', '{"op": "add", "path": "", "value": [1]}', '[1]'],
  ['OPA: a set takes a member under itself', '{1}', '{"op": "add", "path": [2], "value": 2}', '{1, 2}'],
  [
    'OPA: a path leads through the members of a set',
    '{[0], "a"}',
    '{"op": "add", "path": [[0], 1], "value": 1}',
    '{"a", [0, 1]}',
  ],
  [
    'a number keeps its digits',
    '{}',
    '{"op": "add", "path": "/a", "value": 12345678901234567890.10}',
    '{"a": 12345678901234567890.10}',
  ],
];

for (const [title, document, operation, expected] of CASES) {
  test(title, () => assert.equal(termKey(parseTerm(spaced(patch(document, operation)))), termKey(parseTerm(expected))));
}

/** Terms are written without spaces and read with them. */
function spaced(text: string): string {
  return text.replaceAll(/("(?:[^"\\]|\\.)*")|([,:])/g, (whole, quoted?: string) => quoted ?? `${whole} `);
}

test('a patch that cannot be applied is an error, and none of it is', () => {
  const bad: readonly (readonly [string, string])[] = [
    ['{}', '{"op": "remove", "path": "/a"}'],
    ['{}', '{"op": "replace", "path": "/a", "value": 1}'],
    ['{"a": 1}', '{"op": "test", "path": "/a", "value": 2}'],
    ['{"a": 1}', '{"op": "add", "path": "/a/b", "value": 2}'],
    ['[1]', '{"op": "add", "path": "/2", "value": 2}'],
    ['[1]', '{"op": "add", "path": "/01", "value": 2}'],
    ['[1]', '{"op": "add", "path": "/1e0", "value": 2}'],
    ['[1]', '{"op": "remove", "path": "/-"}'],
    ['[1]', '{"op": "remove", "path": "/-1"}'],
    ['{1}', '{"op": "add", "path": [2], "value": 3}'],
    ['{}', '{"op": "add", "path": "/a"}'],
    ['{}', '{"path": "/a", "value": 1}'],
    ['{}', '{"op": "add", "value": 1}'],
    ['{}', '{"op": 1, "path": "/a", "value": 1}'],
    ['{}', '{"op": "fly", "path": "/a", "value": 1}'],
    ['{}', '{"op": "copy", "path": "/a"}'],
    ['{}', '{"op": "remove", "path": ""}'],
    ['{}', '1'],
  ];
  for (const [document, operation] of bad) assert.throws(() => patch(document, operation), BuiltinError, operation);
  assert.throws(() => ask('json.patch', '{}', '{"op": 1}'), BuiltinError);
});

test('OPA: the first step into an element takes the one that stood there before any edit', () => {
  const result = patch(
    '[{"a": 1}, {"b": 2}]',
    '{"op": "remove", "path": "/0"}',
    '{"op": "add", "path": "/0/x", "value": 1}',
  );
  assert.equal(result, '[{"x":1,"a":1}]');
});

test('values of different kinds may be inserted before each other, where OPA 1.22 itself ends', () => {
  const result = patch(
    '[]',
    '{"op": "add", "path": "/-", "value": 1}',
    '{"op": "add", "path": "/-", "value": {}}',
    '{"op": "add", "path": "/0", "value": 5}',
  );
  assert.equal(result, '[5,1,{}]');
});

test('copies of copies are paid for by their size: they end the evaluation, not the process', () => {
  const double = '{"from": "", "op": "copy", "path": "/a"}';
  const started = call('json.patch', [parseTerm('{"a": 1}'), parseTerm(`[${double}]`)]);
  assert.equal(started.kind, 'object');
  const many = parseTerm(
    `[${Array.from({ length: 60 }, (_, at) => `{"from": "", "op": "copy", "path": "/k${at}"}`).join(', ')}]`,
  );
  assert.throws(() => call('json.patch', [parseTerm('{"a": [1, 2, 3]}'), many], limited(200_000_000)), EvaluationHalt);
});

test('nesting is bounded, however it is made', () => {
  const deep = `${'['.repeat(500)}${']'.repeat(500)}`;
  const steps = [
    `{"op": "add", "path": "/a", "value": ${deep}}`,
    `{"op": "add", "path": ["a", ${Array.from({ length: 20 }, () => '0').join(', ')}], "value": ${deep}}`,
  ];
  assert.throws(() => patch('{}', ...steps), /nested too deeply/);
});

const value: fc.Arbitrary<Term> = fc.letrec<{ value: Term }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('a', 'b', '').map(str),
    fc.integer().map(num),
    fc.array(tie('value'), { maxLength: 3 }).map(arr),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value')).map((fields): Term => ({
      kind: 'object',
      entries: Object.entries(fields).map(([key, one]) => [str(key), one] as const),
    })),
  ),
})).value;

function operations(...list: Readonly<Record<string, Term>>[]): Term {
  return arr(
    list.map((fields) => ({
      kind: 'object',
      entries: Object.entries(fields).map(([key, one]) => [str(key), one] as const),
    })),
  );
}

test('adding a new member and removing it gives the same value; test of what was added holds', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('a', 'b'), value), value, (fields, added) => {
      const document: Term = {
        kind: 'object',
        entries: Object.entries(fields).map(([key, one]) => [str(key), one] as const),
      };
      const path = str('/new');
      const list = operations(
        { op: str('add'), path, value: added },
        { op: str('test'), path, value: added },
        { op: str('remove'), path },
      );
      assert.equal(termKey(call('json.patch', [document, list])), termKey(document));
    }),
  );
});

test('a move is a copy and a remove', () => {
  fc.assert(
    fc.property(value, value, (one, other) => {
      const document: Term = {
        kind: 'object',
        entries: [
          [str('from'), one],
          [str('other'), other],
        ],
      };
      const [path, from] = [str('/to'), str('/from')];
      const moved = call('json.patch', [document, operations({ op: str('move'), path, from })]);
      const copied = call('json.patch', [
        document,
        operations({ op: str('copy'), path, from }, { op: str('remove'), path: from }),
      ]);
      assert.equal(termKey(moved), termKey(copied));
    }),
  );
});
