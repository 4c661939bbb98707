import type { DecisionId } from '../kernel/brand.ts';
import type { Connection } from './connection.ts';
import type { Decision } from './decision.ts';
import type { Destination } from './destination.ts';
import type { Fault } from './faults.ts';
import type { Outcome } from './outcome.ts';
import type { Peer } from './peer.ts';
import type { Evaluation, Policy } from './policy.ts';
import type { PolicyInput } from './policy-input.ts';
import type { Trace } from './request.ts';

/** What a policy on trial would have said, had it been in force. It never decided anything. */
export type CandidateFacts = {
  readonly policy: Policy;
  /** Undefined where it could not be asked: it reads the body, and the body never came by whole. */
  readonly decision: Decision | undefined;
  /** It would have let through what was refused, or refused what was let through. */
  readonly differs: boolean;
};

/** Everything that is known about a decided request when it ends; `record` makes the line from it. */
export type RecordFacts = {
  readonly decisionId: DecisionId;
  /** Wall clock, milliseconds. */
  readonly atMs: number;
  readonly connection: Connection;
  readonly peer: Peer;
  /** Where an outbound call goes; undefined for an inbound one, and for a call to nowhere that is configured. */
  readonly destination?: Destination | undefined;
  readonly policy: Policy | undefined;
  readonly input: PolicyInput | undefined;
  /** Method and target as received, where the head was refused before an input could be made of it. */
  readonly asReceived?: { readonly method: string; readonly target: string } | undefined;
  readonly evaluation: Evaluation | undefined;
  readonly decision: Decision | undefined;
  /** Why it was refused, or would have been; undefined for an allow. */
  readonly fault: Fault | undefined;
  readonly mode: 'enforce' | 'shadow';
  /** Absent where there is no candidate, and where no policy was asked because something else refused first. */
  readonly candidate?: CandidateFacts | undefined;
  readonly trace: Trace | undefined;
  readonly outcome: Outcome;
  readonly evaluationNs: number;
  readonly totalMs: number;
  /** From the permit to the end of the answer, milliseconds; absent where nothing was forwarded. */
  readonly forwardMs?: number | undefined;
};
