import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { jsonTerm } from '../../../../src/core/policy/builtins/json-term.ts';
import { termKey } from '../../../../src/core/policy/builtins/term-key.ts';
import { parseTerm } from '../../../../src/core/policy/term-text.ts';
import { NULL, arr, bool, num, str } from '../../../../src/core/policy/term.ts';
import type { Term } from '../../../../src/core/policy/term.ts';
import { ask, call, limited } from '../../../support/builtin-call.ts';

function read(text: string): string {
  return ask('yaml.unmarshal', JSON.stringify(text));
}

function write(text: string): string {
  const written = call('yaml.marshal', [parseTerm(text)]);
  assert.ok(written.kind === 'string');
  return written.value;
}

test('YAML 1.2 words are values; those of YAML 1.1 alone are text', () => {
  assert.equal(
    read('[true, True, ~, null, yes, no, on, off, y, n]'),
    '[true,true,null,null,"yes","no","on","off","y","n"]',
  );
});

test('numbers: bases, octal by a leading zero, underscores, 64 bits, then floats', () => {
  assert.equal(read('[017, 08, 0o17, 0x1F, 0b11, 1_000, +5, .5, 1e3, -0.0]'), '[15,8,15,31,3,1000,5,0.5,1000,-0]');
  assert.equal(read('[18446744073709551615, 18446744073709551616]'), '[18446744073709551615,18446744073709552000]');
  assert.equal(read('[1:30, 1e400, "1", !!str 1, !!float 1]'), '["1:30","1e400","1","1",1]');
  for (const text of ['.inf', '.nan', '!!int x', '!!bool yes', '!!null 1'])
    assert.throws(() => read(text), BuiltinError, text);
});

test('dates are text, as they were written', () => {
  assert.equal(read('[2020-01-01, 2020-13-01]'), '["2020-01-01","2020-13-01"]');
});

test('the first document counts, and all must be sound', () => {
  assert.equal(read('a: 1\n---\nb: 2\n'), '{"a":1}');
  assert.equal(read(''), 'null');
  assert.throws(() => read('a: 1\n---\n{'), BuiltinError);
  assert.throws(() => read('...\n'), BuiltinError);
});

test('of equal keys the last wins, and keys of other kinds are text', () => {
  assert.equal(read('{a: 1, a: 2, 1: x, "1": y, 1.5: z, true: t}'), '{"a":2,"1":"y","1.5":"z","true":"t"}');
  for (const text of ['{~: 1}', '? [1]\n: 2', '? {a: 1}\n: 2']) assert.throws(() => read(text), BuiltinError, text);
});

test('anchors, aliases and merge keys: own keys first, then each merge in order', () => {
  assert.equal(read('a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n'), '{"a":{"k":1,"l":2},"b":{"k":3,"l":2}}');
  assert.equal(
    read('a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc: {<<: [*x, *y]}\n'),
    '{"a":{"k":1},"b":{"k":2,"m":3},"c":{"k":1,"m":3}}',
  );
  for (const text of ['a: *x', '&a [*a]', 'a: &a {<<: *a}', '{<<: 1}'])
    assert.throws(() => read(text), BuiltinError, text);
});

test('a bomb of aliases is refused, and ends the evaluation where steps are short', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let at = 1; at < 9; at += 1)
    lines.push(`a${at}: &a${at} [${Array.from({ length: 9 }, () => `*a${at - 1}`).join(', ')}]`);
  const bomb = str(lines.join('\n'));
  assert.throws(() => call('yaml.unmarshal', [bomb]), /excessive aliasing/);
  assert.throws(() => call('yaml.unmarshal', [bomb], limited(10_000_000)), EvaluationHalt);
});

test('nesting is bounded, and what cannot be read is not valid', () => {
  const deep = '['.repeat(5_000) + ']'.repeat(5_000);
  assert.throws(() => read(deep), /nested deeper/);
  assert.equal(ask('yaml.is_valid', JSON.stringify(deep)), 'false');
  assert.equal(ask('yaml.is_valid', '"a: [1"'), 'false');
  assert.equal(ask('yaml.is_valid', '1'), 'false');
  assert.equal(ask('yaml.is_valid', '"a: 1"'), 'true');
  assert.equal(ask('yaml.is_valid', JSON.stringify('a: \u0007')), 'false');
});

test('text is charged for by its length before it is read', () => {
  assert.throws(() => call('yaml.is_valid', [str('a'.repeat(100_000))], limited(200_000_000)), EvaluationHalt);
});

test('what is written has quotes where it would be read as something else', () => {
  const text = '{"a": ["yes", "1", "", "null", "a: b", "x #y", "- z", "2020-01-01", "plain", "1:30", "<<"]}';
  assert.equal(
    write(text),
    'a:\n  - "yes"\n  - "1"\n  - ""\n  - "null"\n  - \'a: b\'\n  - \'x #y\'\n  - \'- z\'\n  - "2020-01-01"\n  - plain\n  - "1:30"\n  - <<\n',
  );
});

test('lines are a block, other controls are escaped, long keys take the long form', () => {
  assert.equal(
    write('{"a": "x\\ny\\n", "b": " x\\ny", "c": "x \\ny", "d": "\\u0007\\t"}'),
    'a: |\n  x\n  y\nb: |2-\n   x\n  y\nc: "x \\ny"\nd: "\\a\\t"\n',
  );
  assert.equal(write(`{"${'k'.repeat(129)}": [1]}`), `? ${'k'.repeat(129)}\n: - 1\n`);
});

test('keys are in the order of numbers within them; numbers are 64 bits or floats', () => {
  assert.equal(
    write('{"a10": 1, "a9": 1.0, "B": 1e21, "b": 18446744073709551616}'),
    'B: 1e+21\na9: 1\na10: 1\nb: 1.8446744073709552e+19\n',
  );
  assert.equal(write('{1, set(), {}}'), '- 1\n- {}\n- []\n');
});

const leaf: fc.Arbitrary<Term> = fc.oneof(
  fc.constantFrom(NULL, bool(true), bool(false)),
  fc.integer().map(num),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((one) => num(Object.is(one, -0) ? 0 : one)),
  fc.string({ unit: fc.constantFrom(...Array.from('ab1 :-#\n\t"\'\\[]{}&*!|>%@`.~é😀_')), maxLength: 8 }).map(str),
);
const tree: fc.Arbitrary<Term> = fc.letrec<{ tree: Term }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }).map(arr),
    fc
      .dictionary(fc.string({ unit: fc.constantFrom(...Array.from('ab1 :-#\n"?é')), maxLength: 5 }), tie('tree'), {
        maxKeys: 4,
      })
      .map((fields): Term => ({
        kind: 'object',
        entries: Object.entries(fields).map(([key, one]) => [str(key), one] as const),
      })),
  ),
})).tree;

test('what is written is read as the same value', () => {
  fc.assert(
    fc.property(tree, (one) => {
      const text = call('yaml.marshal', [one]);
      assert.equal(
        termKey(call('yaml.unmarshal', [text])),
        termKey(jsonTerm(one)),
        text.kind === 'string' ? text.value : '',
      );
    }),
    { numRuns: 500 },
  );
});
