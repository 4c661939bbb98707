import type { Random } from '../kernel/clock.ts';
import { backOffMs, between } from '../kernel/back-off.ts';

/** A moment by both clocks, milliseconds. */
export type Moment = { readonly wallMs: number; readonly monotonicMs: number };

/** When the certificate in force is due for renewal, and when it ends. Milliseconds. */
export type Term = {
  readonly dueMs: number;
  readonly untilMs: number;
  /** `dueMs` by the clock that nobody sets: whichever comes first counts. The wall clock may be set back; the other one stands still while a machine sleeps. */
  readonly dueMonotonicMs: number;
};

/** What is known when the next step is decided. */
export type RenewalState = {
  /** Of the certificate in force; undefined where there is none. */
  readonly term: Term | undefined;
  /** Attempts in a row that gave no certificate. */
  readonly failures: number;
  /** How many of these were answered with a refusal. */
  readonly refusals: number;
  /** Nothing is tried before, by the monotonic clock. */
  readonly restUntilMs: number;
};

/** What to do now. `enrol`: prove again who we are, as at first; `renew`: by the certificate in force. `wait`: look again after `ms`. */
export type RenewalStep =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'renew' }
  | { readonly kind: 'enrol' };

/** How an attempt failed. `retryAfterMs`: not to be asked again before, as the authority said. */
export type FailedAttempt = {
  readonly step: 'renew' | 'enrol';
  readonly refused: boolean;
  readonly retryAfterMs: number | undefined;
};

/** The longest wait without a look at the clocks: after a sleep of the machine, or a jump of its clock, renewal is late by this at most. */
export const LONGEST_WAIT_MS = 10_000;

/** Of the time to the half of the life, to either side (SPIRE's rotation does the same): sidecars that started together do not renew together. */
const JITTER = 0.1;

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
const FIRST_REFUSED_MS = 30_000;
const LAST_REFUSED_MS = 600_000;
/** Near its end a certificate is worth asking for this often, and one that is renewed all the time is asked for no more often. */
const LEAST_GAP_MS = 500;

/** Nothing was enrolled and nothing was tried. */
export const NOT_ENROLLED: RenewalState = Object.freeze({
  term: undefined,
  failures: 0,
  refusals: 0,
  restUntilMs: Number.NEGATIVE_INFINITY,
});

/**
 * The next step. A certificate that is due is renewed; one that has ended is of no use for that, and neither is one whose renewal was refused:
 * then we prove again who we are, in turns with renewal.
 */
export function nextStep({ term, refusals, restUntilMs }: RenewalState, now: Moment): RenewalStep {
  const rest = restUntilMs - now.monotonicMs;
  if (rest > 0) return wait(rest);
  if (term === undefined || now.wallMs > term.untilMs) return { kind: 'enrol' };
  const left = Math.min(term.dueMs - now.wallMs, term.dueMonotonicMs - now.monotonicMs);
  if (left > 0) return wait(left);
  return refusals % 2 === 1 ? { kind: 'enrol' } : { kind: 'renew' };
}

function wait(ms: number): RenewalStep {
  return { kind: 'wait', ms: Math.min(Math.ceil(ms), LONGEST_WAIT_MS) };
}

/**
 * A certificate came in force. It is due at half of its life, give or take a tenth of that. `fromMs`: when its life with us began, which is now for a
 * new one (its notBefore lies in the past for the sake of clocks that run behind) and its notBefore for one that was kept over a restart.
 */
export function inForce(
  life: { readonly fromMs: number; readonly untilMs: number },
  now: Moment,
  random: Random,
): RenewalState {
  const half = (life.untilMs - life.fromMs) / 2;
  const dueMs = life.fromMs + half * between(1 - JITTER, 1 + JITTER, random);
  const dueMonotonicMs = now.monotonicMs + Math.max(0, dueMs - now.wallMs);
  const term = { dueMs, untilMs: life.untilMs, dueMonotonicMs };
  return { term, failures: 0, refusals: 0, restUntilMs: now.monotonicMs + LEAST_GAP_MS };
}

/**
 * An attempt gave nothing. Pauses double, with jitter, from a second to a minute, and are never more than half of what is left of the certificate
 * in force. A refusal of proof is asked about again after half a minute to ten minutes. What the authority asks for (`Retry-After`) is kept, up to ten minutes.
 */
export function attemptFailed(
  state: RenewalState,
  { step, refused, retryAfterMs }: FailedAttempt,
  now: Moment,
  random: Random,
): RenewalState {
  const failures = state.failures + 1;
  const refusals = state.refusals + (refused ? 1 : 0);
  const pause =
    refused && step === 'enrol'
      ? backOffMs(Math.ceil(refusals / 2), FIRST_REFUSED_MS, LAST_REFUSED_MS, random)
      : Math.min(backOffMs(failures, FIRST_RETRY_MS, LAST_RETRY_MS, random), halfOfRest(state.term, now));
  const asked = Math.min(retryAfterMs ?? 0, LAST_REFUSED_MS);
  return { ...state, failures, refusals, restUntilMs: now.monotonicMs + Math.max(pause, asked) };
}

function halfOfRest(term: Term | undefined, { wallMs }: Moment): number {
  if (term === undefined || wallMs > term.untilMs) return LAST_RETRY_MS;
  return Math.max(LEAST_GAP_MS, (term.untilMs - wallMs) / 2);
}

/** The certificate in force is not believed any more, for example because its root is gone: it is due whatever its age. */
export function dueAtOnce(state: RenewalState): RenewalState {
  if (state.term === undefined) return state;
  const past = Number.NEGATIVE_INFINITY;
  return { ...state, term: { ...state.term, dueMs: past, dueMonotonicMs: past } };
}

/** The authority can be reached again after it could not: what failed for that reason alone need not wait its pause out. A refusal has its pause all the same. */
export function reachedAgain(state: RenewalState): RenewalState {
  return state.refusals > 0 ? state : askedByOperator(state);
}

/** An operator asks for an attempt now: what was refused is tried anew, in the order of a first attempt. Without an attempt that failed nothing changes. */
export function askedByOperator(state: RenewalState): RenewalState {
  return state.failures === 0 ? state : { ...state, failures: 0, refusals: 0, restUntilMs: Number.NEGATIVE_INFINITY };
}
