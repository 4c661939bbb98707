import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { InjectionRefusal } from '../../core/model/injection.ts';

/** What came of one request to the webhook. */
export type AdmissionOutcome =
  | { readonly kind: 'injected' | 'skipped' | 'malformed' | 'failed' }
  | { readonly kind: 'refused'; readonly reasons: readonly InjectionRefusal['kind'][] };

/** What others know at the moment of a scrape; undefined leaves it out. Times in milliseconds since the epoch. */
export type InjectorFigures = {
  readonly servingNotAfterMs: number | undefined;
  /** Whether the API server is known to believe what is served; undefined where it is not ours to say. */
  readonly caBundleInPlace: boolean | undefined;
  /** Each followed resource, by its plural: since when what is known of it may be old. */
  readonly watches: readonly { readonly resource: string; readonly staleSinceMs: number | undefined }[];
  /** Each namespace that has a policy of its own. */
  readonly namespaces: readonly NamespaceFigures[];
};

/** What is served to one namespace. */
export type NamespaceFigures = {
  readonly namespace: string;
  /** Revision of the policy in force. */
  readonly revision: string | undefined;
  readonly candidateRevision?: string | undefined;
  /** The newest policy is no good, and the last good one is in force. */
  readonly problem: boolean;
};

/** Hears of what an injector does, and gives it as metrics. Labels come from closed sets, or are names of the cluster. */
export interface InjectorMetrics {
  /** One request to the webhook; `ms`: how long it took. */
  answered(outcome: AdmissionOutcome, ms: number): void;
  /** A request to the API server failed. */
  apiFailed(verb: string, kind: string): void;
  /** All metrics in the Prometheus text format. */
  metrics(): Promise<string>;
  readonly contentType: string;
}

export type InjectorMetricsDeps = {
  readonly figures: () => InjectorFigures | undefined;
  readonly nowMs: () => number;
};

