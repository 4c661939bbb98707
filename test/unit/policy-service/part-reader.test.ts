import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { readPart } from '../../../src/io/policy-service/part-reader.ts';

function read(files: Readonly<Record<string, string>>) {
  return readPart(new Map(Object.entries(files)), 'namespace');
}

test('Rego by path with its owner before it, tests left out, data merged by the names of files', () => {
  const part = read({
    'a.rego': 'package a',
    'a_test.rego': 'package a_test',
    'data.json': '{"x": 1, "fleet": {"y": 2}}',
    'fleet.segments.yaml': 'planners: {}',
  });
  assert.ok(part.ok);
  assert.deepEqual([...part.value.rego], [['namespace/a.rego', 'package a']]);
  assert.deepEqual(JSON.parse(JSON.stringify(part.value.data)), { x: 1, fleet: { y: 2, segments: { planners: {} } } });
});

test('numbers keep their digits', () => {
  const part = read({ 'data.json': '{"n": 12345678901234567890}' });
  assert.ok(part.ok);
  assert.equal(JSON.stringify(part.value.data), '{"n":12345678901234567890}');
});

test('a name that is no file of a policy, data that is none, and two for one place: all told, each with its name', () => {
  const part = read({
    '.manifest': '{}',
    '../../etc/passwd': 'x',
    'policy.wasm': 'x',
    'broken.json': '{',
    'fleet.json': '{}',
    'data.fleet.json': '{}',
  });
  assert.ok(!part.ok);
  const said = part.error.join('\n');
  for (const name of ['.manifest', '../../etc/passwd', 'policy.wasm', 'broken', 'data.fleet.json'])
    assert.ok(said.includes(name), `${name} in ${said}`);
});

test('two files that say something of the same value are refused, whatever their form', () => {
  for (const files of [
    { 'data.json': '{"a": 1}', 'data.yaml': 'a: 2' },
    { 'data.json': '{"a": {"b": 1}}', 'a.json': '{"b": 2}' },
    { 'data.json': '{"a": 1}', 'a.json': '{"b": 2}' },
  ])
    assert.equal(read(files).ok, false, JSON.stringify(files));
});

test('data at the top that is no object is refused', () => {
  for (const text of ['1', '[]', 'null', '"x"', 'true']) assert.equal(read({ 'data.json': text }).ok, false, text);
});

test('no more than a ConfigMap holds, and no more files than anybody writes', () => {
  assert.equal(read({ 'a.rego': 'x'.repeat(1_048_577) }).ok, false);
  assert.equal(read({ 'a.rego': 'é'.repeat(524_289) }).ok, false);
  const many = Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`a${index}.rego`, 'package a']));
  assert.equal(read(many).ok, false);
  assert.equal(read({ 'data.json': `${'['.repeat(300)}${']'.repeat(300)}` }).ok, false);
});

test('any files: a part or problems, never an exception', () => {
  const name = fc.oneof(
    fc.string(),
    fc.string().map((stem) => `${stem}.json`),
    fc.constantFrom('data.json', 'data.yaml', 'a.rego'),
  );
  fc.assert(
    fc.property(fc.dictionary(name, fc.oneof(fc.string(), fc.json())), (files) => {
      const part = read(files);
      if (part.ok) JSON.stringify(part.value.data);
      else assert.ok(part.error.length > 0);
    }),
  );
});
