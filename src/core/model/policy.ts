import type { Fault } from './faults.ts';
import type { PolicyInput } from './policy-input.ts';

/** The rule that is asked unless another one is named. */
export const DEFAULT_DECISION = 'sallyport/authz/decision';

/** Rules that the journal asks about each record, where a policy has them (OPA documentation, "Decision Logs": masking and dropping). */
export const MASK_ENTRYPOINT = 'system/log/mask';
export const DROP_ENTRYPOINT = 'system/log/drop';
export const LOG_ENTRYPOINTS: readonly string[] = [MASK_ENTRYPOINT, DROP_ENTRYPOINT];

/** What one evaluation of a policy gave. Never an exception. */
export type Evaluation =
  | ({
      readonly kind: 'defined';
      readonly value: unknown;
      readonly steps: number;
      readonly cached: boolean;
    } & EvaluationNotes)
  | ({ readonly kind: 'undefined'; readonly steps: number; readonly cached: boolean } & EvaluationNotes)
  | { readonly kind: 'failed'; readonly fault: Fault; readonly steps: number };

/** What an evaluation leaves for the record beside its answer. */
export type EvaluationNotes = {
  /** Errors of built-in functions, each of which made an expression undefined (`name: reason`); at most eight. Absent when there were none. */
  readonly builtinErrors?: readonly string[];
  /** `nd_builtin_cache` of OPA's decision log: answers that the input does not determine, such as `time.now_ns`: name -> JSON of arguments -> answer. */
  readonly ndBuiltinCache?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

/** Which costly parts of the input the policy reads; anything else is always there. From the compiled plan; all true where there is no plan. */
export type InputNeeds = {
  readonly parsedBody: boolean;
  readonly rawBody: boolean;
  readonly parsedQuery: boolean;
  readonly peerCertificate: boolean;
};

/** An active policy revision. Implemented by `core/policy`. */
export interface Policy {
  /** `{bundle name: {revision}}` for the record. */
  readonly bundles: Readonly<Record<string, { readonly revision: string }>>;
  readonly entrypoint: string;
  readonly needs: InputNeeds;
  evaluate(input: PolicyInput): Evaluation;
  /** `data.system.log.mask` / `data.system.log.drop` over a record; undefined where the policy has no such rule. */
  readonly mask: ((event: unknown) => Evaluation) | undefined;
  readonly drop: ((event: unknown) => Evaluation) | undefined;
}
