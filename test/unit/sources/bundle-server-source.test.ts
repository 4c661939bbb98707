import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';

import { createSigningKey, createVerificationKey } from '../../../src/core/bundle/signature-key.ts';
import { err, ok } from '../../../src/core/kernel/result.ts';
import { bundleName, createBundleServerSource } from '../../../src/io/sources/bundle-server-source.ts';
import { createArchiveJudge } from '../../../src/io/sources/judge-archive.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { deltaArchive, snapshotArchive } from '../../support/policy-archives.ts';
import { archiveAnswer, createScriptedBundleServer, failed, unchanged } from '../../support/scripted-bundle-server.ts';
import { until } from '../../support/until.ts';

import type { SigningKey } from '../../../src/core/bundle/signature-key.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { BundleServerPace } from '../../../src/io/sources/bundle-server-source.ts';
import type { LastGood, LastGoodStore } from '../../../src/io/sources/last-good-copy.ts';
import type { PolicyRevision } from '../../../src/io/sources/policy-revision.ts';
import type { Problems } from '../../../src/io/sources/problem.ts';

const NAMES = { name: 'agents', where: 'https://b.test/agents' };
const PACE: BundleServerPace = { minDelayMs: 60_000, maxDelayMs: 120_000, longPollingMs: undefined };
const SECRET = 'a shared secret of thirty-two bytes and more';

/** A store in memory. */
function memoryStore(kept?: LastGood & { readonly problem?: string }): LastGoodStore & { saved: LastGood[] } {
  const saved: LastGood[] = [];
  return {
    saved,
    load: () => Promise.resolve(ok(kept && { problem: undefined, ...kept })),
    save: (copy) => {
      saved.push(copy);
      return Promise.resolve(ok(undefined));
    },
  };
}

type Options = {
  readonly pace?: Partial<BundleServerPace>;
  readonly store?: LastGoodStore;
  readonly signed?: boolean;
  /** Refuses revisions whose data say so. */
  readonly activate?: (revision: PolicyRevision) => Result<unknown, Problems>;
};

/** A source whose value is the data of the policy in force. */
function world({ pace, store, signed, activate = ({ data }) => ok(data) }: Options = {}) {
  const server = createScriptedBundleServer();
  const clock = createDrivenClock();
  const changes: unknown[] = [];
  const problems: (Problems | undefined)[] = [];
  const warnings: string[] = [];
  let broken: Error | undefined;
  const source = createBundleServerSource<unknown>(
    NAMES,
    { ...PACE, ...pace },
    {
      server,
      judge: createArchiveJudge(() => {
        const error = broken;
        broken = undefined;
        if (error !== undefined) throw error;
        return Promise.resolve(ok(signed === true ? verification() : undefined));
      }),
      store,
      descriptors: () => Promise.resolve(ok(undefined)),
      compile: () => Promise.resolve(err(['no compiler'])),
      activate: (revision) => Promise.resolve(activate(revision)),
      clock,
      random: (length) => new Uint8Array(length),
      timer: clock.timer,
      onChange: (value) => changes.push(value),
      onProblem: (found) => problems.push(found),
      onWarning: (warning) => warnings.push(warning),
    },
  );
  /** Lets the pause pass and gives the answer to the request that follows. */
  const next = async (answer: Parameters<typeof server.answer>[0], pauseMs: number): Promise<void> => {
    await until('the pause', () => clock.timers === 1);
    clock.advance(pauseMs - 1);
    assert.equal(clock.timers, 1, 'the pause is over too early');
    clock.advance(1);
    await until('a request', () => server.isAsked);
    server.answer(answer);
    await until('the end of it', () => clock.timers === 1);
  };
  const throwNext = (error: Error): void => {
    broken = error;
  };
  return { server, clock, changes, problems, warnings, source, next, throwNext };
}

function verification() {
  const key = createVerificationKey('HS256', SECRET);
  assert.ok(key.ok);
  return { keys: new Map([['k', key.value]]), keyId: 'k' };
}

