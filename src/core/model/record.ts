import type { PolicyInput } from './policy-input.ts';

/**
 * One access decision, as it is written: one JSON object a line, a superset of OPA's decision-log event
 * (OPA documentation, "Decision Logs"). Exactly one exists for each request and for each connection refused before a request.
 */
export type DecisionRecord = {
  readonly decision_id: string;
  /** RFC 3339 with milliseconds, UTC: when the request's head was complete or the connection refused. */
  readonly timestamp: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Name of each bundle with its revision; empty when no policy was consulted. */
  readonly bundles: Readonly<Record<string, { readonly revision: string }>>;
  /** Entrypoint asked, for example `sallyport/authz/decision`. */
  readonly path: string;
  /** The input as the policy saw it, after masking; absent where no input could be built (an unreadable request, a refused connection). */
  readonly input?: PolicyInput | Readonly<Record<string, unknown>>;
  /** The policy's answer as it gave it, after masking; absent when undefined or when it was not asked. */
  readonly result?: unknown;
  /** OPA's `nd_builtin_cache`: answers that the input does not determine, such as `time.now_ns`: name -> JSON of arguments -> answer. For replay. */
  readonly nd_builtin_cache?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  /** Durations in nanoseconds, keys as in OPA: `timer_rego_query_eval_ns`, `timer_server_handler_ns`. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly trace_id?: string;
  readonly span_id?: string;
  /** Number of this decision among all of this process, from 1; a missing number is a decision that the policy dropped from the log. */
  readonly req_id?: number;
  /** JSON pointers of what was removed from, or replaced in, this record. */
  readonly erased?: readonly string[];
  readonly masked?: readonly string[];
  readonly sallyport: SallyportRecord;
};

/** `sallyport` in a record: what OPA's event has no place for. */
export type SallyportRecord = {
  readonly direction: 'inbound' | 'outbound';
  /** SPIFFE ID of the peer that called; for a rejected peer the ID it claimed, which nothing proves; absent without one, and outbound. */
  readonly peer?: string;
  readonly remote: string;
  readonly connection: string;
  /** Outbound: where the call goes, the IDs of which the server must prove one, and the server that did, once one was reached. */
  readonly destination?: {
    readonly name: string;
    /** `host:port` that is dialled. */
    readonly address: string;
    readonly ids: readonly string[];
    readonly peer?: { readonly spiffe_id: string; readonly serial: string };
  };
  readonly verdict: 'allow' | 'deny' | 'would-deny';
  readonly fault?: string;
  /** What exactly was wrong, for the operator; with `fault`. */
  readonly detail?: string;
  /** Method and target as received, cut where they are long, for a request that was refused before there was an `input`. */
  readonly request?: { readonly method: string; readonly target: string };
  readonly reasons: readonly string[];
  readonly mode: 'enforce' | 'shadow';
  /** What the candidate of `policy.candidate` would have said; absent where there is none, and where no policy was asked. */
  readonly candidate?: {
    readonly revision: string;
    /** `unknown`: it reads the body, which never came by whole. */
    readonly verdict: 'allow' | 'deny' | 'unknown';
    readonly fault?: string;
    /** What exactly was wrong, for the operator; with `fault`. */
    readonly detail?: string;
    /** Left out where the candidate or the policy in force masks records: no rule could mask them here. */
    readonly reasons?: readonly string[];
    /** True where it would have let through what was refused, or refused what was let through. */
    readonly differs: boolean;
  };
  readonly outcome: {
    readonly kind: 'forwarded' | 'refused' | 'upstream-failed' | 'aborted';
    readonly status: number;
    readonly grpc_status?: number;
    readonly bytes_in: number;
    readonly bytes_out: number;
    /** From the complete head to the end of the answer, milliseconds. */
    readonly ms: number;
    /** For `aborted` and `upstream-failed`: the fault that ended it. */
    readonly fault?: string;
    /** What exactly went wrong, for the operator; with `fault`. */
    readonly detail?: string;
  };
  /** True when the decision came from the decision cache. */
  readonly cached: boolean;
  /** Metered evaluation steps; 0 when no policy was consulted. */
  readonly steps: number;
  /** Hash of the previous record of this chain, and of this one; lower-case hexadecimal SHA-256. */
  readonly prev: string;
  readonly hash: string;
};
