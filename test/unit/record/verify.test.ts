import { test } from 'node:test';
import assert from 'node:assert/strict';
import { GENESIS, hashOf } from '../../../src/core/record/chain.ts';
import { noticeLine, type Notice } from '../../../src/core/record/notice.ts';
import { createRecorder } from '../../../src/core/record/recorder.ts';
import { createChainVerifier, type BrokenChain, type SoundChain } from '../../../src/core/record/verify.ts';
import { sampleFacts } from '../../support/record-facts.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** `count` chained records, following `chainStart`. */
function chain(count: number, chainStart = GENESIS): string[] {
  const recorder = createRecorder({ labels: { id: 'i' }, chainStart });
  return Array.from({ length: count }, () => recorder.record(sampleFacts()) ?? assert.fail());
}

function verify(lines: readonly string[], from?: string, rest = ''): BrokenChain | SoundChain {
  return verifyFiles([[lines, rest]], from);
}

function verifyFiles(
  files: readonly (readonly [readonly string[], string])[],
  from?: string,
): BrokenChain | SoundChain {
  const verifier = createChainVerifier(from);
  for (const [lines, rest] of files) {
    for (const line of lines) verifier.push(bytes(line));
    verifier.endFile(bytes(rest));
  }
  return verifier.verdict();
}

function notice(what: Notice, before: string | undefined, after: string | undefined): string {
  const prev = before === undefined ? GENESIS : hashOf(before);
  const next = after === undefined ? GENESIS : hashOf(after);
  return noticeLine(what, { prev, next }, 0).line;
}

const [a, b, c, d, e] = chain(5) as [string, string, string, string, string];
const clean = { kind: 'sound', lost: 0, joined: 0, torn: 0, restarts: 0, unfinished: 0 } as const;

test('a chain is sound, and says where it begins and ends', () => {
  assert.deepEqual(verify([a, b, c]), { ...clean, lines: 3, records: 3, first: GENESIS, last: hashOf(c) });
  assert.deepEqual(verify([]), { ...clean, lines: 0, records: 0, first: undefined, last: undefined });
});

test('a part of a chain is sound too: what was cut off its ends shows only against a known hash', () => {
  assert.equal(verify([b, c]).kind, 'sound');
  assert.deepEqual(verify([b, c], GENESIS), { kind: 'broken', line: 1, why: 'order' });
  assert.equal(verify([b, c], hashOf(a)).kind, 'sound');
});

const damage: readonly (readonly [string, readonly string[], number, BrokenChain['why']])[] = [
  ['a removed line', [a, c], 2, 'order'],
  ['two lines that changed places', [b, a, c], 2, 'order'],
  ['a line twice', [a, a, b], 2, 'order'],
  ['a line of another chain', [a, chain(2, 'f'.repeat(64))[0] ?? '', b], 2, 'order'],
  ['a changed line', [a, b.replace('"allow"', '"deny"'), c], 2, 'changed'],
  ['a changed first line', [a.replace('GET', 'PUT'), b], 1, 'changed'],
  ['a line that is none', [a, 'hello', b], 2, 'malformed'],
  ['an empty line', [a, '', b], 2, 'malformed'],
  ['a line without its end, then another', [a, b.slice(0, -1), c], 2, 'malformed'],
  ['nonsense at the end', [a, b, 'hello'], 3, 'malformed'],
  ['nonsense in the place of a line', [a, 'hello', notice({ kind: 'torn' }, b, b), c], 3, 'order'],
];

for (const [what, lines, line, why] of damage) {
  test(`broken: ${what}`, () => {
    assert.deepEqual(verify(lines), { kind: 'broken', line, why });
  });
}

test('what is broken once stays broken', () => {
  const verifier = createChainVerifier();
  assert.equal(verifier.push(bytes(a)), undefined);
  const first = verifier.push(bytes(c));
  assert.deepEqual(first, { kind: 'broken', line: 2, why: 'order' });
  assert.equal(verifier.push(bytes(b)), first);
  assert.equal(verifier.endFile(bytes('')), first);
  assert.equal(verifier.verdict(), first);
});

