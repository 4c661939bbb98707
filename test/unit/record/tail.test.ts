import { test } from 'node:test';
import assert from 'node:assert/strict';
import { GENESIS, hashOf, prevOf } from '../../../src/core/record/chain.ts';
import { noticeLine } from '../../../src/core/record/notice.ts';
import { bridge, readTail } from '../../../src/core/record/tail.ts';
import { createLineMaker, verifyTexts } from '../../support/journal-lines.ts';

const make = createLineMaker();
const [a, b] = [make(), make()];
const notice = noticeLine({ kind: 'lost', records: 1 }, { prev: hashOf(a), next: 'd'.repeat(64) }, 0).line;
const sound = { torn: false, open: false };

const tails = [
  ['nothing', '', undefined],
  ['one line', `${a}\n`, { ...sound, next: hashOf(a) }],
  ['two lines', `${a}\n${b}\n`, { ...sound, next: hashOf(b) }],
  ['a notice: what it says comes next', `${a}\n${notice}\n`, { ...sound, next: 'd'.repeat(64) }],
  ['a line without its line end', `${a}\n${b}`, { next: hashOf(b), torn: false, open: true }],
  ['a line cut short', `${a}\n${b.slice(0, 99)}`, { next: hashOf(a), torn: true, open: true }],
  ['a line cut short, then ended', `${a}\n${b.slice(0, 99)}\n`, { next: hashOf(a), torn: true, open: false }],
  ['a changed last line', `${a}\n${b.replace('allow', 'deny')}\n`, { next: hashOf(a), torn: true, open: false }],
  ['several lines that are none', `${a}\nx\n\ny`, { next: hashOf(a), torn: true, open: true }],
  ['nothing of ours', 'hello\nworld\n', { next: undefined, torn: true, open: false }],
  ['a line end', '\n', { next: undefined, torn: true, open: false }],
  ['the end of a line longer than what is looked at', b.slice(200), { next: undefined, torn: true, open: true }],
] as const;

for (const [what, text, expected] of tails) {
  test(`readTail: ${what}`, () => {
    assert.deepEqual(readTail(Buffer.from(text)), expected);
  });
}

test('bridge: nothing where the chain goes on, a line end where one is missing', () => {
  assert.equal(bridge(undefined, GENESIS, 0), '');
  assert.equal(bridge({ ...sound, next: prevOf(b) }, prevOf(b), 0), '');
  assert.equal(bridge({ next: prevOf(b), torn: false, open: true }, prevOf(b), 0), '\n');
});

test('bridge: whatever a file ends with, it verifies once a line follows', () => {
  for (const [what, text] of tails) {
    if (what === 'a changed last line' || text === b.slice(200)) continue; // sealed, so changed rather than torn
    const tail = readTail(Buffer.from(text));
    const verdict = verifyTexts([`${text}${bridge(tail, prevOf(b), 0)}${b}\n`]);
    assert.equal(verdict.kind, 'sound', `${what}: ${JSON.stringify(verdict)}`);
  }
});
