import type { Clock } from '../kernel/clock.ts';
import type { Decision } from '../model/decision.ts';
import { fault, type Fault } from '../model/faults.ts';
import type { Policy } from '../model/policy.ts';
import type { CandidateFacts } from '../model/record-facts.ts';
import type { CollectedBody } from './exchange.ts';
import { judge } from './judgement.ts';
import type { ReadInput } from './readings.ts';

/** Reads what is on trial as the candidate needs it; `body` where it was heard. */
export type ReadForTrial = (body: CollectedBody | undefined) => ReadInput;

/**
 * One thing that a candidate is asked about beside the policy in force, whose answer stands: the candidate's changes nothing, whatever it is (promise 5).
 * It is asked when `weigh` says so, once the other answer is under way; where it reads a body that nobody held for it, when that has gone by (`heard`).
 */
export class Trial {
  readonly #candidate: Policy;
  readonly #read: ReadForTrial;
  readonly #clock: Clock;
  readonly #isAllowed: boolean;
  /** What is still to be heard. */
  #waits: boolean;
  #body: CollectedBody | undefined;
  #decision: Decision | undefined;

  /** `isAllowed`: what the policy in force says. `waits`: `heard` will be called, or the verdict stays unknown. */
  constructor(candidate: Policy, read: ReadForTrial, clock: Clock, isAllowed: boolean, waits: boolean) {
    this.#candidate = candidate;
    this.#read = read;
    this.#clock = clock;
    this.#isAllowed = isAllowed;
    this.#waits = waits;
  }

  /** The body has gone by. */
  heard(body: CollectedBody): void {
    this.#body = body;
    this.#waits = false;
    this.weigh();
  }

  /** Asks the candidate, where it can be asked by now and was not. Never throws. */
  weigh(): void {
    if (this.#waits || this.#decision !== undefined) return;
    try {
      const { input, fault: unread } = this.#read(this.#body);
      // As with the policy in force: what cannot be read is refused before any policy runs.
      this.#decision = unread === undefined ? judge(this.#candidate, input, this.#clock).decision : denial(unread);
    } catch (error) {
      this.#decision = denial(fault('policy_failed', String(error)));
    }
  }

  /** What the record says of it. */
  facts(): CandidateFacts {
    this.weigh();
    const decision = this.#decision;
    const differs = decision !== undefined && (decision.kind === 'allow') !== this.#isAllowed;
    return { policy: this.#candidate, decision, differs };
  }
}

function denial(reason: Fault): Decision {
  return { kind: 'deny', fault: reason, answer: undefined, reasons: [], dynamicMetadata: {} };
}
