import assert from 'node:assert/strict';
import { test } from 'node:test';

import { err, ok } from '../../../src/core/kernel/result.ts';
import { createSource } from '../../../src/io/sources/follower.ts';
import { createManualTimer } from '../../support/manual-timer.ts';

import type { Result } from '../../../src/core/kernel/result.ts';
import type { Source } from '../../../src/io/sources/follower.ts';
import type { Problems } from '../../../src/io/sources/problem.ts';
import type { ManualTimer } from '../../support/manual-timer.ts';

const POLL = 1_000;
const SETTLE = 100;

/** A source over a text in memory: content beginning with `bad` cannot be read, with `wrong` cannot be applied. */
interface World {
  /** Sets content; the fingerprint changes with it. */
  write(content: string): void;
  touch(): void;
  readonly source: Source<string>;
  readonly timer: ManualTimer;
  /** Everything that was told and done, in order. */
  readonly log: string[];
  /** Runs before each read. */
  beforeRead: () => void;
}

function world(content: string, retry = false): World {
  const timer = createManualTimer();
  const log: string[] = [];
  let version = 0;
  let text = content;
  const made: World = {
    write: (next) => {
      text = next;
      version += 1;
    },
    touch: () => void (version += 1),
    timer,
    log,
    beforeRead: () => {},
    source: createSource<string, string>(
      {
        fingerprint: () => Promise.resolve(String(version)),
        folders: () => [],
        read: () => {
          made.beforeRead();
          log.push(`read ${text}`);
          return Promise.resolve<Result<string, Problems>>(text.startsWith('bad') ? err([text]) : ok(text));
        },
        digest: (value) => value,
        apply: (value) => {
          log.push(`apply ${value}`);
          if (value.startsWith('throw')) throw new Error(value);
          return Promise.resolve<Result<string, Problems>>(value.startsWith('wrong') ? err([value]) : ok(value));
        },
      },
      {
        timer: timer.timer,
        retry,
        onChange: (value) => log.push(`now ${value}`),
        onProblem: (problem) => log.push(`problem ${problem?.join() ?? 'over'}`),
      },
    ),
  };
  return made;
}

/** One regular look, to its end: the next one is only set then. */
async function look({ timer }: World): Promise<void> {
  await timer.fire(POLL);
  while (!timer.set().includes(POLL)) await new Promise((resolve) => setImmediate(resolve));
}

test('the first content is in force after start', async () => {
  const { source, log } = world('a');
  assert.equal(source.current, undefined);
  await source.start();
  assert.deepEqual([source.current, source.problem, log], ['a', undefined, ['read a', 'apply a', 'now a']]);
});

test('a first content that is no good is told at once, and the first good one goes in force', async () => {
  const it = world('wrong');
  await it.source.start();
  assert.deepEqual([it.source.current, it.source.problem], [undefined, ['wrong']]);
  it.write('a');
  await look(it);
  assert.deepEqual([it.source.current, it.source.problem], ['a', undefined]);
  assert.deepEqual(it.log.slice(-3), ['apply a', 'problem over', 'now a']);
});

test('as long as nothing may have changed nothing is read', async () => {
  const it = world('a');
  await it.source.start();
  await look(it);
  await look(it);
  assert.deepEqual(it.log, ['read a', 'apply a', 'now a']);
});

test('touching changes nothing', async () => {
  const it = world('a');
  await it.source.start();
  it.touch();
  await look(it);
  await it.source.reload();
  assert.equal(it.log.filter((line) => line.startsWith('apply')).length, 1);
});

test('promise 7: last good wins; what is wrong is told after the quiet time, once', async () => {
  const it = world('a');
  await it.source.start();
  it.write('wrong');
  await look(it);
  assert.deepEqual([it.source.current, it.source.problem], ['a', undefined]);
  await it.timer.fire(SETTLE);
  await look(it);
  assert.deepEqual([it.source.current, it.source.problem], ['a', ['wrong']]);
  await look(it);
  assert.equal(it.log.filter((line) => line === 'problem wrong').length, 1);
});

