import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

/** What is read of an authority at each scrape. Times are milliseconds since the epoch; counts are since start where they grow. */
export type AuthorityMetricFigures = {
  readonly issued: number;
  /** By kind of fault. */
  readonly refused: Readonly<Partial<Record<string, number>>>;
  /** Requests that were refused, by reason of the service: those that never asked for a certificate too. */
  readonly refusals: ReadonlyMap<string, number>;
  readonly living: number;
  readonly revoked: number;
  readonly crlNumber: number;
  readonly nextUpdateMs: number;
  readonly issuerEndsMs: number;
  readonly roots: readonly { readonly sha256: string; readonly notAfterMs: number }[];
  readonly connections: number;
  readonly waiting: number;
  readonly recordsPending: number;
  readonly recordsLost: number;
  readonly podsUnproven: number;
  /** Whether everything that the authority does by itself goes well. */
  readonly isWell: boolean;
  /** Whether the roots of now are published in the cluster; undefined where they are published nowhere. */
  readonly isPublished: boolean | undefined;
};

/** The metrics of an authority. */
export interface AuthorityMetrics {
  /** All metrics in the Prometheus text format. */
  metrics(): Promise<string>;
  readonly contentType: string;
}

type Row = readonly [name: string, help: string, read: (figures: AuthorityMetricFigures) => number | undefined];

const GAUGES: readonly Row[] = [
  ['certificates', 'Certificates that have not ended and are not revoked.', ({ living }) => living],
  ['revoked_certificates', 'Entries of the current revocation lists.', ({ revoked }) => revoked],
  ['crl_number', 'Number of the revocation list of the CA that issues.', ({ crlNumber }) => crlNumber],
  [
    'crl_next_update_timestamp_seconds',
    'When the revocation list that is due first has to be replaced.',
    ({ nextUpdateMs }) => seconds(nextUpdateMs),
  ],
  [
    'issuer_not_after_timestamp_seconds',
    'When the certificate of the CA that issues expires.',
    ({ issuerEndsMs }) => seconds(issuerEndsMs),
  ],
  ['open_connections', 'Connections that are open.', ({ connections }) => connections],
  ['waiting_requests', 'Callers that wait for news of trust.', ({ waiting }) => waiting],
  ['records_pending', 'Issuance records that are not yet in the log file.', ({ recordsPending }) => recordsPending],
  ['up', '1 while lists, own certificate and log are current, 0 while one is not.', ({ isWell }) => Number(isWell)],
  [
    'roots_published',
    '1 while the roots that are in force are published in the cluster.',
    ({ isPublished }) => (isPublished === undefined ? undefined : Number(isPublished)),
  ],
];

const COUNTERS: readonly Row[] = [
  ['certificates_issued_total', 'Certificates that were issued.', ({ issued }) => issued],
  ['records_lost_total', 'Issuance records that are in no log.', ({ recordsLost }) => recordsLost],
  [
    'renewals_unproven_total',
    'Renewals of pods that went on while the API server could not be asked.',
    ({ podsUnproven }) => podsUnproven,
  ],
];

/** Creates the metrics of an authority, in a registry of their own. Labels come from closed sets, or are hashes of roots. `figures` is asked at each scrape. */
export function createAuthorityMetrics(
  version: string,
  figures: () => AuthorityMetricFigures | undefined,
): AuthorityMetrics {
  const registry = new Registry();
  const registers = [registry];
  for (const [name, help, read] of GAUGES) {
    const gauge: Gauge = new Gauge({
      name: `sallyport_authority_${name}`,
      help,
      registers,
      collect: () => {
        const now = figures();
        const value = now && read(now);
        if (value === undefined) gauge.remove();
        else gauge.set(value);
      },
    });
  }
  for (const [name, help, read] of COUNTERS) {
    const counter: Counter = new Counter({
      name: `sallyport_authority_${name}`,
      help,
      registers,
      collect: () => {
        const now = figures();
        counter.reset();
        counter.inc((now && read(now)) ?? 0);
      },
    });
  }
  refusalMetrics(registry, figures);
  rootMetrics(registry, figures);
  new Gauge({ name: 'sallyport_build_info', help: 'Always 1.', labelNames: ['version'], registers }).set(
    { version },
    1,
  );
  collectDefaultMetrics({ register: registry });
  return { metrics: () => registry.metrics(), contentType: registry.contentType };
}

function refusalMetrics(registry: Registry, figures: () => AuthorityMetricFigures | undefined): void {
  const counted = (
    name: string,
    help: string,
    label: string,
    read: (figures: AuthorityMetricFigures) => Iterable<readonly [string, number | undefined]>,
  ): void => {
    const counter: Counter = new Counter({
      name: `sallyport_authority_${name}`,
      help,
      labelNames: [label],
      registers: [registry],
      collect: () => {
        const now = figures();
        counter.reset();
        for (const [value, count = 0] of now === undefined ? [] : read(now)) counter.inc({ [label]: value }, count);
      },
    });
  };
  counted('certificates_refused_total', 'Certificates that were refused, by fault.', 'fault', ({ refused }) =>
    Object.entries(refused),
  );
  counted('requests_refused_total', 'Requests that were refused, by reason.', 'reason', ({ refusals }) => refusals);
}

function rootMetrics(registry: Registry, figures: () => AuthorityMetricFigures | undefined): void {
  const gauge: Gauge<'sha256'> = new Gauge({
    name: 'sallyport_authority_root_not_after_timestamp_seconds',
    help: 'When a root that is believed expires.',
    labelNames: ['sha256'],
    registers: [registry],
    collect: () => {
      gauge.reset();
      for (const { sha256, notAfterMs } of figures()?.roots ?? []) gauge.set({ sha256 }, notAfterMs / 1_000);
    },
  });
}

/** Undefined where there is no such moment yet. */
function seconds(ms: number): number | undefined {
  return Number.isFinite(ms) && ms > 0 ? ms / 1_000 : undefined;
}
