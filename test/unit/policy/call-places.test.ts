import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { callPlaces } from '../../../src/core/policy/call-places.ts';

function files(texts: Readonly<Record<string, string>>): ReadonlyMap<string, Uint8Array> {
  return new Map(Object.entries(texts).map(([path, text]) => [path, new TextEncoder().encode(text)]));
}

test('a call is found with file and row; a name in a string, in a comment or inside another name is none', () => {
  const rego = files({
    'a.rego': 'package a\n\nx := http.send({})\n# http.send(1)\ny := "http.send(" \nz := my.http.send(1)\n',
    'b/c.rego': 'package b\nx if { 1 == 1; http.send({"a": "# no comment"}) }\nw := http_send(1)\nv := `http.send(`\n',
  });
  assert.deepEqual(callPlaces(rego, 'http.send'), ['a.rego:3', 'b/c.rego:2']);
  assert.deepEqual(callPlaces(rego, 'httpxsend'), []);
});

test('at most ten places are told, and any bytes are read', () => {
  const many = files({ 'a.rego': 'x := opa.runtime()\n'.repeat(30) });
  assert.equal(callPlaces(many, 'opa.runtime').length, 10);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.ok(callPlaces(new Map([['a.rego', bytes]]), 'http.send').length <= 10);
    }),
  );
});
