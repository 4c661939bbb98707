/** What is read at each scrape, from whoever knows it. */
export type Figures = {
  /** With peers, and with the agent on outbound listeners. */
  readonly connections: number;
  readonly requests: number;
  /** Our own certificate; undefined where none is loaded. */
  readonly certificateNotAfterMs: number | undefined;
  /** Undefined where the agent makes no calls through us. */
  readonly outbound: { readonly connections: number; readonly openCircuits: number } | undefined;
  readonly journal: {
    readonly records: number;
    readonly bytes: number;
    readonly promised: number;
    readonly waiting: number;
    /** Since start. */
    readonly refused: number;
    readonly lost: number;
    readonly withheld: number;
    readonly sinks: readonly { readonly name: string; readonly ok: boolean }[];
  };
};
