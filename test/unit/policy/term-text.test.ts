import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../src/core/policy/builtin.ts';
import type { Builtin } from '../../../src/core/policy/builtin.ts';
import { HOST_BUILTINS } from '../../../src/core/policy/builtins/table.ts';
import { parseTerm, termText } from '../../../src/core/policy/term-text.ts';
import { sameTerm } from '../../../src/core/policy/term-order.ts';
import { NULL, arr, bool, num, str } from '../../../src/core/policy/term.ts';
import type { Term } from '../../../src/core/policy/term.ts';
import type { LoadedPolicy } from '../../../src/core/policy/host.ts';
import { ENTRYPOINT, loadRules } from '../../support/policy-host.ts';

const terms: fc.Arbitrary<Term> = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(NULL, bool(true), bool(false)),
    fc.integer().map(num),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => num(JSON.stringify(value))),
    fc.string({ unit: 'grapheme', maxLength: 8 }).map(str),
    fc.array(tie('term'), { maxLength: 4 }).map(arr),
    fc.array(tie('term'), { maxLength: 4 }).map((items): Term => ({ kind: 'set', items })),
    fc
      .array(fc.tuple(tie('term'), tie('term')), { maxLength: 4 })
      .map((entries): Term => ({ kind: 'object', entries })),
  ),
})).term;

/** What `opa_value_dump` would write: as `termText`, with a space after colons and commas. */
function dumped(term: Term): string {
  switch (term.kind) {
    case 'array':
      return `[${term.items.map(dumped).join(', ')}]`;
    case 'set':
      return term.items.length === 0 ? 'set()' : `{${term.items.map(dumped).join(', ')}}`;
    case 'object':
      return `{${term.entries.map(([key, value]) => `${dumped(key)}: ${dumped(value)}`).join(', ')}}`;
    case 'null':
    case 'boolean':
    case 'number':
    case 'string':
      return termText(term);
    default:
      return term satisfies never;
  }
}

test('every value is read as it was dumped', () => {
  fc.assert(fc.property(terms, (term) => assert.deepEqual(parseTerm(dumped(term)), term)));
});

test('what tells sets, objects and the empty ones apart', () => {
  assert.deepEqual(parseTerm('{}'), { kind: 'object', entries: [] });
  assert.deepEqual(parseTerm('set()'), { kind: 'set', items: [] });
  assert.deepEqual(parseTerm('{{}}'), { kind: 'set', items: [{ kind: 'object', entries: [] }] });
  assert.deepEqual(parseTerm('{"a": {1, 2}}'), {
    kind: 'object',
    entries: [[str('a'), { kind: 'set', items: [num(1), num(2)] }]],
  });
  assert.deepEqual(parseTerm('{[1]: null}'), { kind: 'object', entries: [[arr([num(1)]), NULL]] });
  assert.deepEqual(parseTerm(String.raw`"\u0000\n\" ☃"`), str('\u0000\n" ☃'));
});

const BROKEN = [
  '',
  '[',
  '{',
  '{"a"',
  '{"a": ',
  '{"a": 1, ',
  '[1,2]',
  '[1, ',
  '[1] ',
  'tru',
  'nul',
  'set(',
  '"',
  '"\\"',
  '{1, 2',
  '-',
  'x',
  '{"a":1}',
  '{1: 2, 3}',
];

for (const text of BROKEN) {
  test(`text that no module writes is an error of the built-in, not a crash: ${text}`, () => {
    assert.throws(() => parseTerm(text), BuiltinError);
  });
}

test('random text never throws anything else', () => {
  const alphabet = fc.constantFrom('{', '}', '[', ']', ', ', ': ', '"a"', '1', 'set()', 'null', '\\', '"', ' ');
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 12 }), (parts) => {
      try {
        parseTerm(parts.join(''));
      } catch (problem) {
        assert.ok(problem instanceof BuiltinError || problem instanceof SyntaxError, String(problem));
      }
    }),
  );
});

test('values nested more than 512 deep are refused', () => {
  assert.throws(() => parseTerm('['.repeat(600)), /too deeply/);
  assert.ok(parseTerm(`${'['.repeat(500)}${']'.repeat(500)}`));
});

test('a result with a lone surrogate cannot be given to the module', () => {
  assert.throws(() => termText(arr([str('\ud800')])), BuiltinError);
});

let echo: LoadedPolicy;
let given: Term | undefined;

const keepAndGiveBack: Builtin['call'] = ([value]) => {
  given = value;
  return value ?? NULL;
};

before(async () => {
  const builtins = new Map([
    ...HOST_BUILTINS,
    ['json.patch', { arity: 2, call: keepAndGiveBack } satisfies Builtin] as const,
  ]);
  echo = await loadRules('d := json.patch(input.value, [])', { builtins });
});

test('JSON goes through a host built-in and the module and comes back as it was', () => {
  const values = fc.jsonValue({ maxDepth: 4, noUnicodeString: false, stringUnit: 'grapheme' });
  fc.assert(
    fc.property(values, (value) => {
      const evaluation = echo.query(ENTRYPOINT, { value });
      assert.ok(evaluation.kind === 'defined');
      assert.deepEqual(evaluation.value, JSON.parse(JSON.stringify(value)));
      assert.ok(given !== undefined && sameTerm(given, parseTerm(dumped(given))));
    }),
  );
});
