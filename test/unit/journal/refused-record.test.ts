import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { hashOf } from '../../../src/core/record/chain.ts';
import { readNotice } from '../../../src/core/record/notice.ts';
import type { UploadOutcome } from '../../../src/io/journal/settings.ts';
import { createLineMaker, verifyTexts } from '../../support/journal-lines.ts';
import { until } from '../../support/until.ts';
import { put, TAKEN, uploadWorld, type UploadWorld } from '../../support/upload-world.ts';

type Answer = (lines: readonly string[]) => UploadOutcome;

function status(code: number): UploadOutcome {
  const kind = code === 400 || code === 422 ? 'refused' : 'failed';
  return { kind, code: `HTTP_${code}`, detail: `answered ${code}`, retryAfterMs: undefined };
}

const isNotice = (line: string): boolean => line.startsWith('{"notice":');
const idOf = (line: string): unknown => (JSON.parse(line) as { decision_id: unknown }).decision_id;

/** Lets the receiver answer until the queue is empty, or `posts` uploads were made. */
async function serve(at: UploadWorld, answer: Answer, posts = 2_000): Promise<void> {
  while (at.journal.depth().records > 0 && at.receiver.posts.length < posts) {
    at.clock.advance(30_000);
    await until('an upload, a pause or the end', () => {
      return at.receiver.isAsked || at.clock.timers > 0 || at.journal.depth().records === 0;
    });
    if (at.receiver.isAsked) at.receiver.answer(answer(at.receiver.posts.at(-1)?.lines ?? []));
    await new Promise(setImmediate);
  }
}

/** `count` queued lines, of which those at `poisoned` are not taken. */
async function queued(count: number, poisoned: readonly number[]) {
  const at = await uploadWorld();
  const make = createLineMaker();
  const lines = Array.from({ length: count }, () => put(at.journal, make()));
  at.clock.advance(5);
  const bad = new Set(poisoned.map((index) => lines[index]));
  return { at, make, lines, bad, isBad: (each: readonly string[]) => each.some((line) => bad.has(line)) };
}

/** What came in its turn, records or the notices in their place; `controls`: what came beside that. */
function arrived(at: UploadWorld, lines: readonly string[]) {
  const text: string[] = [];
  const controls: string[] = [];
  for (const line of at.receiver.taken) {
    const next = lines[text.length] ?? '';
    const isTurn = line === next || (isNotice(line) && readNotice(Buffer.from(line))?.seam.next === hashOf(next));
    if (isTurn) text.push(line);
    else controls.push(line);
  }
  return { text, controls };
}

describe('a receiver that always refuses one record', () => {
  for (const code of [400, 422]) {
    test(`${code}: five times the same upload, then the one record gives way to a notice that names it`, async () => {
      const { at, lines, isBad } = await queued(20, [13]);
      await serve(at, (each) => (isBad(each) ? status(code) : TAKEN));
      const { posts } = at.receiver;
      assert.deepEqual(
        posts.slice(0, 5).map((post) => post.lines),
        Array.from({ length: 5 }, () => lines),
      );
      assert.deepEqual(posts[5]?.lines, lines.slice(0, 10));
      assert.ok(posts.length < 20, String(posts.length));
      const { text } = arrived(at, lines);
      const others = lines.filter((_, index) => index !== 13);
      assert.deepEqual(
        text.filter((line) => !isNotice(line)),
        others,
      );
      const notice = JSON.parse(text[13] ?? '') as { notice: unknown };
      const bytes = Buffer.byteLength(lines[13] ?? '');
      assert.deepEqual(notice.notice, { kind: 'withheld', decision_id: idOf(lines[13] ?? ''), bytes });
      const verdict = verifyTexts([`${text.join('\n')}\n`]);
      assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.lost], [19, 1]);
      assert.deepEqual([at.journal.depth().withheld, at.journal.depth().sinks[0]?.ok], [1, true]);
      const said = at.said.filter((each) => each.includes('withheld'));
      assert.equal(said.length, 1);
      assert.ok(said[0]?.includes(String(idOf(lines[13] ?? ''))));
    });
  }

  for (const code of [401, 403, 404, 408, 409, 429, 500, 503]) {
    test(`${code} says nothing of a record: the same upload is tried on`, async () => {
      const { at, lines, isBad } = await queued(4, [1]);
      await serve(at, (each) => (isBad(each) ? status(code) : TAKEN), 30);
      assert.ok(at.receiver.posts.every((post) => post.lines.length === 4));
      assert.deepEqual([at.receiver.taken, at.journal.depth().withheld], [[], 0]);
      await serve(at, () => TAKEN);
      assert.deepEqual(at.receiver.taken, lines);
    });
  }

  test('a refusal that passes within five costs nothing', async () => {
    const { at, lines } = await queued(4, []);
    let refusals = 4;
    await serve(at, () => ((refusals -= 1) >= 0 ? status(400) : TAKEN));
    assert.deepEqual(at.receiver.taken, lines);
  });

  test('what is tried to find it goes out without pauses', async () => {
    const { at, isBad } = await queued(16, [11]);
    await serve(at, () => status(400), 5);
    while (at.journal.depth().withheld === 0) {
      // oxlint-disable-next-line no-await-in-loop -- the clock stands still
      await until('the next upload', () => at.receiver.isAsked || at.journal.depth().withheld === 1);
      if (at.receiver.isAsked) at.receiver.answer(isBad(at.receiver.posts.at(-1)?.lines ?? []) ? status(400) : TAKEN);
      // oxlint-disable-next-line no-await-in-loop -- as above
      await new Promise(setImmediate);
    }
    assert.ok(at.receiver.posts.length < 16);
  });

  test('Retry-After is kept while the record is sought', async () => {
    const { at, isBad } = await queued(8, [0]);
    const slow = { ...status(400), retryAfterMs: 60_000 } as UploadOutcome;
    let asks = 0;
    while (at.journal.depth().records > 0) {
      await until('an upload or a pause', () => at.receiver.isAsked || at.clock.timers > 0);
      if (!at.receiver.isAsked) {
        at.clock.advance(59_999);
        assert.equal(asks > 0 && at.receiver.isAsked && isBad(at.receiver.posts.at(-2)?.lines ?? []), false);
        at.clock.advance(1);
        continue;
      }
      asks += 1;
      at.receiver.answer(isBad(at.receiver.posts.at(-1)?.lines ?? []) ? slow : TAKEN);
      await new Promise(setImmediate);
    }
    assert.equal(at.journal.depth().withheld, 1);
  });
});

