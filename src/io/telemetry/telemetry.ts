import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

import type { Observer } from '../../core/gate/ports.ts';
import type { Clock } from '../../core/kernel/clock.ts';
import { decisionMetrics } from './decision-metrics.ts';
import type { Figures } from './figures.ts';
import { figureMetrics } from './figure-metrics.ts';

/** What may change while running. */
export type Followed = 'identity' | 'policy' | 'candidate' | 'journal';

/** Hears of what a sidecar does, and gives it as metrics. No label is ever a text that a peer can choose. */
export interface Telemetry extends Observer {
  /** A followed source has problems, or (undefined) has none any more. */
  source(kind: Followed, problems: readonly string[] | undefined): void;
  /** New content of a followed source is in force. */
  sourceChanged(kind: Followed): void;
  policyChanged(bundles: Readonly<Record<string, { readonly revision: string }>>): void;
  /** Undefined: there is no candidate any more. */
  candidateChanged(bundles: Readonly<Record<string, { readonly revision: string }>> | undefined): void;
  /** All metrics in the Prometheus text format. */
  metrics(): Promise<string>;
  readonly contentType: string;
}

export type TelemetryConfig = {
  /** Version of Sallyport. */
  readonly version: string;
  /** Metrics of the process itself (CPU, memory, event loop, garbage collection); they begin with the first scrape. Default true. */
  readonly process?: boolean | undefined;
  /** Whether decisions are counted here, and not in threads of their own (`thread-metrics.ts`). Default true. */
  readonly decisions?: boolean | undefined;
};

export type TelemetryDeps = {
  readonly clock: Clock;
  /** Asked at each scrape; undefined before the sidecar is assembled. */
  readonly figures: () => Figures | undefined;
};

/** How often the event loop's delay is measured once metrics are read, milliseconds. */
const LOOP_PRECISION_MS = 50;

const KINDS: readonly Followed[] = ['identity', 'policy', 'candidate', 'journal'];

/** Creates the metrics of a sidecar, in a registry of their own. */
export function createTelemetry(config: TelemetryConfig, deps: TelemetryDeps): Telemetry {
  const registry = new Registry();
  const registers = [registry];
  const decided = config.decisions === false ? ignore : decisionMetrics(registry);
  const sources = sourceMetrics(registry);
  const policy = policyMetrics(registry, deps.clock);
  figureMetrics(registry, deps.figures);
  new Gauge({ name: 'sallyport_build_info', help: 'Always 1.', labelNames: ['version'], registers }).set(
    { version: config.version },
    1,
  );
  let processMetrics = config.process !== false;
  return {
    ...sources,
    decided,
    policyChanged: policy,
    candidateChanged: candidateInfo(registry),
    contentType: registry.contentType,
    metrics: () => {
      if (processMetrics) {
        collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_PRECISION_MS });
        processMetrics = false;
      }
      return registry.metrics();
    },
  };
}

function sourceMetrics(registry: Registry): Pick<Telemetry, 'source' | 'sourceChanged'> {
  const registers = [registry];
  const reloads = new Counter({
    name: 'sallyport_reloads_total',
    help: 'Changes of followed sources, by kind and whether the new content came into force.',
    labelNames: ['kind', 'result'],
    registers,
  });
  const problem = new Gauge({
    name: 'sallyport_source_problem',
    help: '1 while the newest content of a followed source is no good and the last good one is in force.',
    labelNames: ['kind'],
    registers,
  });
  for (const kind of KINDS) {
    problem.set({ kind }, 0);
    for (const result of ['ok', 'failed']) reloads.inc({ kind, result }, 0);
  }
  return {
    source: (kind, problems) => {
      problem.set({ kind }, problems === undefined ? 0 : 1);
      if (problems !== undefined) reloads.inc({ kind, result: 'failed' });
    },
    sourceChanged: (kind) => reloads.inc({ kind, result: 'ok' }),
  };
}

function policyMetrics(registry: Registry, clock: Clock): Telemetry['policyChanged'] {
  const registers = [registry];
  const info = new Gauge({
    name: 'sallyport_policy_info',
    help: 'Always 1: the revision of each policy bundle in force.',
    labelNames: ['bundle', 'revision'],
    registers,
  });
  const since = new Gauge({
    name: 'sallyport_policy_active_since_timestamp_seconds',
    help: 'When the policy revision in force was activated.',
    registers,
  });
  return (bundles) => {
    info.reset();
    for (const [bundle, { revision }] of Object.entries(bundles)) info.set({ bundle, revision }, 1);
    since.set(clock.wallMs() / 1_000);
  };
}

function candidateInfo(registry: Registry): Telemetry['candidateChanged'] {
  const info = new Gauge({
    name: 'sallyport_candidate_info',
    help: 'Always 1: the revision of each bundle of the candidate policy; absent where there is no candidate.',
    labelNames: ['bundle', 'revision'],
    registers: [registry],
  });
  return (bundles) => {
    info.reset();
    for (const [bundle, { revision }] of Object.entries(bundles ?? {})) info.set({ bundle, revision }, 1);
  };
}

function ignore(): void {
  // Others count.
}
