import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { AnswerBook, recordedTime } from '../../../src/core/policy/answer-book.ts';
import type { NondeterministicAnswers } from '../../../src/core/policy/answer-book.ts';
import { goJson } from '../../../src/core/policy/builtins/go-json.ts';
import { jsonTerm } from '../../../src/core/policy/builtins/json-term.ts';
import { parseTerm } from '../../../src/core/policy/term-text.ts';
import { num, str } from '../../../src/core/policy/term.ts';
import { ENTRYPOINT, countingRandom, loadRules } from '../../support/policy-host.ts';

function fail(): never {
  throw new Error('no');
}

function never(): never {
  assert.fail('asked');
}

const TIME_RULE = 'd := {"now": [time.now_ns(), time.now_ns()], "then": time.parse_rfc3339_ns("1970-01-01T00:00:01Z")}';

test('one answer for the same arguments within one decision, another for others', () => {
  const book = new AnswerBook();
  let asked = 0;
  const ask = (): string => `${(asked += 1)}`;
  assert.deepEqual([book.answer('f', [num(1)], ask), book.answer('f', [num(1)], ask)], ['1', '1']);
  assert.deepEqual([book.answer('f', [num(2)], ask), book.answer('g', [num(1)], ask)], ['2', '3']);
  assert.deepEqual(book.answers, { f: { '[1]': 1, '[2]': 2 }, g: { '[1]': 3 } });
});

test('a call that fails is not remembered', () => {
  const book = new AnswerBook();
  assert.throws(() => book.answer('f', [], fail), /no/);
  assert.equal(
    book.answer('f', [], () => '1'),
    '1',
  );
  assert.deepEqual(book.answers, { f: { '[]': 1 } });
});

test('what was recorded is answered without asking, and is recorded again', () => {
  const book = new AnswerBook({ 'rand.intn': { '["a",5]': 3 } });
  assert.equal(book.answer('rand.intn', [str('a'), num(5)], never), '3');
  assert.equal(
    book.answer('rand.intn', [str('b'), num(5)], () => '4'),
    '4',
  );
  assert.deepEqual(book.answers, { 'rand.intn': { '["a",5]': 3, '["b",5]': 4 } });
});

test('promise 10: confidential arguments are recorded as a digest, by which a replay finds their answer', () => {
  const book = new AnswerBook();
  const args = [str('a token'), str('a secret')];
  assert.equal(
    book.answer('f', args, () => 'true', 'arguments'),
    'true',
  );
  assert.equal(book.answer('f', args, never, 'arguments'), 'true');
  const [key = ''] = Object.keys(book.answers['f'] ?? {});
  assert.match(key, /^\["sha256:[0-9a-f]{64}"\]$/);
  assert.deepEqual(book.answers, { f: { [key]: true } });
  assert.equal(new AnswerBook(book.answers).answer('f', args, never, 'arguments'), 'true');
  assert.equal(
    new AnswerBook(book.answers).answer('f', [str('a token'), str('x')], () => '1', 'arguments'),
    '1',
  );
});

test('promise 10: of a confidential call nothing is recorded, and within the decision it is asked once', () => {
  const book = new AnswerBook();
  assert.equal(
    book.answer('f', [str('a key')], () => '"a token"', 'call'),
    '"a token"',
  );
  assert.equal(book.answer('f', [str('a key')], never, 'call'), '"a token"');
  assert.deepEqual(book.answers, {});
});

test('names and arguments of an object\u2019s own kind are not taken for recorded answers', () => {
  for (const recorded of [{}, { f: {} }, { f: null }, { f: 'x' }] as unknown as NondeterministicAnswers[]) {
    const book = new AnswerBook(recorded);
    assert.equal(
      book.answer('constructor', [], () => '1'),
      '1',
    );
    assert.equal(
      book.answer('f', [], () => '2'),
      '2',
    );
  }
});

test('OPA ast.JSON and encoding/json: arguments are keys as OPA writes them', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['["a", 5]', '["a",5]'],
    ['[{"b": 1, "a": {2, 1}}]', '[{"a":[1,2],"b":1}]'],
    ['[{1: 2, [3, 4]: set()}]', '[{"1":2,"[3,4]":[]}]'],
    ['["<&>\u2028"]', String.raw`["\u003c\u0026\u003e\u2028"]`],
    ['[null, true, 1.50, "\\""]', String.raw`[null,true,1.50,"\""]`],
  ];
  for (const [rego, json] of cases) assert.equal(goJson(jsonTerm(parseTerm(rego))), json);
});

test('goJson of JSON is JSON of the same value', () => {
  fc.assert(
    fc.property(fc.json({ noUnicodeString: false }), (text) => {
      const value: unknown = JSON.parse(text);
      const rego = JSON.stringify(value).replaceAll(/[\ud800-\udfff]/g, 'x');
      const spaced = rego.replaceAll(/("(?:[^"\\]|\\.)*")|([:,])/g, (_, quoted?: string, sign?: string) =>
        quoted === undefined ? `${sign} ` : quoted,
      );
      assert.deepEqual(JSON.parse(goJson(jsonTerm(parseTerm(spaced)))), JSON.parse(rego));
    }),
  );
});

test('a time that is none is not taken from a record', () => {
  assert.equal(recordedTime({ 'time.now_ns': { '[]': 5 } }), '5');
  for (const answer of ['5', -5, 1.5, null, {}, 1e30]) {
    assert.equal(recordedTime({ 'time.now_ns': { '[]': answer } }), undefined, JSON.stringify(answer));
  }
  assert.deepEqual([recordedTime({}), recordedTime(undefined)], [undefined, undefined]);
});

test('a decision is replayed from the nd_builtin_cache of its record', async () => {
  let now = 1_700_000_000_123;
  const clock = { wallMs: () => (now += 1), monotonicMs: () => 0 };
  const policy = await loadRules(TIME_RULE, { clock, random: countingRandom() });
  const first = policy.query(ENTRYPOINT, {});
  assert.ok(first.kind === 'defined' && first.ndBuiltinCache !== undefined);
  const record = JSON.parse(JSON.stringify(first.ndBuiltinCache)) as NondeterministicAnswers;
  assert.deepEqual(record, { 'time.now_ns': { '[]': 1_700_000_000_124_000_000 } });
  const other = policy.query(ENTRYPOINT, {});
  assert.ok(other.kind === 'defined');
  assert.notDeepEqual(other.value, first.value);
  assert.deepEqual(policy.query(ENTRYPOINT, {}, record), first);
  assert.deepEqual(policy.trace({}, record).evaluation, first);
  const later = policy.query(ENTRYPOINT, {});
  assert.notDeepEqual(later, first, 'a replay leaves nothing behind');
});