describe('a receiver that refuses everything', () => {
  test('gets no notice: it stays blocked, health and log say so, and nothing is lost when it is good again', async () => {
    const { at, lines } = await queued(9, []);
    await serve(at, () => status(400), 60);
    assert.ok(at.receiver.posts.every((post) => !post.lines.some(isNotice)));
    const detail = 'REFUSED answered 400 to a record, and to another too';
    assert.equal(at.journal.depth().sinks[0]?.detail, detail);
    assert.equal(at.said.length, 2, 'one line for 400, one that it refuses all');
    await serve(at, () => TAKEN);
    assert.deepEqual(arrived(at, lines).text, lines);
    assert.equal(at.journal.depth().withheld, 0);
  });

  test('after it took others: what it took last is the control, and stays in order', async () => {
    const { at, make, lines } = await queued(3, []);
    await serve(at, () => TAKEN);
    lines.push(put(at.journal, make()), put(at.journal, make()));
    at.clock.advance(5);
    await serve(at, () => status(422), 30);
    assert.ok(at.receiver.posts.some((post) => post.lines.length === 1 && post.lines[0] === lines[2]));
    assert.ok(at.receiver.posts.every((post) => post.lines[0] !== lines[4]));
    await serve(at, () => TAKEN);
    assert.deepEqual([arrived(at, lines).text, at.journal.depth().withheld], [lines, 0]);
  });

  test('one record alone, and no other that could tell, stays until there is one', async () => {
    const { at, make, lines, bad } = await queued(1, [0]);
    const answer: Answer = (each) => (each.some((line) => bad.has(line)) ? status(400) : TAKEN);
    await serve(at, answer, 20);
    assert.match(at.journal.depth().sinks[0]?.detail ?? '', /no other record yet/);
    lines.push(put(at.journal, make()));
    await serve(at, answer);
    assert.deepEqual([arrived(at, lines).text.slice(1), at.journal.depth().withheld], [lines.slice(1), 1]);
  });

  test('a receiver that refuses notices too stays blocked, with pauses that grow, and says so', async () => {
    const { at, lines, isBad } = await queued(4, [2]);
    await serve(at, (each) => (isBad(each) || each.some(isNotice) ? status(400) : TAKEN), 60);
    assert.equal(at.journal.depth().sinks[0]?.detail, 'REFUSED answered 400 to a record, and to its notice too');
    const before = at.receiver.posts.length;
    at.clock.advance(14_999);
    assert.deepEqual([at.receiver.posts.length, at.receiver.isAsked], [before, false]);
    await serve(at, () => TAKEN);
    assert.deepEqual(arrived(at, lines).text, lines);
  });
});

test('property: where every upload with a poisoned line is refused, all others arrive in order, each poisoned one has one notice', async () => {
  const script = fc.record({
    count: fc.integer({ min: 2, max: 30 }),
    poisoned: fc.uniqueArray(fc.nat(29), { maxLength: 6 }),
    good: fc.nat(29),
    other: fc.array(fc.constantFrom('none', 'none', 'none', 'down', 'lost'), { maxLength: 40 }),
  });
  await fc.assert(
    fc.asyncProperty(script, async ({ count, poisoned, good, other }) => {
      const indices = poisoned.filter((index) => index < count && index !== good % count);
      const { at, lines, bad, isBad } = await queued(count, indices);
      const faults = [...other];
      await serve(at, (each) => {
        const fault = faults.shift() ?? 'none';
        if (fault === 'down') return status(503);
        if (isBad(each)) return status(400);
        // An answer that is lost on the way looks the same to us, whatever had arrived.
        return fault === 'lost' ? status(504) : TAKEN;
      });
      const { text, controls } = arrived(at, lines);
      assert.equal(text.length, count);
      for (const [index, line] of text.entries()) assert.equal(isNotice(line), bad.has(lines[index] ?? ''));
      assert.deepEqual(
        text.filter((line) => !isNotice(line)),
        lines.filter((line) => !bad.has(line)),
      );
      const places = controls.map((line) => lines.indexOf(line));
      assert.ok(
        places.every((place) => place >= 0 && !bad.has(lines[place] ?? '')),
        'nothing but records that are good',
      );
      assert.ok(controls.length <= 2 * indices.length, 'few records come twice');
      assert.equal(at.journal.depth().withheld, indices.length);
      assert.equal(verifyTexts([`${text.join('\n')}\n`]).kind, 'sound');
    }),
    { numRuns: 25 },
  );
});
