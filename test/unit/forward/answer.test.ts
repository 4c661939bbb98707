import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import type { PermittedRequest } from '../../../src/core/gate/permit.ts';
import { fault } from '../../../src/core/model/faults.ts';
import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import { Answer } from '../../../src/io/forward/answer.ts';
import type { UpstreamCall } from '../../../src/io/forward/downstream.ts';
import { FlushQueue } from '../../../src/io/forward/flush-queue.ts';
import { driveTimers } from '../../support/driven-timers.ts';
import { FakeDownstream, type FakeDownstreamOptions } from '../../support/fake-downstream.ts';
import { DECISION, permitted } from '../../support/forwarding.ts';

const LIMITS = { ...DEFAULT_LIMITS, upstreamTimeoutMs: 1_000 };

type Scene = {
  readonly answer: Answer;
  readonly downstream: FakeDownstream;
  readonly outcomes: Outcome[];
  /** What was asked of the upstream, in order. */
  readonly steering: string[];
};

function scene(request: Partial<PermittedRequest> = {}, options: FakeDownstreamOptions = {}, limits = LIMITS): Scene {
  const downstream = new FakeDownstream(options);
  const outcomes: Outcome[] = [];
  const steering: string[] = [];
  const answer = new Answer(
    { decisionId: DECISION, request: permitted(request), downstream, done: (outcome) => outcomes.push(outcome) },
    { limits, flushes: new FlushQueue() },
  );
  const call: UpstreamCall = {
    pause: () => steering.push('pause'),
    resume: () => steering.push('resume'),
    cancel: () => steering.push('cancel'),
  };
  answer.begin(call);
  return { answer, downstream, outcomes, steering };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the time for an answer counts from the last part of the request that was passed on', (t) => {
  const tick = driveTimers(t);
  const { answer, downstream } = scene();
  for (let i = 0; i < 5; i++) {
    tick(900);
    answer.progressed();
  }
  tick(999);
  assert.deepEqual(downstream.kinds, []);
  tick(1);
  assert.deepEqual(downstream.kinds, ['refuse']);
});

test('the time for an answer ends with its head', async (t) => {
  const tick = driveTimers(t);
  const { answer, downstream } = scene();
  answer.head(200, []);
  tick(5_000);
  await turn();
  answer.progressed();
  tick(5_000);
  assert.deepEqual(downstream.kinds, ['head']);
});

test('an interim answer does not stop the time', (t) => {
  const tick = driveTimers(t);
  const { answer, downstream } = scene();
  answer.interim(103, []);
  tick(1_000);
  assert.deepEqual(downstream.kinds, ['informational', 'refuse']);
});

test('0 is no bound', (t) => {
  const tick = driveTimers(t);
  const { downstream } = scene({}, {}, { ...LIMITS, upstreamTimeoutMs: 0 });
  tick(1_000_000);
  assert.deepEqual(downstream.kinds, []);
});

test('gRPC: only its own deadline counts, to the end of the call, whatever is passed on', (t) => {
  const tick = driveTimers(t);
  const unbounded = scene({ style: 'grpc' });
  tick(1_000_000);
  assert.deepEqual(unbounded.downstream.kinds, []);
  const { answer, outcomes } = scene({ style: 'grpc', grpcTimeoutMs: 500 }, { sends: false });
  answer.head(200, []);
  tick(400);
  answer.progressed();
  tick(100);
  assert.equal(answer.open, false);
  assert.equal(outcomes.length, 0, 'reported when the peer was told');
});

test('gRPC: a deadline that has passed already ends the call at once, one beyond any timer is left to the two ends', (t) => {
  const tick = driveTimers(t);
  const late = scene({ style: 'grpc', grpcTimeoutMs: 0 });
  const far = scene({ style: 'grpc', grpcTimeoutMs: 99_999_999 * 3_600_000 });
  tick(1);
  assert.deepEqual(late.downstream.kinds, ['refuse']);
  assert.deepEqual(far.downstream.kinds, []);
});

test('no timer outlives its request', (t) => {
  const tick = driveTimers(t);
  const { answer, downstream, outcomes } = scene();
  answer.head(200, []);
  answer.end([]);
  downstream.sent();
  tick(10_000);
  assert.equal(outcomes.length, 1);
  assert.deepEqual(downstream.kinds, ['whole']);
});

test('back-pressure: the upstream is held when the peer asks, and goes on when it has room', async () => {
  const { answer, downstream, steering } = scene({}, { capacity: 5 });
  answer.head(200, []);
  answer.data(Buffer.from('12345'));
  await turn();
  assert.deepEqual(steering, ['pause']);
  downstream.drain();
  assert.deepEqual(steering, ['pause', 'resume']);
});