/** Seconds. An injection takes a millisecond or two; the API server waits for ten seconds. */
const BUCKETS = [5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const OUTCOMES = ['injected', 'skipped', 'refused', 'malformed', 'failed'] as const;
/** Namespaces that have series of their own; the rest is counted in `sallyport_namespaces_unlisted`. */
const MAX_NAMESPACES = 1_000;

/** Creates the metrics of an injector, in a registry of their own. */
export function createInjectorMetrics(
  config: { readonly version: string },
  deps: InjectorMetricsDeps,
): InjectorMetrics {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({ name: 'sallyport_build_info', help: 'Always 1.', labelNames: ['version'], registers }).set(
    { version: config.version },
    1,
  );
  const apiFailures = new Counter({
    name: 'sallyport_api_server_failures_total',
    help: 'Requests to the API server that failed, by verb and kind of failure.',
    labelNames: ['verb', 'kind'],
    registers,
  });
  certificateFigures(registry, deps);
  watchFigures(registry, deps);
  namespaceFigures(registry, deps);
  let first = true;
  return {
    answered: admissionMetrics(registry),
    apiFailed: (verb, kind) => apiFailures.inc({ verb, kind }),
    contentType: registry.contentType,
    metrics: () => {
      if (first) collectDefaultMetrics({ register: registry });
      first = false;
      return registry.metrics();
    },
  };
}

function admissionMetrics(registry: Registry): InjectorMetrics['answered'] {
  const registers = [registry];
  const duration = new Histogram({
    name: 'sallyport_injection_duration_seconds',
    help: 'From the complete head of an admission request to its answer.',
    buckets: BUCKETS,
    registers,
  });
  const requests = new Counter({
    name: 'sallyport_injection_requests_total',
    help: 'Admission requests, by what came of them.',
    labelNames: ['outcome'],
    registers,
  });
  const refusals = new Counter({
    name: 'sallyport_injection_refusals_total',
    help: 'Reasons why pods were not let in; one pod may have several.',
    labelNames: ['reason'],
    registers,
  });
  for (const outcome of OUTCOMES) requests.inc({ outcome }, 0);
  return (outcome, ms) => {
    requests.inc({ outcome: outcome.kind });
    // The library throws for what is no number, and an observer must not.
    duration.observe(ms > 0 && Number.isFinite(ms) ? ms / 1_000 : 0);
    if (outcome.kind === 'refused') for (const reason of new Set(outcome.reasons)) refusals.inc({ reason });
  };
}

function certificateFigures(registry: Registry, { figures }: InjectorMetricsDeps): void {
  const rows = [
    [
      'serving_certificate_not_after_timestamp_seconds',
      "When the webhook's serving certificate expires.",
      (now: InjectorFigures) => now.servingNotAfterMs && now.servingNotAfterMs / 1_000,
    ],
    [
      'serving_certificate_ca_bundle_in_place',
      '1 while the webhook configuration is known to hold the authority of the serving certificate.',
      (now: InjectorFigures) => now.caBundleInPlace && 1,
    ],
  ] as const;
  for (const [name, help, read] of rows) {
    const gauge = new Gauge({
      name: `sallyport_${name}`,
      help,
      registers: [],
      collect() {
        const now = figures();
        const value = now && read(now);
        if (value === undefined) this.remove();
        else this.set(Number(value));
      },
    });
    registry.registerMetric(gauge);
  }
}

function watchFigures(registry: Registry, { figures, nowMs }: InjectorMetricsDeps): void {
  const gauge = new Gauge({
    name: 'sallyport_watch_stale_seconds',
    help: 'For how long what is known of a resource may be old because the API server cannot be asked; 0 while it is followed.',
    labelNames: ['resource'],
    registers: [],
    collect() {
      this.reset();
      for (const { resource, staleSinceMs } of figures()?.watches ?? [])
        this.set({ resource }, staleSinceMs === undefined ? 0 : Math.max(0, nowMs() - staleSinceMs) / 1_000);
    },
  });
  registry.registerMetric(gauge);
}

function namespaceFigures(registry: Registry, { figures }: InjectorMetricsDeps): void {
  const all = (): readonly NamespaceFigures[] => figures()?.namespaces ?? [];
  const listed = (): readonly NamespaceFigures[] => all().slice(0, MAX_NAMESPACES);
  registry.registerMetric(problemGauge(listed));
  registry.registerMetric(revisionGauge(listed));
  const unlisted = new Gauge({
    name: 'sallyport_namespaces_unlisted',
    help: 'Namespaces beyond the first thousand, which have no series of their own.',
    registers: [],
    collect() {
      this.set(Math.max(0, all().length - MAX_NAMESPACES));
    },
  });
  registry.registerMetric(unlisted);
}

function problemGauge(listed: () => readonly NamespaceFigures[]): Gauge<'namespace'> {
  return new Gauge({
    name: 'sallyport_namespace_policy_problem',
    help: '1 while the newest policy of a namespace is no good and the last good one is in force.',
    labelNames: ['namespace'],
    registers: [],
    collect() {
      this.reset();
      for (const { namespace, problem } of listed()) this.set({ namespace }, problem ? 1 : 0);
    },
  });
}

function revisionGauge(listed: () => readonly NamespaceFigures[]): Gauge<'namespace' | 'policy' | 'revision'> {
  return new Gauge({
    name: 'sallyport_namespace_policy_info',
    help: 'Always 1: the revision of the policy, and of the candidate, that each namespace is served.',
    labelNames: ['namespace', 'policy', 'revision'],
    registers: [],
    collect() {
      this.reset();
      for (const { namespace, revision, candidateRevision } of listed()) {
        if (revision !== undefined) this.set({ namespace, policy: 'active', revision }, 1);
        if (candidateRevision !== undefined)
          this.set({ namespace, policy: 'candidate', revision: candidateRevision }, 1);
      }
    },
  });
}
