import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  LONGEST_WAIT_MS,
  NOT_ENROLLED,
  askedByOperator,
  attemptFailed,
  dueAtOnce,
  inForce,
  nextStep,
  reachedAgain,
} from '../../../src/core/identity/renewal-schedule.ts';
import { systemRandom } from '../../support/system-clock.ts';

import type { Random } from '../../../src/core/kernel/clock.ts';
import type { Moment, RenewalState, RenewalStep } from '../../../src/core/identity/renewal-schedule.ts';

const HOUR = 3_600_000;
const START: Moment = { wallMs: 1_700_000_000_000, monotonicMs: 5_000 };
const lowest: Random = (length) => new Uint8Array(length);
const highest: Random = (length) => new Uint8Array(length).fill(255);
const unavailable = { step: 'renew', refused: false, retryAfterMs: undefined } as const;

function later(ms: number, from = START): Moment {
  return { wallMs: from.wallMs + ms, monotonicMs: from.monotonicMs + ms };
}

function fresh(lifeMs: number, random: Random = systemRandom): RenewalState {
  return inForce({ fromMs: START.wallMs, untilMs: START.wallMs + lifeMs }, START, random);
}

/** The kind of the next step, time passed by as the steps say, and when it was. */
function untilAction(state: RenewalState, from: Moment): { readonly step: RenewalStep; readonly at: Moment } {
  let at = from;
  for (;;) {
    const step = nextStep(state, at);
    if (step.kind !== 'wait') return { step, at };
    assert.ok(step.ms >= 1 && step.ms <= LONGEST_WAIT_MS);
    at = later(step.ms, at);
  }
}

test('without a certificate the first step is to enrol, at once', () => {
  assert.deepEqual(nextStep(NOT_ENROLLED, START), { kind: 'enrol' });
});

test('a certificate of an hour is renewed between 27 and 33 minutes', () => {
  for (const [random, ms] of [
    [lowest, 0.45 * HOUR],
    [highest, 0.55 * HOUR],
  ] as const) {
    const { step, at } = untilAction(fresh(HOUR, random), START);
    assert.equal(step.kind, 'renew');
    assert.ok(Math.abs(at.wallMs - START.wallMs - ms) < 2, String(at.wallMs - START.wallMs));
  }
});

test('one that was kept over a restart counts from its notBefore: past its half it is due at once', () => {
  const kept = inForce({ fromMs: START.wallMs - HOUR, untilMs: START.wallMs + HOUR / 2 }, START, systemRandom);
  assert.deepEqual(nextStep(kept, later(500)), { kind: 'renew' });
});

test('no wait is longer than ten seconds, so that a jump of the clock is seen', () => {
  assert.deepEqual(nextStep(fresh(24 * HOUR), later(1_000)), { kind: 'wait', ms: LONGEST_WAIT_MS });
});

test('wall clock set forward, or a sleep in which the monotonic clock stands still: what is due is renewed', () => {
  const woken = { wallMs: START.wallMs + 0.6 * HOUR, monotonicMs: START.monotonicMs + 1_000 };
  assert.deepEqual(nextStep(fresh(HOUR), woken), { kind: 'renew' });
  const late = { ...woken, wallMs: START.wallMs + HOUR + 1 };
  assert.deepEqual(nextStep(fresh(HOUR), late), { kind: 'enrol' });
});

test('wall clock set back: the certificate is renewed when its time has really passed', () => {
  const back = { wallMs: START.wallMs - 5 * HOUR, monotonicMs: START.monotonicMs + 0.56 * HOUR };
  assert.deepEqual(nextStep(fresh(HOUR), back), { kind: 'renew' });
});

test('RFC 5280 4.1.2.5: at the last moment of its life a certificate still renews, after it no more', () => {
  assert.equal(nextStep(fresh(HOUR), later(HOUR)).kind, 'renew');
  assert.equal(nextStep(fresh(HOUR), later(HOUR + 1)).kind, 'enrol');
});

test('a renewal that is refused is followed by enrolment within a second, and that one, refused too, by half a minute of silence', () => {
  const refused = attemptFailed(fresh(HOUR, lowest), { ...unavailable, refused: true }, later(HOUR / 2), highest);
  const second = untilAction(refused, later(HOUR / 2));
  assert.equal(second.step.kind, 'enrol');
  assert.ok(second.at.monotonicMs - START.monotonicMs - HOUR / 2 <= 1_000);
  const both = attemptFailed(refused, { ...unavailable, step: 'enrol', refused: true }, second.at, highest);
  const third = untilAction(both, second.at);
  assert.equal(third.step.kind, 'renew');
  assert.ok(third.at.monotonicMs - second.at.monotonicMs >= 29_999);
});

test('refusals are not hammered: the pauses grow to ten minutes', () => {
  let state = NOT_ENROLLED;
  let at = START;
  const gaps: number[] = [];
  for (let count = 0; count < 20; count += 1) {
    const action = untilAction(state, at);
    assert.equal(action.step.kind, 'enrol');
    gaps.push(action.at.monotonicMs - at.monotonicMs);
    at = action.at;
    state = attemptFailed(state, { step: 'enrol', refused: true, retryAfterMs: undefined }, at, highest);
  }
  assert.ok(gaps.slice(1).every((gap) => gap >= 29_999));
  assert.ok((gaps.at(-1) ?? 0) >= 599_000);
});

