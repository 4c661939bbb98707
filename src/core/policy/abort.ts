import { fault } from '../model/faults.ts';
import type { Fault, FaultCode } from '../model/faults.ts';

/** What `opa_abort` throws through the module: the runtime's own message. */
export class PolicyAbort extends Error {}

/** Thrown by a host built-in when the budget is spent, or when it would make a value larger than allowed. Ends the evaluation. */
export class EvaluationHalt extends Error {
  readonly code: FaultCode;

  constructor(code: FaultCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a thrown value means, and whether the instance may be used again once its static data and stack pointer are restored. */
export type Verdict = { readonly fault: Fault; readonly reusable: boolean };

const CONFLICTS = ['var assignment conflict', 'object insert conflict'];
const MAX_DETAIL = 300;

/**
 * Judges whatever came out of an evaluation. Restoring is enough after the budget trap, `opa_abort` and an exhausted heap; after anything else
 * (memory out of bounds, stack overflow, the unknown) memory may be half written, and the instance has to be dropped.
 */
export function judgeThrown(thrown: unknown, budgetLeft: number): Verdict {
  if (thrown instanceof EvaluationHalt) return { fault: fault(thrown.code, thrown.message), reusable: true };
  if (thrown instanceof PolicyAbort) return { fault: judgeAbort(thrown.message), reusable: true };
  if (budgetLeft < 0 && isTrap(thrown, 'unreachable')) {
    return { fault: fault('policy_budget_exceeded', 'the step budget is spent'), reusable: true };
  }
  return { fault: fault('policy_failed', describe(thrown)), reusable: false };
}

function judgeAbort(message: string): Fault {
  const detail = message.slice(0, MAX_DETAIL);
  if (CONFLICTS.some((conflict) => message.endsWith(conflict))) return fault('policy_conflict', detail);
  if (message === 'opa_malloc: failed') return fault('policy_memory_exceeded', detail);
  return fault('policy_failed', detail);
}

function isTrap(thrown: unknown, message: string): boolean {
  return thrown instanceof WebAssembly.RuntimeError && thrown.message === message;
}

function describe(thrown: unknown): string {
  if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`.slice(0, MAX_DETAIL);
  return `threw ${typeof thrown}`;
}
