import type { Log } from '../io/telemetry/log.ts';
import type { Telemetry } from '../io/telemetry/telemetry.ts';

/** Hears of everything a sidecar does: metrics and the process log hang on it. */
export type SidecarObserver = Telemetry & {
  readonly log: Log;
  /** `id` and `version` of this instance and what the operator adds: in every record. */
  readonly labels: Readonly<Record<string, string>>;
};

/** Metrics and log as one: what changes a followed source is in both. */
export function createObserver(telemetry: Telemetry, log: Log, labels: SidecarObserver['labels']): SidecarObserver {
  return {
    ...telemetry,
    log,
    labels,
    source: (kind, problems) => {
      telemetry.source(kind, problems);
      if (problems === undefined) log.info({ source: kind }, 'the source is good again');
      for (const problem of problems ?? []) log.error({ source: kind }, problem);
    },
  };
}
