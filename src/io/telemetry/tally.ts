import { Counter, Histogram, type Registry } from 'prom-client';
import type { MetricObjectWithValues, MetricType, MetricValueWithName } from 'prom-client';

type Labels = Readonly<Record<string, string>>;
type Name = { readonly name: string; readonly help: string };

/** The library's types name an enumeration that it does not export. */
const HISTOGRAM = 'histogram' as unknown as MetricType;

/** One count, kept by whoever counts. */
export type Tally = { count: number };

/**
 * A counter whose counts are ours until it is scraped: one of the library's own makes a text of its labels and looks it up at every step, which costs
 * half a microsecond. Gives the function that makes the count of one combination of labels, to be called once for each.
 */
export function talliedCounter(
  registry: Registry,
  { name, help }: Name,
  labelNames: readonly string[],
): (labels: Labels) => Tally {
  const tallies: { readonly labels: Labels; readonly tally: Tally }[] = [];
  registry.registerMetric(
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [],
      collect() {
        this.reset();
        for (const { labels, tally } of tallies) this.inc(labels, tally.count);
      },
    }),
  );
  return (labels) => {
    const tally: Tally = { count: 0 };
    tallies.push({ labels, tally });
    return tally;
  };
}

/** What was observed with one combination of labels. */
export class Distribution {
  readonly labels: Labels;
  sum = 0;
  count = 0;
  /** How many were at most the bound at the same place, and more than the one before; what is above the last bound is in `count` only. */
  readonly counts: number[];
  readonly #bounds: readonly number[];

  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.counts = bounds.map(() => 0);
  }

  /** `value` is finite. */
  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at += 1;
    if (at < bounds.length) this.counts[at] = (this.counts[at] as number) + 1;
    this.sum += value;
    this.count += 1;
  }
}

/** A histogram whose distributions are ours, for the same reason; one without labels shows from the start, others once something was observed. */
export class TalliedHistogram extends Histogram {
  readonly #metric: Name;
  readonly #bounds: readonly number[];
  readonly #distributions: Distribution[] = [];

  constructor(registry: Registry, metric: Name, bounds: readonly number[]) {
    super({ ...metric, buckets: [...bounds], registers: [] });
    this.#metric = metric;
    this.#bounds = bounds;
    registry.registerMetric(this);
  }

  /** What is observed with these labels; to be called once for each combination. */
  distribution(labels: Labels = {}): Distribution {
    const made = new Distribution(labels, this.#bounds);
    this.#distributions.push(made);
    return made;
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const shown = this.#distributions.filter(({ labels, count }) => count > 0 || Object.keys(labels).length === 0);
    const values = shown.flatMap((one) => this.#values(one));
    return { ...this.#metric, type: HISTOGRAM, aggregator: 'sum', collect: () => undefined, values };
  }

  /** The registry asks for this where a metric has it. */
  async getForPromString(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    return this.get();
  }

  #values({ labels, sum, count, counts }: Distribution): MetricValueWithName<string>[] {
    const { name } = this.#metric;
    let upTo = 0;
    const buckets = this.#bounds.map((le, at) => {
      upTo += counts[at] ?? 0;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: upTo };
    });
    return [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}
