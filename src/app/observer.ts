import type { Observer } from '../core/gate/ports.ts';

/** The process log: fields for machines, a message for people. Secrets never. */
export type Log = Readonly<
  Record<'debug' | 'info' | 'warn' | 'error', (fields: Readonly<Record<string, unknown>>, message: string) => void>
>;

/** What may change while running. */
export type Followed = 'identity' | 'policy';

/** Hears of everything a sidecar does; metrics and the process log hang on it. */
export type SidecarObserver = Observer & {
  readonly log: Log;
  /** `id` and `version` of this instance and what the operator adds: in every record. */
  readonly labels: Readonly<Record<string, string>>;
  /** A followed source has problems, or has none any more. */
  source(kind: Followed, problems: readonly string[] | undefined): void;
  /** New content of a followed source is in force. */
  sourceChanged(kind: Followed): void;
  policyChanged(bundles: Readonly<Record<string, { readonly revision: string }>>): void;
};
