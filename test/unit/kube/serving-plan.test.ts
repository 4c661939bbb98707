import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { servingStep, type ServingLives, type ServingStep } from '../../../src/io/kube/serving-plan.ts';

import type { ServingState, StoredPair } from '../../../src/io/kube/serving-state.ts';

const HOUR = 3_600_000;
const LIVES: ServingLives = { leafMs: 24 * HOUR, authorityMs: 240 * HOUR };
const MINUTE = 60_000;

const yes = (): boolean => true;
const no = (): boolean => false;

function pair(fingerprint: string, fromMs: number, lifeMs: number): StoredPair {
  const [certificate, privateKey] = [`certificate ${fingerprint}`, `key ${fingerprint}`];
  return { certificate, privateKey, fingerprint, notBeforeMs: fromMs - MINUTE, notAfterMs: fromMs + lifeMs };
}

function state(parts: Partial<ServingState> = {}): ServingState {
  const authority = pair('A', 0, LIVES.authorityMs);
  return { authority, leaf: pair('leaf', 0, LIVES.leafMs), next: undefined, old: undefined, ...parts };
}

type Row = readonly [
  title: string,
  step: ServingStep | undefined,
  state: ServingState | undefined,
  announced: () => boolean,
  hours: number,
];

const old = (untilHours: number): ServingState['old'] => ({
  ...pair('O', -1_000 * HOUR, LIVES.authorityMs),
  untilMs: untilHours * HOUR,
});
const next = pair('N', 119 * HOUR, LIVES.authorityMs);
const freshLeaf = pair('leaf', 119 * HOUR, LIVES.leafMs);

const ROWS: readonly Row[] = [
  ['nothing is there', 'begin', undefined, no, 0],
  ['all is new', undefined, state(), no, 0],
  ['a leaf just before half of its life', undefined, state(), no, 11.99],
  ['a leaf at half of its life', 'renew', state(), no, 12],
  ['a leaf that has ended', 'renew', state(), no, 30],
  ['an authority that has ended', 'begin', state(), yes, 240],
  ['an authority at half of its life', 'announce', state({ leaf: freshLeaf }), no, 120],
  ['announced, but not yet known everywhere', undefined, state({ leaf: freshLeaf, next }), no, 121],
  ['announced and known', 'promote', state({ leaf: freshLeaf, next }), yes, 121],
  ['not before the last but one has gone', undefined, state({ leaf: freshLeaf, next, old: old(122) }), yes, 121],
  ['the last leaf of the one before has ended', 'forget', state({ old: old(1) }), no, 1],
  ['it has not', undefined, state({ old: old(1) }), no, 0.99],
  ['a leaf is renewed while its successor is not known', 'renew', state({ next }), no, 121],
  [
    'one that was announced too long ago is announced anew',
    'announce',
    state({ leaf: pair('l', 238 * HOUR, HOUR), next: pair('N', 100 * HOUR, LIVES.authorityMs) }),
    yes,
    238,
  ],
];

describe('what is to be done next', () => {
  for (const [title, step, at, announced, hours] of ROWS) {
    test(`${title}: ${step ?? 'nothing'}`, () => {
      assert.equal(servingStep(at, LIVES, announced, hours * HOUR), step);
    });
  }

  test('a certificate that its authority cut short is renewed in the middle of what it has', () => {
    const short = { authority: pair('A', 0, LIVES.authorityMs), leaf: pair('l', 238 * HOUR, 2 * HOUR) };
    const at = (hours: number): ServingStep | undefined =>
      servingStep(state({ ...short, next: pair('N', 237 * HOUR, LIVES.authorityMs) }), LIVES, no, hours * HOUR);
    assert.equal(at(238.9), undefined);
    assert.equal(at(239), 'renew');
  });
});

type Model = { state: ServingState | undefined; bundle: Map<string, number>; made: number };

/** Does a step as the rest does it, with names for certificates. */
function take(model: Model, step: ServingStep, nowMs: number): void {
  const made = (lifeMs: number): StoredPair => pair(`${(model.made += 1)}`, nowMs, lifeMs);
  const { state: before } = model;
  if (before === undefined || step === 'begin') {
    model.state = { authority: made(LIVES.authorityMs), leaf: made(LIVES.leafMs), next: undefined, old: before?.old };
  } else if (step === 'renew') model.state = { ...before, leaf: made(LIVES.leafMs) };
  else if (step === 'announce') model.state = { ...before, next: made(LIVES.authorityMs) };
  else if (step === 'forget') model.state = { ...before, old: undefined };
  else if (before.next !== undefined) {
    const last = { ...before.authority, untilMs: before.leaf.notAfterMs };
    model.state = { authority: before.next, leaf: made(LIVES.leafMs), next: undefined, old: last };
  }
}

test('property: whenever replicas look, a leaf is valid, its authority is believed, and steps come to an end', () => {
  const pause = fc.integer({ min: 1, max: 5 * 60 });
  fc.assert(
    fc.property(fc.array(pause, { minLength: 100, maxLength: 400 }), (pauses) => {
      const model: Model = { state: undefined, bundle: new Map(), made: 0 };
      let nowMs = 0;
      for (const minutes of pauses) {
        nowMs += minutes * MINUTE;
        const signer = model.state?.authority.fingerprint;
        let steps = 0;
        const announced = (fingerprint: string): boolean => nowMs - (model.bundle.get(fingerprint) ?? nowMs) >= MINUTE;
        for (;;) {
          const step = servingStep(model.state, LIVES, announced, nowMs);
          if (step === undefined) break;
          take(model, step, nowMs);
          assert.ok((steps += 1) <= 4, `${steps} steps at once`);
        }
        const { authority, leaf, next: coming, old: gone } = model.state ?? assert.fail('nothing is there');
        assert.ok(leaf.notAfterMs > nowMs && leaf.notAfterMs <= authority.notAfterMs);
        // A new signer was believed before it signed, but for the very first.
        if (signer !== undefined && signer !== authority.fingerprint)
          assert.ok(model.bundle.has(authority.fingerprint));
        const wanted = [authority, coming, gone].flatMap((one) => (one === undefined ? [] : [one.fingerprint]));
        for (const one of model.bundle.keys()) if (!wanted.includes(one)) model.bundle.delete(one);
        for (const one of wanted) if (!model.bundle.has(one)) model.bundle.set(one, nowMs);
      }
    }),
  );
});
