import type { Clock } from '../kernel/clock.ts';
import type { Decision } from '../model/decision.ts';
import { fault } from '../model/faults.ts';
import type { Evaluation, Policy } from '../model/policy.ts';
import type { PolicyInput } from '../model/policy-input.ts';
import { toDecision } from '../policy/decision.ts';

/** What a policy said about one input, and how long it took. */
export type Judgement = {
  readonly policy: Policy;
  readonly input: PolicyInput;
  readonly evaluation: Evaluation;
  readonly decision: Decision;
  readonly evaluationNs: number;
};

/** Asks the policy. Never throws: a fault of ours inside an evaluation is a denial too (promise 4). */
export function judge(policy: Policy, input: PolicyInput, clock: Clock): Judgement {
  const before = clock.monotonicMs();
  const evaluation = evaluateSafely(policy, input);
  const evaluationNs = Math.round((clock.monotonicMs() - before) * 1e6);
  return { policy, input, evaluation, decision: toDecision(evaluation), evaluationNs };
}

function evaluateSafely(policy: Policy, input: PolicyInput): Evaluation {
  try {
    return policy.evaluate(input);
  } catch (error) {
    return { kind: 'failed', fault: fault('policy_failed', String(error)), steps: 0 };
  }
}
