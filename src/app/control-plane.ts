import type { Config } from '../core/config/config.ts';
import type { Clock, Random } from '../core/kernel/clock.ts';
import { createLogReceiver } from '../io/control/log-receiver.ts';
import { statusDocument, type PartStatus } from '../io/control/status-document.ts';
import { createStatusReporter, type StatusReporter } from '../io/control/status-reporter.ts';
import type { Receiver, ReceiverSink } from '../io/journal/settings.ts';
import type { SinkState } from '../io/journal/sink.ts';
import type { BundleState } from '../io/sources/bundle-state.ts';
import { readBounded } from '../io/sources/read-file.ts';
import type { Log } from '../io/telemetry/log.ts';

/** Keeps the process alive while it runs: what waits to be uploaded is worth it, and `stop` cancels it. */
function timer(ms: number, action: () => void): () => void {
  const handle = setTimeout(action, ms);
  return () => clearTimeout(handle);
}

/** Who posts to the decision-log receivers of a configuration. */
export function receiversOf(targets: Config['journal'], clock: Clock): (target: ReceiverSink) => Receiver {
  const deps = { readFile: readBounded, timer, wallMs: () => clock.wallMs() };
  return ({ url }) => {
    const settings = targets.find((target) => target.kind === 'http' && target.url === url);
    if (settings?.kind !== 'http') throw new TypeError('no such receiver in the configuration');
    return createLogReceiver(settings, deps);
  };
}

/** What a status report is made of, asked for at each. */
export type StatusSources = {
  readonly labels: Readonly<Record<string, string>>;
  readonly bundle: () => BundleState;
  readonly sinks: () => readonly SinkState[];
};

/** The reporter of a configuration with `status`; undefined without. */
export function statusReporterOf(
  config: Config['status'],
  sources: StatusSources,
  world: { readonly random: Random; readonly log: Log },
): StatusReporter | undefined {
  if (config === undefined) return undefined;
  return createStatusReporter(config, {
    ...world,
    readFile: readBounded,
    timer,
    status: () => report(sources),
  });
}

function report({ labels, bundle, sinks }: StatusSources): unknown {
  const state = bundle();
  const failing = sinks().filter((sink) => !sink.ok);
  const message = failing.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
  return statusDocument({
    labels,
    bundle: state,
    decisionLogs: failing.length === 0 ? undefined : { code: 'decision_log_error', message },
    parts: {
      bundle: bundlePart(state),
      decision_logs: failing.length === 0 ? { state: 'OK' } : { state: 'ERROR', message },
      status: { state: 'OK' },
    },
  });
}

function bundlePart({ activeRevision, problem }: BundleState): PartStatus {
  if (activeRevision === undefined) return { state: 'NOT_READY', message: problem?.message };
  return problem === undefined ? { state: 'OK' } : { state: 'ERROR', message: problem.message };
}
