import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { mergeData } from '../../../src/core/bundle/data.ts';
import { parseExactJson } from '../../../src/core/bundle/exact-json.ts';

function merged(entries: Readonly<Record<string, string>>, roots: readonly string[] = ['']): string {
  const files = new Map(Object.entries(entries).map(([path, text]) => [path, Buffer.from(text)]));
  const data = mergeData(files, roots);
  return data.ok ? data.value : `${data.error.code}: ${data.error.detail}`;
}

test('OPA: data.json of a folder is nested by the path of the folder', () => {
  assert.equal(merged({ 'data.json': '{"a":1}', 'b/c/data.json': '{"d":2}' }), '{"b":{"c":{"d":2}},"a":1}');
  assert.equal(merged({ 'b/data.json': '[1,2]', 'c/data.json': 'null' }), '{"b":[1,2],"c":null}');
});

test('data.yaml and data.yml are read as well; other names are not data', () => {
  assert.equal(
    merged({ 'data.yaml': 'a: [x, 1, true, null]', 'b/data.yml': 'c: 1' }),
    '{"b":{"c":1},"a":["x",1,true,null]}',
  );
  assert.equal(merged({ 'mydata.json': '{"a":1}', 'data.json.bak': 'x', 'b/other.yaml': 'x: 1' }), '{}');
});

test('objects of several files grow together', () => {
  assert.equal(
    merged({ 'data.json': '{"a":{"b":{"x":1}}}', 'a/b/data.json': '{"y":2}', 'a/data.yaml': 'c: 3' }),
    '{"a":{"b":{"y":2,"x":1},"c":3}}',
  );
});

const CLASHES: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ 'data.json': '{"a":1}', 'data.yaml': 'a: 1' }, /data\.yaml: data\.a is set twice/],
  [{ 'data.json': '{"a":{"b":1}}', 'a/data.json': '{"b":1}' }, /data\.a\.b is set twice/],
  [{ 'data.json': '{"a":1}', 'a/data.json': '{"b":1}' }, /set twice/],
  [{ 'a/data.json': '1', 'a/b/data.json': '{"c":1}' }, /data\.a is an object in another file/],
  [{ 'b/data.json': '{"c":[]}', 'b/c/data.json': '{"d":1}' }, /data\.b\.c is set twice/],
];
for (const [files, detail] of CLASHES) {
  test(`two files about one value are refused: ${JSON.stringify(files)}`, () => {
    assert.match(merged(files), /^data_invalid: /);
    assert.match(merged(files), detail);
  });
}

test('a value where another file has a folder is refused', () => {
  assert.match(merged({ 'a/b/data.json': '2', 'a/b/data.yaml': 'c: 1' }), /^data_invalid: /);
  assert.match(merged({ 'a/data.json': '{"b":1}', 'a/b/data.json': '2' }), /^data_invalid: /);
});

for (const top of ['1', '[]', 'null', '"x"']) {
  test(`the top of the data cannot be ${top}`, () =>
    assert.match(merged({ 'data.json': top }), /^data_invalid: .*no object/));
}

for (const broken of ['', '{', '{"a":1}x', "{'a':1}", '{"a":01}', '{"a":NaN}', '\ufeff{}']) {
  test(`${JSON.stringify(broken)} is no JSON data`, () =>
    assert.match(merged({ 'data.json': broken }), /^data_invalid: data\.json/));
}

for (const broken of ['a: .nan', 'a: .inf', 'a: 1\na: 2', 'a: !x 1', '[', 'a: *b', 'a: !!set {x}']) {
  test(`${JSON.stringify(broken)} is no YAML data`, () =>
    assert.match(merged({ 'data.yaml': broken }), /^data_invalid: data\.yaml/));
}

test('YAML aliases that multiply are refused', () => {
  const levels = Array.from(
    { length: 9 },
    (_, i) => `l${i + 1}: &l${i + 1} [${Array.from({ length: 9 }, () => `*l${i}`).join(', ')}]`,
  );
  assert.match(
    merged({ 'data.yaml': ['l0: &l0 [x, x, x]', ...levels].join('\n') }),
    /^data_invalid: data\.yaml: .*alias/,
  );
});