test('what cannot be read is as wrong as what cannot be applied', async () => {
  const it = world('a');
  await it.source.start();
  it.write('bad');
  await look(it);
  await look(it);
  assert.deepEqual([it.source.current, it.source.problem], ['a', ['bad']]);
});

test('content that is whole again before the quiet time was never wrong: certificate and key written one after the other', async () => {
  const it = world('a');
  await it.source.start();
  it.write('wrong: half written');
  await look(it);
  it.write('b');
  await it.timer.fire(SETTLE);
  await look(it);
  assert.deepEqual([it.source.current, it.source.problem], ['b', undefined]);
  assert.equal(
    it.log.some((line) => line.startsWith('problem')),
    false,
  );
});

test('going back to the good content ends the problem without a change', async () => {
  const it = world('a');
  await it.source.start();
  it.write('wrong');
  await it.source.reload();
  it.write('a');
  await look(it);
  assert.deepEqual(it.log.slice(-2), ['read a', 'problem over']);
  assert.equal(it.source.problem, undefined);
});

test('another problem is told in place of the first', async () => {
  const it = world('wrong 1');
  await it.source.start();
  it.write('wrong 2');
  await look(it);
  await look(it);
  assert.deepEqual(it.source.problem, ['wrong 2']);
});

test('content that failed is not applied again at every look', async () => {
  const it = world('wrong');
  await it.source.start();
  it.touch();
  await look(it);
  it.touch();
  await look(it);
  assert.equal(it.log.filter((line) => line.startsWith('apply')).length, 1);
});

test('content that failed is applied again at every look where time may mend it, and told once', async () => {
  const it = world('wrong', true);
  await it.source.start();
  await look(it);
  await look(it);
  assert.equal(it.log.filter((line) => line.startsWith('apply')).length, 3);
  assert.equal(it.log.filter((line) => line.startsWith('problem')).length, 1);
});

test('SIGHUP: reload tries failed content again, and tells a failure at once', async () => {
  const it = world('a');
  await it.source.start();
  it.write('wrong');
  await it.source.reload();
  assert.deepEqual(it.source.problem, ['wrong']);
  await it.source.reload();
  assert.equal(it.log.filter((line) => line === 'apply wrong').length, 2);
});

test('content that changes while it is read is read again', async () => {
  const it = world('a');
  let reads = 0;
  it.beforeRead = () => {
    reads += 1;
    if (reads === 1) it.write('b');
  };
  await it.source.start();
  assert.deepEqual(it.log, ['read b', 'read b', 'apply b', 'now b']);
});

test('content that never stops changing is judged after five reads', async () => {
  const it = world('a');
  it.beforeRead = () => it.touch();
  await it.source.start();
  assert.equal(it.log.filter((line) => line.startsWith('read')).length, 5);
  assert.equal(it.source.current, 'a');
});

test('a fault of ours in applying is a problem of the source, not the end of the process', async () => {
  const it = world('a');
  await it.source.start();
  it.write('throw');
  await it.source.reload();
  assert.deepEqual([it.source.current, it.source.problem], ['a', ['throw']]);
  it.write('b');
  await look(it);
  assert.deepEqual([it.source.current, it.source.problem], ['b', undefined]);
});

test('looks never overlap: two reloads at once apply one after the other', async () => {
  const it = world('a');
  const first = it.source.reload();
  it.write('b');
  await Promise.all([first, it.source.reload()]);
  const applied = it.log.filter((line) => line.startsWith('apply'));
  assert.equal(applied.at(-1), 'apply b');
  assert.equal(it.source.current, 'b');
});

test('after stop nothing is looked at, no timer is left, and the last good value stays', async () => {
  const it = world('a');
  await it.source.start();
  it.source.stop();
  it.write('b');
  await it.source.reload();
  assert.deepEqual([it.timer.set(), it.source.current], [[], 'a']);
});
