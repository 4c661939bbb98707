import type { InjectionRefusal } from '../../core/model/injection.ts';

/** What came of one request to the webhook. */
export type WebhookOutcome =
  | { readonly kind: 'injected' }
  /** Allowed as it is: nothing of ours to do. */
  | { readonly kind: 'skipped' }
  /** Not allowed, for each of these reasons. */
  | { readonly kind: 'refused'; readonly reasons: readonly InjectionRefusal['kind'][] }
  /** No AdmissionReview, or no request that is one of ours. */
  | { readonly kind: 'malformed' }
  /** Our own fault: the pod was not let in. */
  | { readonly kind: 'failed' };

/** Hears of each request once. */
export interface WebhookObserver {
  /** `ms`: from the complete head to the answer, milliseconds. */
  answered(outcome: WebhookOutcome, ms: number): void;
}
