/** Where decision records go, how many may wait, and what happens when no more can. */
export type JournalSettings = {
  /** At least one; every sink gets the same lines in the same order, a receiver once or more each. */
  readonly sinks: readonly SinkTarget[];
  /** Records that may be queued or promised room: also the bound on requests that are open at the same time. Default 10 000. */
  readonly queueRecords: number;
  /** Bytes that may be queued, with 2 KiB counted for each record that has room but is not made yet. Default 32 MiB. */
  readonly queueBytes: number;
  /** How long a request waits for room in a full queue, milliseconds. Default 1 000. */
  readonly waitMs: number;
  /** `refuse`: no room, no request (fail closed). `drop`: requests go on, records that find no room are counted. Default `refuse`. */
  readonly whenFull: 'refuse' | 'drop';
  /** How long lines are gathered before they are written together, milliseconds. Default 5: a write costs as much as four records. */
  readonly lingerMs: number;
};

export type SinkTarget = { readonly kind: 'stdout' } | { readonly kind: 'file'; readonly path: string } | ReceiverSink;

/** A decision-log receiver (OPA documentation, "Decision Log Service API"). Durations in milliseconds. */
export type ReceiverSink = {
  readonly kind: 'http';
  readonly url: string;
  /** Most bytes of one upload, compressed. */
  readonly maxBytes: number;
  /** A random pause in this range gathers lines, unless an upload is full before. */
  readonly minDelay: number;
  readonly maxDelay: number;
};

/**
 * What one upload came to. `too_large`: the receiver takes no request of that size. `refused`: it does not like what is in it, and would not tomorrow.
 * `failed`: anything else.
 */
export type UploadOutcome =
  | { readonly kind: 'taken' }
  | { readonly kind: 'too_large' }
  | {
      readonly kind: 'refused' | 'failed';
      readonly code: string;
      readonly detail: string;
      /** What the receiver asked for, milliseconds. */
      readonly retryAfterMs: number | undefined;
    };

/** Posts to one receiver. */
export interface Receiver {
  /** Posts one JSON array, compressed with gzip. One call at a time; never throws. */
  upload(body: Uint8Array): Promise<UploadOutcome>;
  stop(): Promise<void>;
}

export const DEFAULT_JOURNAL: Omit<JournalSettings, 'sinks'> = Object.freeze({
  queueRecords: 10_000,
  queueBytes: 33_554_432,
  waitMs: 1_000,
  whenFull: 'refuse',
  lingerMs: 5,
});

/** What the journal tells the operator: one line when a sink begins to fail, one when it recovers. */
export type JournalLog = {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
};
