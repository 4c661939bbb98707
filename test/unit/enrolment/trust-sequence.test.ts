import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readTrust } from '../../../src/io/enrolment/answers.ts';

import type { TrustDomain } from '../../../src/core/kernel/brand.ts';

function read(sequence: string | undefined): unknown {
  const last = sequence === undefined ? '' : `,"sequence":${sequence}`;
  const answer = readTrust(
    `{"revision":"r1","bundles":{"example.org":["MAA="]},"crls":[]${last}}`,
    'example.org' as TrustDomain,
  );
  assert.ok(answer.ok, JSON.stringify(answer));
  return 'sequence' in answer.value ? answer.value.sequence : 'absent';
}

test('the sequence of the roots is read where an authority says one', () => {
  for (const sequence of [0, 1, Number.MAX_SAFE_INTEGER]) assert.equal(read(String(sequence)), sequence);
});

test('an older authority says none, and one that is no number is as good as none: trust does not hang on it', () => {
  for (const sequence of [undefined, '-1', '0.5', '"1"', 'null', '1e999', '9007199254740993', '[]'])
    assert.equal(read(sequence), 'absent', sequence ?? 'none');
});
