import type { ProvenServer } from './destination.ts';
import type { Fault } from './faults.ts';

/**
 * What became of a request after its decision. Byte counts are of bodies (or of the raw stream for TCP and WebSocket), not of heads.
 * `server`: outbound, whom the last connection tried led to; absent where none got so far.
 */
export type Outcome =
  | {
      readonly kind: 'forwarded';
      /** Status sent to the peer; 0 for TCP. */
      readonly status: number;
      readonly grpcStatus?: number | undefined;
      readonly bytesIn: number;
      readonly bytesOut: number;
      readonly server?: ProvenServer | undefined;
    }
  | { readonly kind: 'refused'; readonly status: number; readonly grpcStatus?: number | undefined }
  | {
      /** The request was allowed, but the agent gave no usable answer. `status` is what the peer was told; 0 when it could not be told. */
      readonly kind: 'upstream-failed';
      readonly fault: Fault;
      readonly status: number;
      readonly grpcStatus?: number | undefined;
      readonly bytesIn: number;
      readonly bytesOut: number;
      readonly server?: ProvenServer | undefined;
    }
  | {
      /** Ended early: by the peer (reset, closed), or by us (deadline, drain, certificate expired, re-judged); `fault` says which. */
      readonly kind: 'aborted';
      readonly by: 'peer' | 'us';
      readonly fault: Fault;
      readonly status: number;
      readonly bytesIn: number;
      readonly bytesOut: number;
      readonly server?: ProvenServer | undefined;
    };
