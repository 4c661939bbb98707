import { Counter, Gauge, type Registry } from 'prom-client';

import type { Figures } from './figures.ts';

type Row = readonly [name: string, help: string, read: (figures: Figures) => number | undefined];

const GAUGES: readonly Row[] = [
  ['open_connections', 'Connections from peers, and from the agent, that are open.', (figures) => figures.connections],
  ['open_requests', 'Requests and forwarded connections under way.', (figures) => figures.requests],
  [
    'certificate_not_after_timestamp_seconds',
    'When our own certificate expires.',
    ({ certificateNotAfterMs }) => certificateNotAfterMs && certificateNotAfterMs / 1_000,
  ],
  ['outbound_connections', 'Connections to destinations that are open.', ({ outbound }) => outbound?.connections],
  [
    'outbound_open_circuits',
    'Destinations that are left alone for a while because they kept failing.',
    ({ outbound }) => outbound?.openCircuits,
  ],
  ['journal_queued_records', 'Decision records not yet in every sink.', ({ journal }) => journal.records],
  ['journal_queued_bytes', 'Bytes of decision records not yet in every sink.', ({ journal }) => journal.bytes],
  ['journal_promised_records', 'Open requests that hold room in the journal.', ({ journal }) => journal.promised],
  ['journal_waiting_requests', 'Requests that wait for room in the journal.', ({ journal }) => journal.waiting],
];

/** Counted elsewhere since start. */
const COUNTERS: readonly Row[] = [
  ['journal_refused_total', 'Requests that got no room in the journal.', ({ journal }) => journal.refused],
  ['journal_lost_total', 'Decision records that are in no sink.', ({ journal }) => journal.lost],
  [
    'journal_withheld_total',
    'Decision records that a receiver has a notice in place of.',
    ({ journal }) => journal.withheld,
  ],
];

/** Registers the figures; each is asked for when it is scraped, and left out while it is not known. */
export function figureMetrics(registry: Registry, figures: () => Figures | undefined): void {
  for (const row of GAUGES) registry.registerMetric(gauge(row, figures));
  for (const row of COUNTERS) registry.registerMetric(counter(row, figures));
  registry.registerMetric(sinkGauge(figures));
}

function gauge([name, help, read]: Row, figures: () => Figures | undefined): Gauge {
  return new Gauge({
    name: `sallyport_${name}`,
    help,
    registers: [],
    collect() {
      const value = readOr(read, figures());
      if (value === undefined) this.remove();
      else this.set(value);
    },
  });
}

function counter([name, help, read]: Row, figures: () => Figures | undefined): Counter {
  return new Counter({
    name: `sallyport_${name}`,
    help,
    registers: [],
    collect() {
      this.reset();
      this.inc(readOr(read, figures()) ?? 0);
    },
  });
}

function sinkGauge(figures: () => Figures | undefined): Gauge<'sink'> {
  return new Gauge({
    name: 'sallyport_journal_sink_up',
    help: '1 while a sink takes decision records, 0 while it fails.',
    labelNames: ['sink'],
    registers: [],
    collect() {
      this.reset();
      for (const { name, ok } of figures()?.journal.sinks ?? []) this.set({ sink: name }, ok ? 1 : 0);
    },
  });
}

function readOr(read: Row[2], figures: Figures | undefined): number | undefined {
  return figures === undefined ? undefined : read(figures);
}
