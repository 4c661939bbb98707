import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseBoundedYaml, parseBoundedYamlStream } from '../../../src/core/kernel/bounded-yaml.ts';

function faultsOf(text: string) {
  const parsed = parseBoundedYaml(text);
  assert.equal(parsed.ok, false, text);
  return parsed.error;
}

const HOSTILE: readonly (readonly [what: string, text: string])[] = [
  ['flow sequences', '['.repeat(50_000)],
  ['flow maps', '{a: '.repeat(20_000)],
  ['compact sequences', '- '.repeat(20_000)],
  ['explicit keys', '? '.repeat(5_000)],
  ['block maps', Array.from({ length: 400 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
];

for (const [what, text] of HOSTILE) {
  test(`${what} nested without end are a fault, not the end of the process`, () => {
    const [fault, ...others] = faultsOf(text);
    assert.equal(fault?.message, 'nesting is deeper than 100 levels');
    assert.deepEqual(others, []);
  });
}

test('nesting within the bound is read', () => {
  const parsed = parseBoundedYaml(`${'['.repeat(90)}1${']'.repeat(90)}`);
  assert.equal(parsed.ok, true);
});

test('YAML 1.2 3.2.1.3: duplicate keys are a fault, with the place of the second', () => {
  assert.deepEqual(faultsOf('a: 1\nb:\n  c: 1\n  c: 2\n'), [
    { line: 4, column: 3, message: 'Map keys must be unique' },
  ]);
});

test('a tag of unknown meaning is a fault, not a guess', () => {
  assert.deepEqual(faultsOf('a: !custom 1'), [{ line: 1, column: 4, message: 'Unresolved tag: !custom' }]);
});

test('a second document is a fault: two readers could take either', () => {
  const [fault] = faultsOf('a: 1\n---\na: 2\n');
  assert.equal(fault?.line, 2);
  assert.match(fault?.message ?? '', /second document/);
});

test('all faults of syntax are reported together', () => {
  const faults = faultsOf('a: [::]:1\nb: !x 1\nb: 2\n');
  assert.deepEqual(
    faults.map((fault) => fault.line).sort((a, b) => a - b),
    [1, 2, 3],
  );
});

test('JSON with tabs is read, and places count from 1', () => {
  const parsed = parseBoundedYaml('{\n\t"a": [\n\t\t1\n\t]\n}');
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.document.toJS(), { a: [1] });
  assert.deepEqual(parsed.value.locate(0), { line: 1, column: 1 });
  assert.deepEqual(parsed.value.locate(3), { line: 2, column: 2 });
});

test('property: no text throws', () => {
  const structural = fc.string({
    unit: fc.constantFrom(...'[]{}:,-?&*!|>"\'%@`# \n\tab0'.split(''), '\0', '\u2028', '\ud800'),
  });
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), structural), (text) => {
      const parsed = parseBoundedYaml(text);
      assert.equal(typeof parsed.ok, 'boolean');
      if (!parsed.ok) for (const fault of parsed.error) assert.ok(fault.line >= 1 && fault.column >= 1);
    }),
    { numRuns: 500 },
  );
});

test('a stream gives all its documents in order, and the faults of all of them', () => {
  const stream = parseBoundedYamlStream('# words before the first\n---\na: 1\n---\n---\n[b]\n');
  assert.ok(stream.ok);
  assert.deepEqual(
    stream.value.documents.map((document) => document.toJS() as unknown),
    [{ a: 1 }, null, ['b']],
  );
  const faulty = parseBoundedYamlStream('a: 1\na: 2\n---\nb: !x 1\n');
  assert.ok(!faulty.ok);
  assert.deepEqual(
    faulty.error.map((fault) => fault.line),
    [2, 4],
  );
  const deep = parseBoundedYamlStream(`a: 1\n---\n${'['.repeat(101)}`);
  assert.deepEqual(deep, {
    ok: false,
    error: [{ line: 3, column: 101, message: 'nesting is deeper than 100 levels' }],
  });
});
