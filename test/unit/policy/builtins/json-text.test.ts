import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { goJson } from '../../../../src/core/policy/builtins/go-json.ts';
import { jsonTerm, parseJson } from '../../../../src/core/policy/builtins/json-term.ts';
import { isMultiple, isWhole } from '../../../../src/core/policy/builtins/json-number.ts';
import { termKey } from '../../../../src/core/policy/builtins/term-key.ts';
import { sameTerm } from '../../../../src/core/policy/term-order.ts';
import { parseTerm } from '../../../../src/core/policy/term-text.ts';
import { num } from '../../../../src/core/policy/term.ts';
import { ask, call, limited } from '../../../support/builtin-call.ts';

function marshal(value: string, options: string): unknown {
  return JSON.parse(ask('json.marshal_with_options', value, options));
}

test('json.marshal_with_options: pretty, prefix and indent', () => {
  assert.equal(marshal('{"b": [1], "a": {}}', '{}'), '{"a":{},"b":[1]}');
  assert.equal(marshal('{"b": [1], "a": {}}', '{"pretty": true}'), '{\n\t"a": {},\n\t"b": [\n\t\t1\n\t]\n}');
  assert.equal(marshal('[1]', '{"indent": "  ", "prefix": "> "}'), '> [\n>   1\n> ]');
  assert.equal(marshal('[1]', '{"indent": "  ", "pretty": false}'), '[1]');
  for (const options of ['{"other": 1}', '{"pretty": 1}', '{"indent": 1}', '{1: 2}', '[]'])
    assert.throws(() => marshal('[1]', options), BuiltinError, options);
});

test('values that JSON does not have: sets are arrays in order, keys are text, HTML is escaped', () => {
  assert.equal(marshal('{"s": {3, 1, 2}, 1: 2, [1]: 3}', '{}'), '{"1":2,"[1]":3,"s":[1,2,3]}');
  assert.equal(marshal('"<&>\u2028\u00e9"', '{}'), String.raw`"\u003c\u0026\u003e\u2028é"`);
  assert.equal(marshal('1.10', '{}'), '1.10');
});

test('indentation is paid for by the depth it has', () => {
  const deep = parseTerm(`${'['.repeat(200)}${'1, '.repeat(999)}1${']'.repeat(200)}`);
  assert.throws(
    () => call('json.marshal_with_options', [deep, parseTerm('{"pretty": true}')], limited(10_000_000)),
    EvaluationHalt,
  );
});

test('JSON text keeps every digit, and of equal keys the last', () => {
  assert.equal(
    goJson(parseJson('{"a": 1.10, "b": 123456789012345678901, "a": 1e400}')),
    '{"a":1e400,"b":123456789012345678901}',
  );
  assert.equal(goJson(parseJson('{"__proto__": 1}')), '{"__proto__":1}');
  assert.equal(goJson(parseJson(String.raw`"\ud800"`)), '"\ufffd"');
  for (const text of ['', '{', '01', '[1,]', 'nul']) assert.throws(() => parseJson(text), BuiltinError, text);
  fc.assert(
    fc.property(fc.jsonValue(), (value) =>
      assert.deepEqual(
        JSON.parse(goJson(jsonTerm(parseJson(JSON.stringify(value))))),
        JSON.parse(JSON.stringify(value)),
      ),
    ),
  );
});

test('whole numbers and multiples are exact', () => {
  for (const text of ['1', '1.0', '1e2', '-10e-1', '0', '0.0', '1.5e1']) assert.equal(isWhole(text), true, text);
  for (const text of ['1.5', '1e-1', '-0.1']) assert.equal(isWhole(text), false, text);
  assert.deepEqual(
    [isMultiple('0.3', '0.1'), isMultiple('0.35', '0.1'), isMultiple('1e30', '3'), isMultiple('0', '7')],
    [true, false, false, true],
  );
  assert.throws(() => isMultiple('1e100000', '3'), BuiltinError);
});

test('a key is shared by equal values, and by no others', () => {
  const number = fc
    .constantFrom('1', '1.0', '10e-1', '0', '-0', '0.0', '100', '1e2', '-1', '1e400', '12345678901234567890')
    .map(num);
  fc.assert(fc.property(number, number, (a, b) => assert.equal(termKey(a) === termKey(b), sameTerm(a, b))));
  assert.equal(termKey(parseTerm('{1, "a"}')), termKey(parseTerm('{"a", 1.0}')));
  assert.notEqual(termKey(parseTerm('["a,b"]')), termKey(parseTerm('["a", "b"]')));
});

test('graph.reachable_paths: to an end, to the edge of the graph, to where a circle would close', () => {
  assert.equal(ask('graph.reachable_paths', '{"a": ["b"], "b": {"c"}, "c": []}', '["a"]'), '{["a","b","c"]}');
  assert.equal(ask('graph.reachable_paths', '{"a": ["x"], "b": []}', '{"a", "b", "z"}'), '{["a"],["b"]}');
  assert.equal(ask('graph.reachable_paths', '{"a": ["b"], "b": ["a"]}', '["a"]'), '{["a","b"]}');
  assert.equal(ask('graph.reachable_paths', '{[1]: [1.0], 1: []}', '[[1]]'), '{[[1],1.0]}');
  assert.throws(() => ask('graph.reachable_paths', '[]', '[]'), BuiltinError);
  assert.throws(() => ask('graph.reachable_paths', '{}', '1'), BuiltinError);
});

test('the paths of a dense graph are paid for one by one', () => {
  const names = Array.from({ length: 30 }, (_, at) => String(at));
  const graph = parseTerm(
    `{${names.map((name) => `"${name}": [${names.join(', ')}]`).join(', ')}, ${names.map((name) => `${name}: [${names.join(', ')}]`).join(', ')}}`,
  );
  assert.throws(() => call('graph.reachable_paths', [graph, parseTerm('["0"]')], limited(200_000_000)), EvaluationHalt);
});
