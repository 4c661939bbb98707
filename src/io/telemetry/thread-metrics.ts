import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';

import type { Observer } from '../../core/gate/ports.ts';
import { decisionMetrics } from './decision-metrics.ts';

/** What one thread counted, as plain data that can be sent to another. */
export type DecisionCounts = readonly Readonly<Record<'name' | 'help' | 'type' | 'aggregator' | 'values', unknown>>[];

/** Counts decisions in one of several threads. */
export type ThreadCounter = Observer & {
  /** Since the thread began. */
  counts(): Promise<DecisionCounts>;
};

/** The threads themselves. */
export type ThreadFigures = {
  readonly configured: number;
  readonly serving: number;
  readonly ended: number;
  /** Open connections of each. */
  readonly connections: readonly number[];
};

/** Metrics of decisions where several threads count them. */
export type ThreadMetrics = {
  /** Counts what this thread itself decides. */
  readonly counter: ThreadCounter;
  /** Keeps what a thread that ended had counted. */
  leftBehind(counts: DecisionCounts): void;
  /** All together, and the threads, in the Prometheus text format. */
  text(running: readonly DecisionCounts[], threads: ThreadFigures): Promise<string>;
};

/** The metrics of decisions in a registry of their own. */
export function createThreadCounter(): ThreadCounter {
  const registry = new Registry();
  return { decided: decisionMetrics(registry), counts: async () => plain(await registry.getMetricsAsJSON()) };
}

export function createThreadMetrics(): ThreadMetrics {
  const counter = createThreadCounter();
  /** Summed up one after the other, so that none is lost that comes meanwhile. */
  let past: Promise<readonly DecisionCounts[]> = Promise.resolve([]);
  return {
    counter,
    leftBehind: (counts) => {
      past = past.then(async (before) => [plain(await sumOf([...before, counts]).getMetricsAsJSON())]);
    },
    text: async (running, threads) => {
      // As of now: one that ends from here on is still among those that run.
      const [ended, own] = await Promise.all([past, counter.counts()]);
      const all = sumOf([own, ...running, ...ended]);
      return `${await all.metrics()}\n${await threadMetrics(threads).metrics()}`;
    },
  };
}

function sumOf(counts: readonly DecisionCounts[]): Registry {
  return AggregatorRegistry.aggregate(counts.map((each) => [...each]));
}

/** Without functions, which cannot be sent. */
function plain(metrics: readonly MetricObjectWithValues<MetricValue<string>>[]): DecisionCounts {
  return metrics.map(({ name, help, type, aggregator, values }) => ({ name, help, type, aggregator, values }));
}

function threadMetrics({ configured, serving, ended, connections }: ThreadFigures): Registry {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, value: number): void => new Gauge({ name, help, registers }).set(value);
  gauge('sallyport_workers', 'Worker threads that are to serve.', configured);
  gauge('sallyport_workers_serving', 'Worker threads that have their listeners open.', serving);
  const spread = new Gauge({
    name: 'sallyport_worker_connections',
    help: 'Open connections of each worker thread: how the system spreads them.',
    labelNames: ['worker'],
    registers,
  });
  for (const [worker, open] of connections.entries()) spread.set({ worker: String(worker) }, open);
  const help = 'Worker threads that ended without being told to; another took the place of each.';
  new Counter({ name: 'sallyport_workers_ended_total', help, registers }).inc(ended);
  return registry;
}
