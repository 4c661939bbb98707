import type { EjectionSettings } from './address-order.ts';
import type { CircuitSettings } from './circuit.ts';
import type { RetryBudgetSettings } from './retry-budget.ts';

/** How calls to one destination are bounded and repeated. Durations in milliseconds. */
export type Resilience = {
  /** Calls under way at once, those that wait for a connection included; further ones are refused with `destination_overloaded`. */
  readonly requests: number;
  /** Of these, calls that wait for a connection. */
  readonly pending: number;
  /** HTTP/1.1 connections. */
  readonly connections: number;
  /** How often a call is sent at most. */
  readonly attempts: number;
  /** Pause before the second attempt, and the longest before any; half of it is left to chance. */
  readonly backOffMs: { readonly first: number; readonly longest: number };
  readonly budget: RetryBudgetSettings;
  readonly circuit: CircuitSettings;
  readonly ejection: EjectionSettings;
};

/**
 * Bounds as Envoy has them by default (1,024 connections, pending requests and requests; retry budget 20 % and at least 3; ejection for 30 s times
 * the number of times, at most 300 s, after 5 failures in a row). Unlike Envoy's, the budget and the circuit are on.
 */
export const DEFAULT_RESILIENCE: Resilience = Object.freeze({
  requests: 1_024,
  pending: 1_024,
  connections: 1_024,
  attempts: 3,
  backOffMs: Object.freeze({ first: 50, longest: 250 }),
  budget: Object.freeze({ part: 0.2, least: 3 }),
  circuit: Object.freeze({ failures: 5, openMs: 30_000, longestMs: 300_000 }),
  ejection: Object.freeze({ firstMs: 10_000, longestMs: 300_000 }),
});
