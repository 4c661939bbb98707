import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { canonicalJson } from '../../../src/core/bundle/canonical-json.ts';
import { fileHash } from '../../../src/core/bundle/file-hash.ts';
import { parseUniqueJson } from '../../../src/core/bundle/unique-json.ts';
import { wellFormed } from '../../../src/core/bundle/well-formed.ts';
import { jsonText } from '../../support/json-texts.ts';

function canonical(text: string): string {
  const result = canonicalJson(text);
  return result.ok ? result.value : `refused: ${result.error}`;
}

const FORMS: Readonly<Record<string, string>> = {
  ' { "b" : 1 , "a" : [ ] } ': '{"a":[],"b":1}',
  '{"a":1,"a":2}': '{"a":2}',
  '{"a":1,"\\u0061":2}': '{"a":2}',
  '[1.0,1.10,1e3,1E+3,-0,0.0,12345678901234567890,1e400]': '[1.0,1.10,1e3,1E+3,-0,0.0,12345678901234567890,1e400]',
  '"<>&\\/\\u0026"': '"<>&/&"',
  '"\\u0008\\u000c\\u000a\\u000d\\u0009\\u0000\\u001f\\u007f"': '"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"',
  '"\u2028\u2029\\u2028\\u2029"': '"\\u2028\\u2029\\u2028\\u2029"',
  '"\\ud83d\\ude00é\\u00e9"': '"😀éé"',
  '"\\ud800x\\udc00"': '"\ufffdx\ufffd"',
  '{"\\ud800":1}': '{"\ufffd":1}',
  '{"\ue000":1,"😀":2,"\uffff":3,"z":4}': '{"z":4,"\ue000":1,"\uffff":3,"😀":2}',
  '{"a!":1,"a":2,"a\\"":3,"a ":4}': '{"a":2,"a ":4,"a!":1,"a\\"":3}',
  '{"__proto__":{"x":1},"constructor":2}': '{"__proto__":{"x":1},"constructor":2}',
  '{"10":1,"9":2,"-1":3}': '{"-1":3,"10":1,"9":2}',
  '{"a":{"y":{},"x":[[],{}]}}': '{"a":{"x":[[],{}],"y":{}}}',
  true: 'true',
  null: 'null',
  '""': '""',
  '{"":1}': '{"":1}',
  '0': '0',
};
for (const [text, form] of Object.entries(FORMS)) {
  test(`OPA, structured hashing: ${JSON.stringify(text)}`, () => assert.equal(canonical(text), form));
}

for (const text of ['', '{', '[1,]', '01', "{'a':1}", '1 2', '\ufeff{}', '"\n"', '['.repeat(257) + ']'.repeat(257)]) {
  test(`no JSON, or too deep, has no form: ${JSON.stringify(text.slice(0, 20))}`, () =>
    assert.match(canonical(text), /^refused: /));
}

test('property: the form says what the text says, and is its own form', () => {
  fc.assert(
    fc.property(jsonText({ loneSurrogates: false }), (text) => {
      const form = canonical(text);
      assert.deepEqual(JSON.parse(form), JSON.parse(text));
      assert.equal(canonical(form), form);
    }),
    { numRuns: 500 },
  );
});

test('property: spaces and the order of keys decide nothing', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const reversed = JSON.stringify(value, (_key, inner: unknown) =>
        typeof inner === 'object' && inner !== null && !Array.isArray(inner)
          ? Object.fromEntries(Object.entries(inner).toReversed())
          : inner,
      );
      assert.equal(canonical(JSON.stringify(value, undefined, 2)), canonical(reversed));
    }),
    { numRuns: 300 },
  );
});

test('property: any text gives a form or a fault', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      assert.equal(canonicalJson(text).ok, isJson);
    }),
  );
});

const differs = (path: string) => {
  const [one, other] = ['{"a":1}', '{ "a": 1 }'].map((text) => fileHash(path, Buffer.from(text), 'SHA-256'));
  assert.ok(one?.ok && other?.ok);
  return one.value !== other.value;
};

test('which files are hashed by what they say: the data files and .manifest, in any folder', () => {
  for (const path of ['data.json', 'x/data.yaml', 'x/y/data.yml', '.manifest', 'x/.manifest'])
    assert.equal(differs(path), false, path);
  for (const path of [
    'plan.json',
    'xdata.json',
    'data.json/x',
    'DATA.json',
    'manifest',
    'x.manifest',
    '.manifest.pb',
    'patch.json',
  ])
    assert.equal(differs(path), true, path);
});

const fault = (path: string, bytes: Uint8Array) => {
  const hash = fileHash(path, bytes, 'SHA-256');
  return hash.ok ? 'hashed' : hash.error;
};

test('a file that is hashed by what it says, and says nothing sound, has no hash', () => {
  assert.equal(fault('data.json', Uint8Array.of(0xff)), 'not UTF-8');
  assert.notEqual(fault('data.json', Buffer.from('a: 1')), 'hashed');
  assert.notEqual(fault('.manifest', Buffer.from('a: 1')), 'hashed');
  assert.match(fault('data.yaml', Buffer.from('a: .inf')), /no JSON number/);
  assert.equal(fault('data.yaml', Buffer.from('a: 1')), 'hashed');
  assert.equal(fault('policy.wasm', Uint8Array.of(0xff)), 'hashed');
});

const TWICE = [
  '{"a":1,"a":2}',
  '{"a":1,"b":{"c":1,"c":1}}',
  '[{"x":1,"\\u0078":2}]',
  '{"a":"}","a" :1}',
  '{"__proto__":1,"__proto__":2}',
];
const ONCE = [
  '{"a":{"a":{"a":1}}}',
  '[{"a":1},{"a":1}]',
  '{"a":"a","b":["a","a","a"]}',
  '{"x":"\\"x\\":1","y":":"}',
  '"a"',
  '[]',
];
test('RFC 7515 4: an object that names a key twice is refused, and only that', () => {
  for (const text of TWICE) assert.match(parseUniqueJson(text).ok ? 'read' : 'refused', /refused/, text);
  for (const text of ONCE) assert.ok(parseUniqueJson(text).ok, text);
  assert.ok(!parseUniqueJson('{').ok);
});

test('property: what JSON.stringify writes names no key twice', () => {
  fc.assert(fc.property(fc.json(), (text) => assert.ok(parseUniqueJson(text).ok, text)));
});

test('lone surrogates become U+FFFD as in OPA; keys that become one are refused', () => {
  assert.deepEqual(wellFormed({ a: ['\ud800x', { '\udc00': null }] }), {
    ok: true,
    value: { a: ['\ufffdx', { '\ufffd': null }] },
  });
  assert.ok(!wellFormed({ a: { '\ud800': 1, '\ud801': 2 } }).ok);
  assert.ok(!wellFormed([{ '\ud800': 1, '\ufffd': 2 }]).ok);
});
