import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { runRounds, secondsOf, turnsOf } from './rounds.ts';
import type { Stage } from './measure.ts';
import type { Target } from './target.ts';
import { WORKLOADS } from './workloads.ts';
import type { Workload } from './workloads.ts';

const STAGE: Stage = {
  world: { folder: '/nowhere', upstream: { http1: 0, h2c: 0 }, pin: [] },
  renew: () => Promise.resolve(),
  helpers: [],
  pinOther: [],
  seconds: 1,
};
const STARTS: Workload = {
  id: 'start',
  title: 'Start',
  explains: '',
  policy: 'json-body',
  targets: ['a', 'b', 'c'],
  steps: [{ id: 'start', title: 'Start', kind: 'start', starts: 2 }],
};

/** A target that is this very process, and writes down when it starts. */
function target(id: string, log: string[] = [], more: Partial<Target> = {}): Target {
  return {
    id,
    title: id,
    judge: 'nothing',
    decisionLog: false,
    version: () => Promise.resolve('1'),
    cannot: () => undefined,
    start: () => {
      log.push(id);
      return Promise.resolve({ pids: [process.pid], port: 1, readyMs: 5, stop: () => Promise.resolve() });
    },
    ...more,
  };
}

async function started(targets: readonly Target[], rounds: number): ReturnType<typeof runRounds> {
  return runRounds(STAGE, [STARTS], targets, rounds, new AbortController().signal, () => undefined);
}

describe('rounds', () => {
  test('all targets take their turn in each round, from another first one each time', async () => {
    const log: string[] = [];
    await started([target('a', log), target('b', log), target('c', log)], 3);
    assert.equal(log.join(''), 'aabbccbbccaaccaabb');
  });

  test('each start is a sample, with its round', async () => {
    const { samples, leftOut } = await started([target('a')], 2);
    assert.deepEqual(
      samples.map(({ round, figures }) => [round, figures.readyMs]),
      [
        [0, 5],
        [0, 5],
        [1, 5],
        [1, 5],
      ],
    );
    assert.ok((samples[0]?.figures.rssMiB ?? 0) > 1);
    assert.deepEqual(leftOut, []);
  });

  test('a target that fails at first is left out with the reason and not tried again; the others go on', async () => {
    const log: string[] = [];
    const broken = target('b', log, {
      start: () => {
        log.push('b');
        return Promise.reject(new Error('no such port'));
      },
    });
    const { samples, leftOut } = await started([target('a', log), broken, target('c', log)], 2);
    assert.deepEqual(leftOut, [{ workload: 'start', target: 'b', reason: 'round 1: no such port' }]);
    assert.equal(log.filter((id) => id === 'b').length, 1);
    assert.deepEqual(new Set(samples.map((one) => one.target)), new Set(['a', 'c']));
    assert.equal(samples.length, 8);
  });

  test('a target that fails once keeps its other rounds, and the failure is told once', async () => {
    let starts = 0;
    const shaky = target('a', [], {
      start: async () => {
        starts += 1;
        if (starts === 3 || starts === 4) throw new Error(`start ${starts}`);
        return { pids: [process.pid], port: 1, readyMs: 5, stop: () => Promise.resolve() };
      },
    });
    const { samples, leftOut } = await started([shaky], 4);
    assert.deepEqual(
      samples.map(({ round }) => round),
      [0, 0, 3, 3],
    );
    assert.deepEqual(leftOut, [{ workload: 'start', target: 'a', reason: 'round 2: start 3' }]);
  });

  test('a target that cannot do a policy is left out before anything is started', async () => {
    const log: string[] = [];
    const unable = target('a', log, {
      cannot: (policy) => (policy === 'json-body' ? 'it reads no bodies' : undefined),
    });
    const { leftOut } = await started([unable], 2);
    assert.deepEqual(leftOut, [{ workload: 'start', target: 'a', reason: 'it reads no bodies' }]);
    assert.deepEqual(log, []);
  });

  test('a target that a workload does not ask for has no turn, and needs no reason', async () => {
    const stranger = target('z', [], { cannot: () => 'nothing at all' });
    const { samples, leftOut } = await started([stranger], 1);
    assert.deepEqual([samples, leftOut], [[], []]);
  });

  test('who asks it to end gets what was measured until then', async () => {
    const over = new AbortController();
    const last = target('b', [], {
      start: () => {
        over.abort();
        return Promise.resolve({ pids: [process.pid], port: 1, readyMs: 5, stop: () => Promise.resolve() });
      },
    });
    const { samples } = await runRounds(
      STAGE,
      [STARTS],
      [target('a'), last, target('c')],
      9,
      over.signal,
      () => undefined,
    );
    assert.deepEqual(new Set(samples.map((one) => one.target)), new Set(['a', 'b']));
  });
});

describe('the workloads', () => {
  test('have ids of their own, and steps too', () => {
    const ids = WORKLOADS.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    for (const { id, steps, targets } of WORKLOADS) {
      assert.equal(new Set(steps.map((step) => step.id)).size, steps.length, id);
      assert.equal(new Set(targets).size, targets.length, id);
    }
  });

  test('under trouble have their calm beside them, at the same rate and for the same targets', () => {
    for (const { id, steps, targets, calm } of WORKLOADS.filter(({ id }) => id.startsWith('trouble-'))) {
      if (id === 'trouble-calm') continue;
      const reference = WORKLOADS.find((one) => one.id === calm);
      assert.ok(reference !== undefined, id);
      for (const step of steps)
        assert.ok(
          reference.steps.some((one) => one.id === step.id),
          `${id} ${step.id}`,
        );
      for (const one of targets) assert.ok(reference.targets.includes(one), `${id} ${one}`);
    }
  });

  test('all of them, three rounds of three seconds, are over within half an hour', () => {
    const everybody = [...new Set(WORKLOADS.flatMap(({ targets }) => targets))].map((id) => target(id));
    const minutes = (3 * secondsOf(WORKLOADS, everybody, 3)) / 60;
    assert.ok(minutes <= 30, `${minutes} minutes`);
    assert.equal(turnsOf(STARTS, everybody, 0).length, 0);
  });
});
