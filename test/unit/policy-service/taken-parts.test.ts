import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  behindMs,
  etagOf,
  NEWS_MS,
  readEtag,
  TakenParts,
  type Part,
} from '../../../src/io/policy-service/taken-parts.ts';

const hex = (digits: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
const part = fc.record({ digest: hex(64), sinceMs: fc.nat(8_640_000_000_000) });
const parts = fc.tuple(part, part, part);

test('what an ETag says is read again; nothing of it is held back from whoever has it', () => {
  fc.assert(
    fc.property(hex(64), parts, fc.nat(), (digest, made, nowMs) => {
      const held = readEtag(etagOf(`sha256:${digest}`, made));
      assert.equal(held?.revision, `sha256:${digest}`);
      assert.deepEqual(
        held.parts,
        made.map(({ digest: whole, sinceMs }) => ({ digest: whole.slice(0, 16), sinceMs })),
      );
      assert.equal(behindMs(made, held.parts, nowMs), 0);
    }),
  );
});

test('an ETag without parts is one of ours; any other text is none, and costs nothing to read', () => {
  const revision = `sha256:${'a'.repeat(64)}`;
  assert.deepEqual(readEtag(`"${revision}"`), { revision, parts: [] });
  const one = `.${'b'.repeat(16)}-1`;
  for (const text of [
    undefined,
    '',
    '*',
    revision,
    `W/"${revision}"`,
    `"${revision}", "${revision}"`,
    `"${revision}${one}"`,
    `"${revision}${one.repeat(4)}"`,
    `"${revision}${one}${one}.${'b'.repeat(16)}--1"`,
    `"${revision}${one}${one}.${'b'.repeat(16)}-${'9'.repeat(16)}"`,
    `"${revision}${one.repeat(500)}"`,
  ])
    assert.equal(readEtag(text), undefined, String(text));
  fc.assert(fc.property(fc.string(), (text) => readEtag(text) === undefined));
});

const NOW = 1_000_000_000;
const at = (name: string, sinceMs: number): Part => ({ digest: name.repeat(64), sinceMs });
const OURS = [at('a', NOW - 500_000), at('b', NOW - 400_000), at('c', NOW - 300_000)] as const;
/** What another replica has whose part at `index` is `other`. */
const theirs = (index: number, other: Part) => OURS.map((mine, at) => (at === index ? other : mine));

test('what another replica took up later, and within the time that news take, is waited for: that long and no longer', () => {
  for (const index of [0, 1, 2]) {
    assert.equal(behindMs(OURS, theirs(index, at('d', NOW)), NOW), NEWS_MS);
    assert.equal(behindMs(OURS, theirs(index, at('d', NOW - 100_000)), NOW), NEWS_MS - 100_000);
    assert.equal(behindMs(OURS, theirs(index, at('d', NOW - NEWS_MS)), NOW), 0, 'it was time to hear of it');
    assert.equal(behindMs(OURS, theirs(index, at('d', NOW - 600_000)), NOW), 0, 'ours is newer');
  }
  assert.equal(behindMs(OURS, theirs(1, at('b', NOW)), NOW), 0, 'the same, heard of later');
  assert.equal(behindMs(OURS, [], NOW), 0, 'an older release says nothing');
});

test('newer in one part and older in another is waited for: what would be taken back counts', () => {
  const ours = [OURS[0], at('e', NOW - 10), OURS[2]] as const;
  assert.equal(behindMs(ours, theirs(0, at('d', NOW - 20_000)), NOW), NEWS_MS - 20_000);
});

test('a clock that is ahead keeps nobody from what we have: two seconds are excused, more say nothing', () => {
  assert.equal(behindMs(OURS, theirs(0, at('d', NOW + 2_000)), NOW), NEWS_MS + 2_000);
  assert.equal(behindMs(OURS, theirs(0, at('d', NOW + 2_001)), NOW), 0);
  fc.assert(
    fc.property(parts, fc.array(part), fc.nat(), (made, held, nowMs) => behindMs(made, held, nowMs) <= NEWS_MS + 2_000),
  );
});

test('a part keeps its time for as long as it stays what it is; one that comes back, or was forgotten, is new', () => {
  const taken = new TakenParts();
  const since = (digest: string, nowMs: number) => {
    taken.take('agents', digest, nowMs);
    return taken.get('agents')?.sinceMs;
  };
  assert.deepEqual([since('a', 1), since('a', 2), since('b', 3), since('a', 4)], [1, 1, 3, 4]);
  taken.keep(new Set(['agents']));
  assert.equal(since('a', 5), 4);
  taken.keep(new Set());
  assert.deepEqual([taken.get('agents'), since('a', 6)], [undefined, 6]);
});
