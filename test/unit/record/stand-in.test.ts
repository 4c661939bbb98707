import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sealLine } from '../../../src/core/record/chain.ts';
import { standInsOf } from '../../../src/core/record/stand-in.ts';
import { createLineMaker, verifyTexts } from '../../support/journal-lines.ts';

const PREV = 'a'.repeat(64);

/** A record with answers of built-ins, and numbers that no double can hold. */
function recordWithCache(): string {
  const open =
    '{"decision_id":"d1","result":{"n":12345678901234567890},"nd_builtin_cache":{"time.now_ns":{"[]":1}},"sallyport":{"steps":1,';
  return sealLine(open, PREV).line;
}

test('OPA decision logs: without nd_builtin_cache first, then a notice that names the decision', () => {
  const line = recordWithCache();
  const [shortened, withheld, ...others] = standInsOf(line, 0);
  assert.deepEqual(
    [shortened?.kind, shortened?.lines.length, withheld?.kind, withheld?.lines.length, others],
    ['shortened', 2, 'withheld', 1, []],
  );
  const [record = '', notice = ''] = shortened?.lines ?? [];
  assert.ok(record.startsWith('{"decision_id":"d1","result":{"n":12345678901234567890},"sallyport":{"steps":1,'));
  assert.deepEqual(JSON.parse(notice).notice, { kind: 'shortened', decision_id: 'd1', erased: ['/nd_builtin_cache'] });
  assert.deepEqual(JSON.parse(withheld?.lines[0] ?? '').notice, {
    kind: 'withheld',
    decision_id: 'd1',
    bytes: Buffer.byteLength(line),
  });
});

test('each stands in the chain where the record stood', () => {
  const large = recordWithCache();
  const { hash } = JSON.parse(large).sallyport as { hash: string };
  const after = createLineMaker(hash)();
  for (const { kind, lines } of standInsOf(large, 0)) {
    const verdict = verifyTexts([`${[...lines, after].join('\n')}\n`]);
    assert.ok(verdict.kind === 'sound', kind);
    assert.deepEqual([verdict.records, verdict.lost], kind === 'withheld' ? [1, 1] : [2, 0]);
  }
});

test('a record without that part has only the notice', () => {
  assert.deepEqual(
    standInsOf(createLineMaker()(), 0).map(({ kind }) => kind),
    ['withheld'],
  );
});