test('nesting that would end a recursive reader is refused', () => {
  assert.match(
    merged({ 'data.json': `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}` }),
    /^data_invalid: data\.json: nested deeper than 256 levels/,
  );
  assert.match(merged({ 'data.yaml': `a: ${'['.repeat(100_000)}` }), /^data_invalid: .*deeper/);
  assert.equal(merged({ 'data.json': `{"a":"${'['.repeat(1_000)}\\"{"}` }), `{"a":"${'['.repeat(1_000)}\\"{"}`);
});

test('numbers keep every digit', () => {
  const numbers = '[12345678901234567890,1e400,1e-400,0.1234567890123456789,-9007199254740993,9007199254740993.5e3]';
  assert.equal(merged({ 'data.json': `{"n":${numbers}}` }), `{"n":${numbers}}`);
  assert.equal(merged({ 'data.yaml': 'n: [12345678901234567890, -5, 0x10]' }), '{"n":[12345678901234567890,-5,16]}');
});

test('numbers that a double says exactly are plain numbers', () => {
  assert.deepEqual(parseExactJson('[1.10,1e2,-0,100,0.30000000000000004,9007199254740991,0e5]'), {
    value: [1.1, 100, -0, 100, 0.30000000000000004, 9007199254740991, 0],
  });
});

test('a key __proto__ is a key like any other', () => {
  assert.equal(
    merged({ 'data.json': '{"__proto__":{"a":1}}', '__proto__/data.json': '{"b":2}' }),
    '{"__proto__":{"b":2,"a":1}}',
  );
  assert.equal(merged({ 'data.yaml': '__proto__: {a: 1}' }), '{"__proto__":{"a":1}}');
  assert.equal(({} as Record<string, unknown>)['a'], undefined);
});

test('OPA: the roots of the manifest permit no data elsewhere', () => {
  assert.equal(merged({ 'data.json': '{"a":{"b":1}}' }, ['a']), '{"a":{"b":1}}');
  assert.equal(merged({ 'a/b/data.json': '{"c":1}' }, ['a/b', 'x']), '{"a":{"b":{"c":1}}}');
  assert.match(merged({ 'data.json': '{"a":{"c":1}}' }, ['a/b']), /do not permit data at a\/c/);
  assert.match(merged({ 'data.json': '{"ab":1}' }, ['a']), /do not permit data at ab/);
  assert.equal(merged({ 'data.json': '{"other":{}}' }, ['a']), '{"other":{}}');
});

test('property: data of one JSON file comes back as the same value', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(JSON.parse(merged({ 'data.json': text })), JSON.parse(text));
    }),
  );
});

test('a %YAML directive, by which readers take no for a text or for false, is refused', () => {
  for (const version of ['1.1', '1.2'])
    assert.match(merged({ 'data.yaml': `%YAML ${version}\n---\na: no\n` }), /^data_invalid: .*%YAML directive/);
});

test("whole numbers of YAML beyond int64 and uint64 are doubles, as Go's reader has them", () => {
  assert.equal(
    merged({
      'data.yaml': 'n: [18446744073709551615, 18446744073709551616, -9223372036854775808, -9223372036854775809]',
    }),
    '{"n":[18446744073709551615,18446744073709552000,-9223372036854775808,-9223372036854776000]}',
  );
  assert.match(merged({ 'data.yaml': `n: 1${'0'.repeat(400)}` }), /^data_invalid: .*no JSON number/);
});

test("half a character in YAML's escape of eight digits is U+FFFD, as in one of four", () => {
  assert.equal(
    merged({ 'data.yaml': 'a: ["\\U0000D800", "\\ud800", "\\U0001F600"]' }),
    '{"a":["\ufffd","\ufffd","\u{1f600}"]}',
  );
  assert.match(merged({ 'data.yaml': '{"\\U0000D800": 1, "\\U0000DC00": 2}' }), /^data_invalid: .*lone surrogates/);
});

test('property: no text throws, as JSON or as YAML', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'{}[]:,-?&*!"\'# \n0.eE'.split('')) }),
  );
  fc.assert(
    fc.property(text, (content) => {
      assert.equal(typeof merged({ 'data.json': content }), 'string');
      assert.equal(typeof merged({ 'data.yaml': content }), 'string');
    }),
    { numRuns: 500 },
  );
});