test('Retry-After is kept, up to ten minutes, and never makes a pause shorter', () => {
  const rest = (retryAfterMs: number): number => {
    const state = attemptFailed(fresh(24 * HOUR), { ...unavailable, retryAfterMs }, START, highest);
    return state.restUntilMs - START.monotonicMs;
  };
  assert.equal(rest(45_000), 45_000);
  assert.equal(rest(365 * 24 * HOUR), 600_000);
  assert.ok(rest(1) >= 500);
});

test('a root that is gone makes a certificate due whatever its age, once something is in force', () => {
  assert.deepEqual(nextStep(dueAtOnce(fresh(HOUR)), later(500)), { kind: 'renew' });
  assert.equal(dueAtOnce(NOT_ENROLLED), NOT_ENROLLED);
});

test('an operator who asks is not made to wait, and one who asks while all is well changes nothing', () => {
  const refused = attemptFailed(NOT_ENROLLED, { step: 'enrol', refused: true, retryAfterMs: HOUR }, START, highest);
  assert.equal(nextStep(refused, START).kind, 'wait');
  assert.deepEqual(nextStep(askedByOperator(refused), START), { kind: 'enrol' });
  const state = fresh(HOUR);
  assert.equal(askedByOperator(state), state);
});

test('an authority that can be reached again is asked at once, unless it refused', () => {
  const due = later(HOUR / 2 + HOUR / 10);
  const failed = attemptFailed(fresh(HOUR), unavailable, due, highest);
  assert.equal(nextStep(failed, due).kind, 'wait');
  assert.deepEqual(nextStep(reachedAgain(failed), due), { kind: 'renew' });
  const refused = attemptFailed(failed, { ...unavailable, refused: true }, due, highest);
  assert.equal(reachedAgain(refused), refused);
  const state = fresh(HOUR);
  assert.equal(reachedAgain(state), state);
});

test('property: due between 45 and 55 % of the life, whatever it is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2_000, max: 400 * 24 * HOUR }),
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      (lifeMs, bytes) => {
        const { term } = fresh(lifeMs, () => bytes);
        const part = ((term?.dueMs ?? 0) - START.wallMs) / lifeMs;
        assert.ok(part >= 0.4499 && part <= 0.5501, String(part));
        assert.equal((term?.dueMonotonicMs ?? 0) - START.monotonicMs, (term?.dueMs ?? 0) - START.wallMs);
      },
    ),
  );
});

test('property: an authority that is down is asked until the end, the last time in the last second or so, and not hammered', () => {
  fc.assert(
    fc.property(fc.integer({ min: 4_000, max: 24 * HOUR }), (lifeMs) => {
      let state = fresh(lifeMs);
      let at = START;
      const attempts: number[] = [];
      for (;;) {
        const action = untilAction(state, at);
        at = action.at;
        if (action.step.kind === 'enrol') break;
        attempts.push(at.wallMs - START.wallMs);
        state = attemptFailed(state, unavailable, at, systemRandom);
      }
      assert.ok(lifeMs - (attempts.at(-1) ?? 0) <= 1_001, `${attempts.join(' ')} of ${lifeMs}`);
      assert.ok(attempts.every((time, index) => index === 0 || time - (attempts[index - 1] ?? 0) >= 500));
      assert.ok(attempts.length <= lifeMs / 30_000 + 20, String(attempts.length));
      assert.ok(at.wallMs - START.wallMs - lifeMs <= LONGEST_WAIT_MS);
    }),
    { numRuns: 50 },
  );
});

test('property: whatever the clocks do, a step is never silent longer than ten seconds, and an expired certificate never renews', () => {
  const jump = fc.record({
    wall: fc.integer({ min: -100 * HOUR, max: 100 * HOUR }),
    passed: fc.nat(2 * HOUR),
    outcome: fc.constantFrom('good', 'down', 'refused'),
  });
  fc.assert(
    fc.property(fc.array(jump, { maxLength: 30 }), (jumps) => {
      let state = NOT_ENROLLED;
      let now = START;
      for (const { wall, passed, outcome } of jumps) {
        now = { wallMs: now.wallMs + passed + wall, monotonicMs: now.monotonicMs + passed };
        const step = nextStep(state, now);
        if (step.kind === 'wait') {
          assert.ok(step.ms >= 1 && step.ms <= LONGEST_WAIT_MS);
          continue;
        }
        if (step.kind === 'renew') assert.ok(state.term !== undefined && now.wallMs <= state.term.untilMs);
        state =
          outcome === 'good'
            ? inForce({ fromMs: now.wallMs, untilMs: now.wallMs + HOUR }, now, systemRandom)
            : attemptFailed(
                state,
                { step: step.kind, refused: outcome === 'refused', retryAfterMs: undefined },
                now,
                systemRandom,
              );
        assert.ok(state.restUntilMs > now.monotonicMs);
      }
    }),
  );
});
