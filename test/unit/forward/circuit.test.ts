import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { Circuit, type Admission, type CallResult } from '../../../src/io/forward/circuit.ts';

const SETTINGS = { failures: 5, openMs: 30_000, longestMs: 300_000 };

/** Admits a call that has to be let out. */
function letOut(circuit: Circuit, nowMs: number): Admission {
  const admission = circuit.admit(nowMs);
  if (admission.kind === 'open') assert.fail(`open for ${admission.retryAfterMs} ms`);
  return admission;
}

function fail(circuit: Circuit, times: number, nowMs: number): void {
  for (let i = 0; i < times; i += 1) circuit.report(letOut(circuit, nowMs), 'failure', nowMs);
}

test('five failures in a row open it, four do not, and a success begins the count anew', () => {
  const circuit = new Circuit(SETTINGS);
  fail(circuit, 4, 0);
  circuit.report(letOut(circuit, 0), 'success', 0);
  fail(circuit, 4, 0);
  assert.equal(circuit.state, 'closed');
  fail(circuit, 1, 0);
  assert.equal(circuit.state, 'open');
  assert.deepEqual(circuit.admit(10_000), { kind: 'open', retryAfterMs: 20_000 });
});

test('calls that were given up count neither way', () => {
  const circuit = new Circuit(SETTINGS);
  fail(circuit, 4, 0);
  circuit.report(letOut(circuit, 0), 'neutral', 0);
  fail(circuit, 1, 0);
  assert.equal(circuit.state, 'open');
});

test('after its time one trial goes out and nothing besides; its success closes the circuit', () => {
  const circuit = new Circuit(SETTINGS);
  fail(circuit, 5, 0);
  const trial = letOut(circuit, 30_000);
  assert.equal(trial.kind, 'trial');
  assert.deepEqual(circuit.admit(30_001), { kind: 'open', retryAfterMs: 0 });
  circuit.report(trial, 'success', 30_002);
  assert.equal(circuit.state, 'closed');
  fail(circuit, 4, 30_003);
  assert.equal(circuit.state, 'closed', 'the count begins anew');
});

test('a trial that was given up makes room for the next one at once', () => {
  const circuit = new Circuit(SETTINGS);
  fail(circuit, 5, 0);
  circuit.report(letOut(circuit, 30_000), 'neutral', 30_000);
  assert.equal(letOut(circuit, 30_000).kind, 'trial');
});

test('a trial that shows nothing in the shortest time is joined by another; either may close the circuit', () => {
  const circuit = new Circuit(SETTINGS);
  fail(circuit, 5, 0);
  const silent = letOut(circuit, 30_000);
  assert.deepEqual(circuit.admit(59_999), { kind: 'open', retryAfterMs: 0 });
  const second = letOut(circuit, 60_000);
  assert.equal(second.kind, 'trial');
  circuit.report(second, 'success', 60_001);
  assert.equal(circuit.state, 'closed');
  circuit.report(silent, 'failure', 60_002);
  assert.equal(circuit.state, 'closed');
});

test('each trial that fails opens it for longer, up to the longest time', () => {
  const circuit = new Circuit(SETTINGS);
  fail(circuit, 5, 0);
  let nowMs = 0;
  const times: number[] = [];
  for (let i = 0; i < 12; i += 1) {
    const closed = circuit.admit(nowMs);
    const ms = closed.kind === 'open' ? closed.retryAfterMs : 0;
    times.push(ms);
    nowMs += ms;
    circuit.report(letOut(circuit, nowMs), 'failure', nowMs);
  }
  const seconds = [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300];
  assert.deepEqual(
    times,
    seconds.map((each) => each * 1_000),
  );
});

test('a destination that was good for long starts again with the shortest time', () => {
  const circuit = new Circuit(SETTINGS);
  fail(circuit, 5, 0);
  circuit.report(letOut(circuit, 30_000), 'success', 30_000);
  fail(circuit, 5, 40_000);
  assert.deepEqual(circuit.admit(40_000), { kind: 'open', retryAfterMs: 60_000 }, 'soon after: longer');
  circuit.report(letOut(circuit, 100_000), 'success', 100_000);
  fail(circuit, 5, 400_000);
  assert.deepEqual(circuit.admit(400_000), { kind: 'open', retryAfterMs: 30_000 });
});

test('results of calls that were let out before it opened change nothing any more', () => {
  const circuit = new Circuit(SETTINGS);
  const early = Array.from({ length: 3 }, () => letOut(circuit, 0));
  fail(circuit, 5, 0);
  circuit.report(early[0] as Admission, 'success', 1);
  assert.equal(circuit.state, 'open');
  const trial = letOut(circuit, 30_000);
  circuit.report(early[1] as Admission, 'failure', 30_000);
  circuit.report(trial, 'success', 30_000);
  circuit.report(early[2] as Admission, 'failure', 30_000);
  fail(circuit, 4, 30_001);
  assert.equal(circuit.state, 'closed');
});

test('with another certificate or trust a trial may go out at once', () => {
  const circuit = new Circuit(SETTINGS);
  fail(circuit, 5, 0);
  circuit.reconsider(10);
  assert.equal(letOut(circuit, 10).kind, 'trial');
});

test('property: never more than one trial at a time, nothing goes out before its time, and it opens exactly after so many failures', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('admit' as const) }),
    fc.record({
      kind: fc.constant('report' as const),
      which: fc.nat(),
      result: fc.constantFrom<CallResult>('success', 'failure', 'neutral'),
    }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 100 }) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 200 }), (failures, steps) => {
      const circuit = new Circuit({ failures, openMs: 50, longestMs: 120 });
      const out: Admission[] = [];
      let nowMs = 0;
      let inARow = 0;
      let openings = 0;
      let openUntilMs = 0;
      for (const each of steps) {
        const before = circuit.state;
        if (each.kind === 'wait') nowMs += each.ms;
        else if (each.kind === 'admit') {
          const admission = circuit.admit(nowMs);
          const mayGo = before === 'closed' || nowMs >= openUntilMs;
          assert.equal(admission.kind !== 'open', mayGo, 'nothing goes out before its time, nor beside a trial');
          if (admission.kind === 'trial') openUntilMs = nowMs + 50;
          if (admission.kind !== 'open') out.push(admission);
        } else if (out.length > 0) {
          const [admission] = out.splice(each.which % out.length, 1) as [Admission];
          const counts = admission.opening === openings;
          circuit.report(admission, each.result, nowMs);
          if (counts && admission.kind === 'ordinary' && each.result !== 'neutral')
            inARow = each.result === 'failure' ? inARow + 1 : 0;
          // A late trial beside another: the circuit is closed by then, or open again for it.
          const opens =
            counts &&
            (admission.kind === 'ordinary' || before === 'trying') &&
            each.result === 'failure' &&
            (admission.kind === 'trial' || inARow === failures);
          const closes = counts && before === 'trying' && each.result === 'success' && admission.kind === 'trial';
          const tried = counts && before === 'trying' && each.result === 'neutral' && admission.kind === 'trial';
          assert.equal(circuit.state, opens || tried ? 'open' : closes ? 'closed' : before);
          if (tried) openUntilMs = nowMs;
          if (!opens) continue;
          openings += 1;
          inARow = 0;
          const again = circuit.admit(nowMs);
          assert.ok(again.kind === 'open' && again.retryAfterMs >= 50 && again.retryAfterMs <= 120);
          openUntilMs = nowMs + again.retryAfterMs;
        }
      }
    }),
  );
});