test('a lost notice bridges exactly the records that it declares', () => {
  const lost = notice({ kind: 'lost', records: 2 }, b, d);
  assert.deepEqual(verify([a, b, lost, e]), {
    ...clean,
    lines: 4,
    records: 3,
    lost: 2,
    first: GENESIS,
    last: hashOf(e),
  });
  assert.deepEqual(verify([a, lost, e]), { kind: 'broken', line: 2, why: 'order' });
  assert.deepEqual(verify([a, b, lost, d, e]), { kind: 'broken', line: 4, why: 'order' });
});

test('a joined notice bridges two chains', () => {
  const [first, second] = chain(2, 'f'.repeat(64)) as [string, string];
  const joined = noticeLine({ kind: 'joined' }, { prev: hashOf(b), next: 'f'.repeat(64) }, 0).line;
  const verdict = verify([a, b, joined, first, second]);
  assert.deepEqual(verdict, { ...clean, lines: 5, records: 4, joined: 1, first: GENESIS, last: hashOf(second) });
});

test('a torn line is accepted only where the line after it says so', () => {
  const torn = notice({ kind: 'torn' }, a, a);
  const cut = b.slice(0, 50);
  assert.deepEqual(verify([a, cut, torn, b]), {
    ...clean,
    lines: 4,
    records: 2,
    torn: 1,
    first: GENESIS,
    last: hashOf(b),
  });
  assert.deepEqual(verify([a, cut, notice({ kind: 'joined' }, a, a), b]), {
    kind: 'broken',
    line: 2,
    why: 'malformed',
  });
  const twice = verify([a, cut, 'and a notice cut sho', torn, b]);
  assert.equal(twice.kind === 'sound' && twice.torn, 2);
  assert.equal(verify([cut, notice({ kind: 'torn' }, undefined, undefined), a]).kind, 'sound');
});

test('a notice is covered by its own hash', () => {
  const lost = notice({ kind: 'lost', records: 2 }, b, d);
  assert.deepEqual(verify([a, b, lost.replace(':2}', ':3}'), e]), { kind: 'broken', line: 3, why: 'changed' });
});

test('bytes after the last line end: a whole line counts, a begun one is told', () => {
  assert.deepEqual(verify([a], undefined, b), { ...clean, lines: 2, records: 2, first: GENESIS, last: hashOf(b) });
  const begun = verify([a], undefined, b.slice(0, 40));
  assert.equal(begun.kind === 'sound' && begun.unfinished, 1);
  assert.deepEqual(verify([a], undefined, c), { kind: 'broken', line: 2, why: 'order' });
  assert.deepEqual(verify([a], undefined, ''), { ...clean, lines: 1, records: 1, first: GENESIS, last: hashOf(a) });
});

test('several files of one log: each continues the one before', () => {
  assert.deepEqual(
    verifyFiles([
      [[a, b], ''],
      [[], ''],
      [[c], ''],
    ]),
    {
      ...clean,
      lines: 3,
      records: 3,
      first: GENESIS,
      last: hashOf(c),
    },
  );
  assert.deepEqual(
    verifyFiles([
      [[a, b], ''],
      [[d], ''],
    ]),
    { kind: 'broken', line: 3, why: 'order' },
  );
});

test('several files: a line begun in one and written whole in the next is told, not broken', () => {
  const verdict = verifyFiles([
    [[a], b.slice(0, 30)],
    [[b], ''],
  ]);
  assert.deepEqual(verdict, { ...clean, lines: 2, records: 2, unfinished: 1, first: GENESIS, last: hashOf(b) });
});

test('several files: a new chain may begin with a file, nowhere else, and is told', () => {
  const [fresh] = chain(1) as [string];
  assert.deepEqual(
    verifyFiles([
      [[a, b], ''],
      [[fresh], ''],
    ]),
    {
      ...clean,
      lines: 3,
      records: 3,
      restarts: 1,
      first: GENESIS,
      last: hashOf(fresh),
    },
  );
  assert.deepEqual(verify([a, b, fresh]), { kind: 'broken', line: 3, why: 'order' });
  assert.deepEqual(
    verifyFiles([
      [[a, b], ''],
      [[c, fresh], ''],
    ]),
    { kind: 'broken', line: 4, why: 'order' },
  );
});
