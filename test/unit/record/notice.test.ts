import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readSeal } from '../../../src/core/record/chain.ts';
import { noticeLine, readNotice, type Notice } from '../../../src/core/record/notice.ts';
import { readLogLine } from '../../../src/core/record/read-line.ts';
import { createRecorder } from '../../../src/core/record/recorder.ts';
import { sampleFacts } from '../../support/record-facts.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const seam = { prev: '1'.repeat(64), next: '2'.repeat(64) };

for (const notice of [{ kind: 'lost', records: 7 }, { kind: 'joined' }, { kind: 'torn' }] satisfies Notice[]) {
  test(`a ${notice.kind} notice is a sealed line and reads back`, () => {
    const { line, hash } = noticeLine(notice, seam, 1_700_000_000_123);
    assert.deepEqual(readSeal(bytes(line)), { prev: seam.prev, hash, intact: true });
    const read = { notice, timestamp: '2023-11-14T22:13:20.123Z', seam };
    assert.deepEqual(readNotice(bytes(line)), read);
    assert.deepEqual(readLogLine(bytes(line)), { kind: 'notice', ...read });
  });
}

test('a record is no notice, and reads back as a record', () => {
  const line = createRecorder({ labels: {} }).record(sampleFacts()) ?? assert.fail();
  assert.equal(readNotice(bytes(line)), undefined);
  const read = readLogLine(bytes(line));
  assert.equal(read.kind, 'record');
  assert.equal(read.kind === 'record' && read.record.sallyport.verdict, 'allow');
});

const good = noticeLine({ kind: 'lost', records: 7 }, seam, 0).line;
const unreadable: readonly (readonly [string, Uint8Array])[] = [
  ['an unknown kind', bytes(good.replace('"lost"', '"gone"'))],
  ['a count that is no number', bytes(good.replace(':7}', ':"7"}'))],
  ['no next', bytes(good.replace('"next"', '"text"'))],
  ['no timestamp', bytes(good.replace('"timestamp"', '"time"'))],
  ['no JSON', bytes(good.replace('},', '}'))],
  ['no seal', bytes(good.slice(0, -1))],
  ['broken UTF-8', Uint8Array.of(...bytes('{"decision_id":"'), 0xff, ...bytes('","sallyport":{"verdict":"allow"}}'))],
  ['null', bytes('null')],
  ['another document', bytes('{"decision_id":1}')],
  ['an empty line', bytes('')],
];

for (const [what, line] of unreadable) {
  test(`neither notice nor record: ${what}`, () => {
    assert.equal(readNotice(line), undefined);
    assert.equal(readLogLine(line).kind, 'unreadable');
  });
}