test('after the end nothing of the upstream or the peer counts', async () => {
  const { answer, downstream, outcomes } = scene();
  answer.head(200, []);
  answer.end([]);
  await turn();
  answer.data(Buffer.from('late'));
  answer.end([]);
  answer.fail(fault('upstream_aborted', 'late'));
  answer.requestBroken();
  downstream.onClosed?.(fault('peer_aborted', 'late'), 'peer');
  await turn();
  assert.deepEqual(downstream.kinds, ['whole']);
  assert.deepEqual(outcomes, [{ kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 0 }]);
  assert.deepEqual([downstream.onClosed, downstream.onDrain, downstream.onSent], [undefined, undefined, undefined]);
});

test('a peer that goes away before the answer has left: aborted, although all of it was handed over', () => {
  const { answer, downstream, outcomes } = scene({}, { sends: false });
  answer.head(200, []);
  answer.data(Buffer.from('all'));
  answer.end([]);
  const reason = fault('peer_not_reading', '');
  downstream.onClosed?.(reason, 'us');
  downstream.sent();
  assert.deepEqual(outcomes, [{ kind: 'aborted', by: 'us', fault: reason, status: 200, bytesIn: 0, bytesOut: 3 }]);
});

test('a gRPC peer that goes away while our status is on its way: still the agent’s failure', async () => {
  const { answer, downstream, outcomes } = scene({ style: 'grpc' }, { sends: false });
  answer.head(200, []);
  await turn();
  answer.fail(fault('upstream_aborted', 'reset'));
  downstream.onClosed?.(fault('peer_aborted', ''), 'peer');
  assert.equal(outcomes[0]?.kind, 'upstream-failed');
});

/** `grpc-status` of the outcome; -1 where it is none of the kind. */
const status = (head: string[], trailers: string[]): number | undefined => {
  const { answer, downstream, outcomes } = scene({ style: 'grpc' }, { sends: false });
  answer.head(200, head);
  answer.end(trailers);
  downstream.sent();
  const [outcome] = outcomes;
  return outcome?.kind === 'forwarded' ? outcome.grpcStatus : -1;
};

test('grpc-status: a number of the trailers, or of a trailers-only head; anything else is none', () => {
  assert.equal(status([], ['grpc-status', '7']), 7);
  assert.equal(status(['grpc-status', '12'], []), 12);
  assert.equal(status(['grpc-status', '12'], ['grpc-status', '0']), 0);
  assert.equal(status([], []), undefined);
  assert.equal(status([], ['grpc-status', 'OK']), undefined);
  assert.equal(status([], ['grpc-status', '-1']), undefined);
});

/** Everything that upstream and peer can do, in any order. */
const STEPS: Readonly<Record<string, (scene: Scene) => void>> = {
  interim: ({ answer }) => answer.interim(103, []),
  head: ({ answer }) => answer.head(200, []),
  headWithLength: ({ answer }) => answer.head(200, ['content-length', '3']),
  badHead: ({ answer }) => answer.head(200, ['x-a', 'a\nb']),
  data: ({ answer }) => answer.data(Buffer.from('abc')),
  end: ({ answer }) => answer.end([]),
  trailers: ({ answer }) => answer.end(['grpc-status', '0']),
  badTrailers: ({ answer }) => answer.end(['x a', '1']),
  fail: ({ answer }) => answer.fail(fault('upstream_aborted', '')),
  progressed: ({ answer }) => answer.progressed(),
  broken: ({ answer }) => answer.requestBroken(),
  closed: ({ downstream }) => downstream.onClosed?.(fault('peer_aborted', ''), 'peer'),
  cut: ({ downstream }) => downstream.onClosed?.(fault('policy_withdrawn', ''), 'us'),
  drain: ({ downstream }) => downstream.drain(),
  sent: ({ downstream }) => downstream.sent(),
};

const step = fc.oneof(fc.constantFrom(...Object.keys(STEPS)), fc.constant('turn'));

test('whatever happens in whatever order: one outcome, one ending towards the peer, nothing written after it, nothing thrown', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 14 }),
      fc.constantFrom<PermittedRequest['style']>('http', 'grpc'),
      fc.constantFrom(1, 1_000),
      fc.boolean(),
      async (steps, style, capacity, sends) => {
        const all = scene({ style }, { capacity, sends });
        for (const name of steps) {
          if (name === 'turn') await turn();
          else STEPS[name]?.(all);
        }
        STEPS['cut']?.(all);
        await turn();
        await turn();
        const { kinds } = all.downstream;
        const endings = kinds.filter((kind) => ['whole', 'end', 'abort', 'refuse'].includes(kind));
        assert.ok(all.outcomes.length === 1, `outcomes: ${JSON.stringify(all.outcomes)}`);
        assert.ok(endings.length <= 1, kinds.join(' '));
        if (endings.length === 1) assert.equal(kinds.at(-1), endings[0]);
        assert.ok(kinds.filter((kind) => kind === 'head').length <= 1);
        const complete = all.outcomes[0]?.kind === 'forwarded';
        if (complete) assert.ok(endings[0] === 'whole' || endings[0] === 'end');
      },
    ),
    { numRuns: 600 },
  );
});
