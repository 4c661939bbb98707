import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { createRecorder } from '../../../src/core/record/recorder.ts';
import { createLineMaker, verifyTexts } from '../../support/journal-lines.ts';
import { sampleFacts } from '../../support/record-facts.ts';
import { until } from '../../support/until.ts';
import { asked, DOWN, put, TAKEN, uploadWorld, type UploadWorld } from '../../support/upload-world.ts';

/** Takes every upload until the queue is empty. */
async function takeAll(at: UploadWorld): Promise<void> {
  while (at.journal.depth().records > 0) {
    at.clock.advance(3_000);
    await until('an upload or the end', () => at.receiver.isAsked || at.journal.depth().records === 0);
    if (at.receiver.isAsked) at.receiver.answer(TAKEN);
    await new Promise(setImmediate);
  }
}

describe('when records are posted', () => {
  test('after the pause, together, in order, byte for byte as they are in a file', async () => {
    const at = await uploadWorld();
    const make = createLineMaker();
    const lines = [put(at.journal, make()), put(at.journal, make())];
    at.clock.advance(5);
    lines.push(put(at.journal, make()));
    at.clock.advance(999);
    assert.equal(at.receiver.isAsked, false);
    at.clock.advance(1);
    await asked(at);
    at.receiver.answer(TAKEN);
    await until('room', () => at.journal.depth().records === 0);
    assert.deepEqual(
      at.receiver.posts.map((post) => post.lines),
      [lines],
    );
    assert.equal(verifyTexts([`${at.receiver.taken.join('\n')}\n`]).kind, 'sound');
  });

  test('at once where an upload is full, and where a quarter of the queue waits', async () => {
    const full = await uploadWorld({ maxBytes: 16_384 });
    const make = createLineMaker();
    for (let count = 0; count < 300; count += 1) put(full.journal, make());
    full.clock.advance(5);
    await asked(full);
    const quarter = await uploadWorld({}, { queueRecords: 40 });
    for (let count = 0; count < 10; count += 1) put(quarter.journal, make());
    quarter.clock.advance(5);
    await asked(quarter);
    assert.equal(quarter.receiver.posts[0]?.lines.length, 10);
  });

  test('a record keeps its room until it was taken: a receiver that is down slows, then refuses', async () => {
    const at = await uploadWorld({}, { queueRecords: 4, waitMs: 1_000 });
    const make = createLineMaker();
    for (let count = 0; count < 4; count += 1) put(at.journal, make());
    at.clock.advance(5);
    await asked(at);
    assert.equal(at.journal.reserve(), false);
    const answers: boolean[] = [];
    at.journal.reserveLater((reserved) => answers.push(reserved));
    at.receiver.answer(DOWN);
    await until('the failure', () => at.journal.depth().sinks[0]?.ok === false);
    at.clock.advance(1_000);
    assert.deepEqual(answers, [false]);
    await asked(at);
    at.receiver.answer(TAKEN);
    await until('room', () => at.journal.reserve());
  });
});

describe('a receiver that fails', () => {
  test('gets the same upload again, later each time, until it takes it; health and log say so once', async () => {
    const at = await uploadWorld();
    const line = put(at.journal, createLineMaker()());
    at.clock.advance(5);
    at.clock.advance(1_000);
    for (const pause of [250, 500, 1_000]) {
      await asked(at);
      at.receiver.answer(DOWN);
      await until('the pause', () => at.clock.timers === 1);
      const { ok, name, detail } = at.journal.depth().sinks[0] ?? {};
      assert.deepEqual([ok, name, detail], [false, 'https://logs.test/logs', 'HTTP_503 answered 503']);
      at.clock.advance(pause - 1);
      assert.equal(at.receiver.isAsked, false);
      at.clock.advance(1);
    }
    await asked(at);
    at.receiver.answer(TAKEN);
    await until('health', () => at.journal.depth().sinks[0]?.ok === true);
    assert.deepEqual(
      at.receiver.posts.map((post) => post.lines),
      Array.from({ length: 4 }, () => [line]),
    );
    assert.equal(at.said.length, 2);
    assert.ok(!at.said.join('').includes('secret'));
  });

  test('Retry-After is the least pause', async () => {
    const at = await uploadWorld();
    put(at.journal, createLineMaker()());
    at.clock.advance(5);
    at.clock.advance(1_000);
    await asked(at);
    at.receiver.answer({ ...DOWN, retryAfterMs: 60_000 });
    await until('the pause', () => at.clock.timers === 1);
    at.clock.advance(59_999);
    assert.equal(at.receiver.isAsked, false);
    at.clock.advance(1);
    await asked(at);
  });

  test('stop: what is queued goes out at once; what is not taken within the grace is counted', async () => {
    const at = await uploadWorld();
    const make = createLineMaker();
    put(at.journal, make());
    const stopped = at.journal.stop(10_000);
    await asked(at);
    at.receiver.answer(TAKEN);
    assert.equal(await stopped, 0);
    assert.ok(at.receiver.isStopped);

    const down = await uploadWorld();
    put(down.journal, make());
    const lost = down.journal.stop(2_000);
    await asked(down);
    down.receiver.answer(DOWN);
    await until('the pause', () => down.clock.timers === 2);
    down.clock.advance(250);
    await asked(down);
    down.clock.advance(2_000);
    assert.equal(await lost, 1);
  });
});