function signingKey(secret = SECRET): SigningKey {
  const key = createSigningKey('HS256', secret, { keyId: 'k' });
  assert.ok(key.ok);
  return key.value;
}

describe('OPA bundles: downloads', () => {
  test('the first bundle is in force when start resolves; 304 leaves it there; a new one replaces it', async () => {
    const at = world();
    at.server.answer(archiveAnswer(snapshotArchive({ revision: '1', data: { a: 1 } }), '"1"'));
    await at.source.start();
    assert.deepEqual(at.source.current, { a: 1 });
    await at.next(unchanged(), 60_000);
    await at.next(archiveAnswer(snapshotArchive({ revision: '2', data: { a: 2 } }), '"2"'), 60_000);
    assert.deepEqual(at.changes, [{ a: 1 }, { a: 2 }]);
    assert.deepEqual(
      at.server.asks.map(({ etag, delta, waitMs }) => [etag, delta, waitMs]),
      [
        [undefined, false, undefined],
        ['"1"', true, undefined],
        ['"1"', true, undefined],
      ],
    );
    const { activeRevision, type, problem } = at.source.state;
    assert.deepEqual([activeRevision, type, problem], ['2', 'snapshot', undefined]);
  });

  test('the same bundle under another tag is not activated again', async () => {
    const at = world();
    const bytes = snapshotArchive({ revision: '1' });
    at.server.answer(archiveAnswer(bytes, '"1"'));
    await at.source.start();
    await at.next(archiveAnswer(bytes, '"2"'), 60_000);
    assert.equal(at.changes.length, 1);
    await at.next(unchanged(), 60_000);
    assert.equal(at.server.asks.at(-1)?.etag, '"2"');
  });

  test('any failure makes the tag be forgotten, and pauses that double, with Retry-After as the least', async () => {
    const at = world();
    at.server.answer(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"'));
    await at.source.start();
    await at.next(failed('https://b.test/agents: answered 500', 500), 60_000);
    await at.next(failed('https://b.test/agents: answered 500', 500), 250);
    await at.next(failed('https://b.test/agents: answered 503', 503, 9_000), 500);
    await at.next(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"'), 9_000);
    await at.next(unchanged(), 60_000);
    assert.deepEqual(
      at.server.asks.map(({ etag }) => etag),
      [undefined, '"1"', undefined, undefined, undefined, '"1"'],
    );
    assert.deepEqual(at.problems, [
      ['https://b.test/agents: answered 500'],
      ['https://b.test/agents: answered 503'],
      undefined,
    ]);
    assert.deepEqual([at.source.current, at.changes.length], [{ a: 1 }, 1]);
  });

  test('pauses between failures never exceed maxDelay', async () => {
    const at = world({ pace: { minDelayMs: 1_000, maxDelayMs: 4_000 } });
    at.server.answer(failed('no'));
    await at.source.start();
    for (const pause of [250, 500, 1_000, 2_000, 2_000, 2_000]) await at.next(failed('no'), pause);
    assert.equal(at.source.current, undefined);
    assert.deepEqual(at.problems, [['no']]);
  });

  test('stop: no further request, and the one under way changes nothing', async () => {
    const at = world();
    at.server.answer(failed('no'));
    await at.source.start();
    at.clock.advance(250);
    await until('a request', () => at.server.isAsked);
    at.source.stop();
    at.server.answer(archiveAnswer(snapshotArchive({}), '"1"'));
    await new Promise(setImmediate);
    assert.deepEqual([at.source.current, at.clock.timers, at.server.isStopped], [undefined, 0, true]);
  });

  test('reload asks at once', async () => {
    const at = world();
    at.server.answer(archiveAnswer(snapshotArchive({ data: 1 }), '"1"'));
    await at.source.start();
    at.server.answer(archiveAnswer(snapshotArchive({ data: { a: 2 } }), '"2"'));
    await at.source.reload();
    assert.deepEqual(at.source.current, { a: 2 });
  });
});

describe('OPA bundles: long polling', () => {
  test('a server that can hold requests is asked again at once, with wait; one that lies is asked once a second', async () => {
    const at = world({ pace: { longPollingMs: 30_000 } });
    at.server.answer(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"', true));
    await at.source.start();
    assert.equal(at.server.asks[0]?.waitMs, undefined, 'the first answer is not to be waited for');
    await at.next(unchanged(true), 1_000);
    assert.equal(at.server.asks[1]?.waitMs, 30_000);
    await at.next(archiveAnswer(snapshotArchive({ data: { a: 2 } }), '"2"', true), 1_000);
    assert.deepEqual(at.source.current, { a: 2 });
  });

  test('a server that always has another bundle costs a fifth of our time at most', async () => {
    const takes = [500, 3_000, 3_000];
    const at = world({
      pace: { longPollingMs: 30_000 },
      activate: ({ data }) => {
        at.clock.advance(takes.shift() ?? 0);
        return (data as { bad?: true }).bad === true ? err(['the policy traps']) : ok(data);
      },
    });
    at.server.answer(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"', true));
    await at.source.start();
    await at.next(archiveAnswer(snapshotArchive({ data: { a: 2 } }), '"2"', true), 2_000);
    await at.next(archiveAnswer(snapshotArchive({ data: { bad: true } }), '"3"', true), 12_000);
    await at.next(archiveAnswer(snapshotArchive({ data: { a: 4 } }), '"4"', true), 12_000);
    assert.deepEqual(at.source.current, { a: 4 });
  });

  test('a server that stops holding requests is asked as any other (downgrade)', async () => {
    const at = world({ pace: { longPollingMs: 30_000 } });
    at.server.answer(archiveAnswer(snapshotArchive({}), '"1"', true));
    await at.source.start();
    await at.next(unchanged(false), 1_000);
    await at.next(unchanged(false), 60_000);
    assert.equal(at.server.asks.at(-1)?.waitMs, undefined);
  });

  test('reload does not wait for a request that is held', async () => {
    const at = world({ pace: { longPollingMs: 30_000 } });
    at.server.answer(archiveAnswer(snapshotArchive({}), '"1"', true));
    await at.source.start();
    at.clock.advance(1_000);
    await until('a request', () => at.server.isAsked);
    await at.source.reload();
    assert.ok(at.server.isAsked);
  });
});

describe('promise 7: what is no good changes nothing', () => {
  const CASES: Readonly<Record<string, readonly [bytes: Uint8Array, reason: RegExp]>> = {
    'no gzip': [Buffer.from('<html>'), /gzip_malformed/],
    'a bundle cut short': [snapshotArchive({ data: { a: 9 } }).subarray(0, 60), /gzip_malformed/],
    'a signed one without a key': [snapshotArchive({ key: signingKey() }), /signature_unexpected/],
    'a delta that does not fit': [
      deltaArchive({ operations: [{ op: 'replace', path: '/none/x', value: 1 }] }),
      /delta_target_missing/,
    ],
    'an empty delta, which would wipe all': [deltaArchive({ operations: [] }), /delta_empty/],
    'one that cannot be activated': [snapshotArchive({ data: { bad: true } }), /^the policy traps$/],
  };
  for (const [title, [bytes, reason]] of Object.entries(CASES)) {
    test(title, async () => {
      const at = world({
        activate: ({ data }) => ((data as { bad?: true }).bad === true ? err(['the policy traps']) : ok(data)),
      });
      at.server.answer(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"'));
      await at.source.start();
      await at.next(archiveAnswer(bytes, '"2"'), 60_000);
      assert.deepEqual([at.source.current, at.changes.length], [{ a: 1 }, 1]);
      assert.match(at.source.problem?.[0] ?? '', reason);
      assert.match(at.source.state.problem?.message ?? '', reason);
      assert.equal(at.source.state.activeRevision !== undefined, true);
      await at.next(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"'), 250);
      assert.equal(at.server.asks.at(-1)?.etag, undefined);
      assert.equal(at.source.problem, undefined);
    });
  }

  test('what throws is a problem like any other, and the server is asked again', async () => {
    const at = world({
      activate: ({ data }) => {
        if ((data as { bad?: true }).bad === true) throw new RangeError('Invalid string length');
        return ok(data);
      },
    });
    at.server.answer(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"'));
    await at.source.start();
    await at.next(archiveAnswer(snapshotArchive({ data: { bad: true } }), '"2"'), 60_000);
    assert.deepEqual(at.source.problem, [`${NAMES.where}: could not be judged: Invalid string length`]);
    at.throwNext(new RangeError('Array buffer allocation failed'));
    await at.next(archiveAnswer(snapshotArchive({ data: { a: 2 } }), '"3"'), 250);
    assert.deepEqual(at.source.problem, [`${NAMES.where}: could not be judged: Array buffer allocation failed`]);
    await at.next(archiveAnswer(snapshotArchive({ data: { a: 2 } }), '"3"'), 500);
    assert.deepEqual([at.source.problem, at.source.current], [undefined, { a: 2 }]);
  });

  test('a bundle that is unsigned, or signed by another, is refused where keys are configured', async () => {
    const at = world({ signed: true });
    at.server.answer(archiveAnswer(snapshotArchive({ data: { a: 1 }, key: signingKey() }), '"1"'));
    await at.source.start();
    assert.deepEqual(at.source.current, { a: 1 });
    await at.next(archiveAnswer(snapshotArchive({ data: { a: 2 } }), '"2"'), 60_000);
    assert.match(at.source.problem?.[0] ?? '', /signature_missing/);
    const other = signingKey('another secret that is as long as the first');
    await at.next(archiveAnswer(snapshotArchive({ data: { a: 2 }, key: other }), '"2"'), 250);
    assert.match(at.source.problem?.[0] ?? '', /signature_invalid/);
    assert.deepEqual(at.source.current, { a: 1 });
  });

  test('an older sequence, none and the same one with other content are refused (replay)', async () => {
    const at = world();
    at.server.answer(archiveAnswer(snapshotArchive({ data: { a: 5 }, sequence: 5 }), '"5"'));
    await at.source.start();
    let pause = 60_000;
    for (const [parts, reason] of [
      [{ data: { a: 4 }, sequence: 4 }, /sequence_older/],
      [{ data: { a: 4 } }, /sequence_missing/],
      [{ data: { a: 4 }, sequence: 5 }, /sequence_reused/],
    ] as const) {
      await at.next(archiveAnswer(snapshotArchive(parts), '"x"'), pause);
      assert.match(at.source.problem?.[0] ?? '', reason);
      pause = pause === 60_000 ? 250 : pause * 2;
    }
    assert.deepEqual(at.source.current, { a: 5 });
  });
});

describe('OPA bundles: deltas', () => {
  test('a delta changes the bundle in force; without a tag none is asked for', async () => {
    const store = memoryStore();
    const at = world({ store });
    const snapshot = snapshotArchive({ data: { a: 1, b: 1 }, sequence: 1 });
    const delta = deltaArchive({ sequence: 2, operations: [{ op: 'upsert', path: '/a', value: 2 }] });
    at.server.answer(archiveAnswer(snapshot, '"1"'));
    await at.source.start();
    await at.next(archiveAnswer(delta, '"2"'), 60_000);
    assert.deepEqual(at.source.current, { a: 2, b: 1 });
    assert.equal(at.source.state.type, 'delta');
    const kept = store.saved.at(-1);
    assert.deepEqual([kept?.etag, kept?.archives, kept?.newest?.sequence], ['"2"', [snapshot, delta], 2]);
  });

  test('after 32 deltas a snapshot is asked for', async () => {
    const at = world();
    at.server.answer(archiveAnswer(snapshotArchive({ data: { n: 0 } }), '"0"'));
    await at.source.start();
    for (let n = 1; n <= 32; n += 1) {
      const delta = deltaArchive({ operations: [{ op: 'upsert', path: '/n', value: n }] });
      await at.next(archiveAnswer(delta, `"${n}"`), 60_000);
    }
    await at.next(archiveAnswer(snapshotArchive({ data: { n: 99 } }), '"99"'), 60_000);
    const [before, last] = at.server.asks.slice(-2);
    assert.deepEqual([before?.delta, last?.delta, last?.etag], [true, false, undefined]);
    assert.deepEqual(at.source.current, { n: 99 });
  });

  test('a delta that was not asked for is refused, so that none of them has to be kept for ever', async () => {
    const store = memoryStore();
    const at = world({ store });
    const delta = deltaArchive({ operations: [{ op: 'upsert', path: '/a', value: 2 }] });
    at.server.answer(archiveAnswer(snapshotArchive({ data: { a: 1 } })));
    await at.source.start();
    await at.next(archiveAnswer(delta), 60_000);
    assert.deepEqual(at.server.asks.at(-1), { etag: undefined, delta: false, waitMs: undefined });
    assert.deepEqual(at.source.problem, [
      `${NAMES.where}: delta_unexpected: a delta came, and a whole bundle was asked for`,
    ]);
    assert.deepEqual([at.source.current, store.saved.length], [{ a: 1 }, 1]);
  });

  test('after 4 MiB of deltas a snapshot is asked for', async () => {
    const at = world();
    at.server.answer(archiveAnswer(snapshotArchive({ data: {} }), '"0"'));
    await at.source.start();
    for (const bytes of [1_500_000, 3_500_000]) {
      const value = randomBytes(bytes).toString('base64');
      await at.next(archiveAnswer(deltaArchive({ operations: [{ op: 'upsert', path: '/n', value }] }), '"n"'), 60_000);
    }
    await at.next(archiveAnswer(snapshotArchive({ data: { n: 99 } }), '"99"'), 60_000);
    assert.deepEqual(
      at.server.asks.map(({ delta }) => delta),
      [false, true, true, false],
    );
  });

  test('a delta as the first answer is refused', async () => {
    const at = world();
    at.server.answer(archiveAnswer(deltaArchive({ operations: [{ op: 'upsert', path: '/a', value: 2 }] }), '"2"'));
    await at.source.start();
    assert.match(at.source.problem?.[0] ?? '', /delta_unexpected/);
  });
});

describe('the last good copy', () => {
  const snapshot = snapshotArchive({ data: { a: 1 }, sequence: 3 });
  const delta = deltaArchive({ sequence: 4, operations: [{ op: 'upsert', path: '/a', value: 4 }] });
  /** What a source that ran before has kept. */
  async function kept(): Promise<LastGood> {
    const store = memoryStore();
    const at = world({ store });
    at.server.answer(archiveAnswer(snapshot, '"3"'));
    await at.source.start();
    await at.next(archiveAnswer(delta, '"4"'), 60_000);
    at.source.stop();
    const copy = store.saved.at(-1);
    assert.ok(copy);
    return copy;
  }

  test('is in force where the server cannot be reached at start; the problem stays visible', async () => {
    const at = world({ store: memoryStore(await kept()) });
    at.server.answer(failed('connection refused'));
    await at.source.start();
    assert.deepEqual([at.source.current, at.source.problem], [{ a: 4 }, ['connection refused']]);
    assert.deepEqual(at.warnings, ['the last good copy of the policy is in force']);
    await at.next(unchanged(), 250);
    assert.equal(at.server.asks[1]?.etag, undefined);
  });

  test('is in force where the server says that it is the newest', async () => {
    const at = world({ store: memoryStore(await kept()) });
    at.server.answer(unchanged());
    await at.source.start();
    assert.equal(at.server.asks[0]?.etag, '"4"');
    assert.deepEqual([at.source.current, at.source.problem, at.warnings], [{ a: 4 }, undefined, []]);
  });

  test('is in force where the server gives an older bundle, or none that is any good', async () => {
    for (const bytes of [snapshotArchive({ sequence: 3, data: { old: true } }), Buffer.from('x')]) {
      const at = world({ store: memoryStore(await kept()) });
      at.server.answer(archiveAnswer(bytes, '"x"'));
      await at.source.start();
      assert.deepEqual(at.source.current, { a: 4 });
      assert.match(at.source.problem?.[0] ?? '', /sequence_older|gzip_malformed/);
    }
  });

  test('that lacks its newest delta is not used, and an older bundle is refused all the same', async () => {
    const copy = await kept();
    const at = world({ store: memoryStore({ ...copy, archives: copy.archives.slice(0, 1) }) });
    at.server.answer(failed('connection refused'));
    await at.source.start();
    assert.equal(at.source.current, undefined);
    assert.match(at.warnings[0] ?? '', /not the newest that was in force/);
    await at.next(archiveAnswer(snapshot, '"3"'), 250);
    assert.match(at.source.problem?.[0] ?? '', /sequence_older/);
    assert.equal(at.source.current, undefined);
  });

  test('is verified again: what nobody signed is not used', async () => {
    const at = world({ store: memoryStore(await kept()), signed: true });
    at.server.answer(failed('connection refused'));
    await at.source.start();
    assert.equal(at.source.current, undefined);
    assert.match(at.warnings[0] ?? '', /signature_missing/);
  });

  test('that is damaged is told and not used; the server is asked for all of it', async () => {
    const { newest } = await kept();
    const damaged = { etag: undefined, newest, archives: [], problem: '/keep/x: was changed or damaged' };
    const at = world({ store: memoryStore(damaged) });
    at.server.answer(failed('connection refused'));
    await at.source.start();
    assert.deepEqual([at.source.current, at.warnings], [undefined, ['/keep/x: was changed or damaged']]);
    assert.equal(at.server.asks[0]?.etag, undefined);
  });

  test('of which nothing can be known is a problem, beside those of the server, until a bundle is in force', async () => {
    const at = world({ store: { ...memoryStore(), load: () => Promise.resolve(err('/keep: no')) } });
    at.server.answer(failed('connection refused'));
    await at.source.start();
    const unknown = 'an older bundle would not be known for one: /keep: no';
    assert.deepEqual(at.source.problem, ['connection refused', unknown]);
    assert.deepEqual(at.source.state.problem?.errors, ['connection refused', unknown]);
    await at.next(archiveAnswer(Buffer.from('x')), 250);
    assert.equal(at.source.problem.at(-1), unknown);
    await at.next(archiveAnswer(snapshot, '"3"'), 500);
    assert.deepEqual([at.source.current, at.source.problem, at.source.state.problem], [{ a: 1 }, undefined, undefined]);
    await at.next(failed('connection refused'), 60_000);
    assert.deepEqual(at.source.problem, ['connection refused']);
    assert.deepEqual(at.problems[0], [unknown]);
  });

  test('that cannot be kept is a warning: the policy is in force', async () => {
    const store: LastGoodStore = {
      load: () => Promise.resolve(ok(undefined)),
      save: () => Promise.resolve(err('/keep: disk full')),
    };
    const at = world({ store });
    at.server.answer(archiveAnswer(snapshot, '"3"'));
    await at.source.start();
    assert.deepEqual([at.source.current, at.source.problem], [{ a: 1 }, undefined]);
    assert.deepEqual(at.warnings, ['the policy in force could not be kept for a restart: /keep: disk full']);
  });
});

test('a bundle is named by the end of its URL', () => {
  const names = [
    'https://h/bundles/agents.tar.gz',
    'https://h/bundles/agents?x=1',
    'https://h/',
    'https://h/a/.tar.gz',
  ];
  assert.deepEqual(names.map(bundleName), ['agents', 'agents', 'bundle', 'bundle']);
});
