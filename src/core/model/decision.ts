import type { Fault } from './faults.ts';
import type { HeaderList } from '../kernel/headers.ts';

/** What an allow demands of forwarding (the OPA-Envoy decision object). Header names are lower case. Flat lists as in `HeaderList`. */
export type Obligations = {
  /** `headers`: set on the request to the agent, replacing fields of the same name. */
  readonly requestHeadersToSet: HeaderList;
  /** `request_headers_to_remove`; pseudo-headers and Host are never removed. */
  readonly requestHeadersToRemove: readonly string[];
  /** `response_headers_to_add`: appended to the answer to the peer. */
  readonly responseHeadersToAdd: HeaderList;
  /** `query_parameters_to_set`: flat `[name, value, …]`, replacing parameters of the same name. */
  readonly queryToSet: readonly string[];
  /** `query_parameters_to_remove`. */
  readonly queryToRemove: readonly string[];
  /** `dynamic_metadata`, for the record. */
  readonly dynamicMetadata: Readonly<Record<string, unknown>>;
};

/** What a policy wants the refused caller to see (the OPA-Envoy keys `http_status`, `headers`, `body`). */
export type DenialAnswer = { readonly status: number; readonly headers: HeaderList; readonly body: string | undefined };

/** The policy's answer, checked. `reasons` are for the record and never sent. Anything that is not a sound answer is a deny with its own fault. */
export type Decision =
  | { readonly kind: 'allow'; readonly obligations: Obligations; readonly reasons: readonly string[] }
  | {
      readonly kind: 'deny';
      readonly fault: Fault;
      /** Present only where the policy itself denied and said how the answer should look. */
      readonly answer: DenialAnswer | undefined;
      readonly reasons: readonly string[];
      readonly dynamicMetadata: Readonly<Record<string, unknown>>;
    };

/** No obligations: what a plain `true` means. */
export const NO_OBLIGATIONS: Obligations = Object.freeze({
  requestHeadersToSet: [],
  requestHeadersToRemove: [],
  responseHeadersToAdd: [],
  queryToSet: [],
  queryToRemove: [],
  dynamicMetadata: {},
});
