import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { boundedJson, inert, quote } from '../../../src/core/record/json-text.ts';

test('quote: plain text stands as it is; anything else is escaped', () => {
  assert.equal(quote('GET /a?b=c [x]'), '"GET /a?b=c [x]"');
  assert.equal(quote('a"b\\c\n\t\u0000'), '"a\\"b\\\\c\\n\\t\\u0000"');
  assert.equal(quote('a\n'), '"a\\n"');
  assert.equal(quote('\u009b2J\u2028\u202e\ufeff'), '"\\u009b2J\\u2028\\u202e\\ufeff"');
  assert.equal(quote('é世👋'), '"é世👋"');
  assert.equal(quote('\ud800'), '"\\ud800"');
});

test('quote: at most the limit is kept, also where it cuts a pair of surrogates', () => {
  assert.equal(quote('abcdef', 3), '"abc"');
  assert.equal(quote('ab👋', 3), '"ab\\ud83d"');
});

test('property: quote is JSON of its text and holds nothing that acts', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const quoted = quote(text);
      assert.equal(JSON.parse(quoted), text);
      assert.equal(inert(quoted), quoted);
      // oxlint-disable-next-line no-control-regex
      assert.doesNotMatch(quoted, /[\u0000-\u001f\u0080-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/);
    }),
    { numRuns: 1_000 },
  );
});

test('boundedJson: counts bytes of what is written, escapes included', () => {
  const json = boundedJson(12);
  assert.equal(json('0123456789'), '"0123456789"');
  assert.equal(json('01234567890'), undefined);
  assert.equal(json('世世世'), '"世世世"');
  assert.equal(json('世世世世'), undefined);
  assert.equal(json('\u0085'), '"\\u0085"');
  assert.equal(json('\u0085\u0085'), undefined);
});

test('boundedJson: what has no JSON is undefined, not an exception', () => {
  const json = boundedJson(1_000);
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  for (const value of [undefined, () => 0, Symbol('s'), 1n, cyclic]) assert.equal(json(value), undefined);
  assert.equal(json(null), 'null');
});
