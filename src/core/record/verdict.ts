import type { RecordFacts } from '../model/record-facts.ts';

/**
 * The verdict of a record. `would-deny` only in shadow mode, and only where the request was forwarded although its reading or its policy
 * spoke against it: everything that reaches a decision in shadow mode is forwarded, and nothing else is (promise 5).
 */
export function verdictOf(
  facts: Pick<RecordFacts, 'fault' | 'mode' | 'outcome' | 'decision'>,
): 'allow' | 'deny' | 'would-deny' {
  if (facts.fault === undefined) return 'allow';
  if (facts.mode === 'enforce' || facts.outcome.kind === 'refused') return 'deny';
  // A refusal whose peer was already gone ends as `aborted` too; it has no decision. Neither has what was forwarded while there was no policy.
  const isUndecided = facts.decision === undefined && facts.fault.code !== 'policy_unavailable';
  return facts.outcome.kind === 'aborted' && isUndecided ? 'deny' : 'would-deny';
}