describe('size', () => {
  test('no upload is larger than the bound, and most are nearly full', async () => {
    const at = await uploadWorld({ maxBytes: 16_384 });
    const make = createLineMaker();
    const lines = Array.from({ length: 1_500 }, () => put(at.journal, make()));
    at.clock.advance(5);
    await takeAll(at);
    assert.deepEqual(at.receiver.taken, lines);
    const sizes = at.receiver.posts.map((post) => post.bytes);
    assert.ok(Math.max(...sizes) <= 16_384);
    assert.ok(
      sizes.slice(1, -1).every((size) => size > 8_192),
      String(sizes),
    );
  });

  test('413: smaller uploads from then on, nothing is lost', async () => {
    const at = await uploadWorld();
    const make = createLineMaker();
    const lines = Array.from({ length: 64 }, () => put(at.journal, make()));
    at.clock.advance(5);
    at.clock.advance(1_000);
    let limit = 0;
    while (at.journal.depth().records > 0) {
      at.clock.advance(3_000);
      await until('an upload or the end', () => at.receiver.isAsked || at.journal.depth().records === 0);
      const bytes = at.receiver.posts.at(-1)?.bytes ?? 0;
      limit ||= bytes / 3;
      if (at.receiver.isAsked) at.receiver.answer(bytes > limit ? { kind: 'too_large' } : TAKEN);
      await new Promise(setImmediate);
    }
    assert.deepEqual(at.receiver.taken, lines);
  });

  test('413: uploads grow again once larger ones are taken, and the log says it once on the way down', async () => {
    const at = await uploadWorld({ maxBytes: 16_384 });
    const make = createLineMaker();
    const lines = Array.from({ length: 1_500 }, () => put(at.journal, make()));
    at.clock.advance(5);
    let refusals = 3;
    while (at.journal.depth().records > 0) {
      at.clock.advance(3_000);
      await until('an upload or the end', () => at.receiver.isAsked || at.journal.depth().records === 0);
      if (at.receiver.isAsked) at.receiver.answer((refusals -= 1) >= 0 ? { kind: 'too_large' } : TAKEN);
      await new Promise(setImmediate);
    }
    assert.deepEqual(at.receiver.taken, lines);
    const sizes = at.receiver.posts.map((post) => post.bytes);
    assert.ok(Math.max(...sizes.slice(-8, -1)) > 2 * (sizes[3] ?? 0), String(sizes));
    assert.ok(Math.max(...sizes) <= 16_384);
    assert.equal(at.said.filter((said) => said.startsWith('the receiver takes smaller uploads only')).length, 1);
  });

  test('promise 3: a record that is too large is shortened, then replaced by a notice that names it; the chain holds', async () => {
    const at = await uploadWorld();
    const recorder = createRecorder({ labels: { id: 'i' } });
    const line = (): string => recorder.record(sampleFacts()) ?? '';
    const lines = [line(), line(), line()];
    const large = lines[1] ?? '';
    for (const each of lines) put(at.journal, each);
    at.clock.advance(5);
    at.clock.advance(1_000);
    const isLarge = (post: { readonly lines: readonly string[] } | undefined): boolean =>
      post?.lines.some((each) => each === large) === true;
    while (at.journal.depth().records > 0) {
      at.clock.advance(3_000);
      await until('an upload or the end', () => at.receiver.isAsked || at.journal.depth().records === 0);
      if (at.receiver.isAsked) at.receiver.answer(isLarge(at.receiver.posts.at(-1)) ? { kind: 'too_large' } : TAKEN);
      await new Promise(setImmediate);
    }
    const { decision_id } = JSON.parse(large) as { decision_id: string };
    const notices = at.receiver.taken
      .filter((each) => each.startsWith('{"notice":'))
      .map((each) => JSON.parse(each) as { notice: unknown });
    assert.deepEqual(
      notices.map(({ notice }) => notice),
      [{ kind: 'withheld', decision_id, bytes: Buffer.byteLength(large) }],
    );
    const verdict = verifyTexts([`${at.receiver.taken.join('\n')}\n`]);
    assert.ok(verdict.kind === 'sound');
    assert.deepEqual([verdict.records, verdict.lost], [2, 1]);
    assert.ok(at.said.some((said) => said.startsWith('a decision record is too large for the receiver: withheld')));
  });
});

test('property: whatever the receiver answers, every line is taken once or more, in order, and none is skipped', async () => {
  const outcome = fc.constantFrom('taken', 'taken', 'failed', 'too_large');
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.array(outcome, { maxLength: 12 }), async (count, script) => {
      const at = await uploadWorld({ maxBytes: 16_384 });
      const make = createLineMaker();
      const lines = Array.from({ length: count }, () => put(at.journal, make()));
      at.clock.advance(5);
      const answers = [...script];
      while (at.journal.depth().records > 0) {
        at.clock.advance(30_000);
        await until(
          'an upload or the end',
          () => at.receiver.isAsked || at.clock.timers > 0 || at.journal.depth().records === 0,
        );
        if (!at.receiver.isAsked) continue;
        const single = at.receiver.posts.at(-1)?.lines.length === 1;
        const next = answers.shift() ?? 'taken';
        // A single line that is too large becomes a notice: that has a test of its own.
        if (next === 'too_large' && !single) at.receiver.answer({ kind: 'too_large' });
        else at.receiver.answer(next === 'failed' ? DOWN : TAKEN);
        await new Promise(setImmediate);
      }
      assert.deepEqual(at.receiver.taken, lines);
    }),
    { numRuns: 40 },
  );
});
