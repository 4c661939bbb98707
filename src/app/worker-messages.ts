import type { Config } from '../core/config/config.ts';
import type { FromJournal, ToJournal } from '../io/workers/record-messages.ts';
import type { DecisionCounts } from '../io/telemetry/thread-metrics.ts';
import type { IdentitySnapshot } from '../io/sources/identity-source.ts';
import type { Problems } from '../io/sources/problem.ts';
import type { BoundPorts, CallerTokens, PlaneFigures } from './data-plane.ts';
import type { PolicyDelivery } from './policy-delivery.ts';
import type { SharedPorts } from './serving-ports.ts';

/** What a worker is made with: what never changes while it runs. */
export type WorkerSetup = {
  readonly config: Config;
  /** In every record. */
  readonly labels: Readonly<Record<string, string>>;
  /** Where decisions of all threads are numbered. */
  readonly numbers: SharedArrayBuffer;
  /** `Remains` of this worker. */
  readonly remains: SharedArrayBuffer;
  /** Room in the journal that it holds while nothing happens. */
  readonly creditChunk: number;
  /** Somebody reads metrics. */
  readonly metrics: boolean;
};

/** Everything that is in force, for a worker that begins. */
export type Opening = {
  readonly kind: 'open';
  readonly identity: IdentitySnapshot;
  /** False where that was the last, and none is in force. */
  readonly isInForce: boolean;
  readonly policy: PolicyDelivery | undefined;
  readonly candidate: PolicyDelivery | undefined;
  readonly callerTokens: CallerTokens;
  readonly ports: SharedPorts;
};

/** A change of what is in force, to be taken whole, in the order of sending; answered by `adopted` with its number. */
export type Change =
  | { readonly kind: 'identity'; readonly identity: IdentitySnapshot | undefined }
  | { readonly kind: 'policy' | 'candidate'; readonly policy: PolicyDelivery | undefined };

/** From the thread that owns keys, policies and the journal. */
export type ToWorker =
  | Opening
  | { readonly kind: 'change'; readonly number: number; readonly change: Change }
  | { readonly kind: 'retire' }
  | { readonly kind: 'stop'; readonly graceMs: number }
  | { readonly kind: 'tell'; readonly question: number }
  | FromJournal;

/** What a worker says of itself when it is asked. */
export type WorkerReport = {
  readonly figures: PlaneFigures;
  /** Room in the journal that it holds for requests to come. */
  readonly idleRoom: number;
  readonly decisions: DecisionCounts | undefined;
};

export type FromWorker =
  | { readonly kind: 'opened'; readonly bound: BoundPorts }
  | { readonly kind: 'failed'; readonly problems: Problems }
  | { readonly kind: 'adopted'; readonly change: number; readonly problems: Problems }
  | { readonly kind: 'told'; readonly question: number; readonly report: WorkerReport }
  /** A fault of ours cost a connection. */
  | { readonly kind: 'problem'; readonly error: string }
  | { readonly kind: 'stopped' }
  | ToJournal;
