/** What is measured of a target in one step of a workload. Times of requests in microseconds, of starts in milliseconds, sizes in MiB, shares from 0 to 1. */
export type FigureName =
  | 'cpuMicros'
  | 'perSecond'
  | 'p50'
  | 'p90'
  | 'p99'
  | 'p999'
  | 'rssMiB'
  | 'peakRssMiB'
  | 'readyMs'
  | 'refusedShare'
  | 'otherLoad'
  | 'loadAverage';

/** Where a figure was taken. */
export type Place = { readonly workload: string; readonly step: string; readonly target: string };

/** The figures of one target in one step of one round. */
export type Sample = Place & {
  /** From 0. */
  readonly round: number;
  readonly figures: Readonly<Partial<Record<FigureName, number>>>;
};

/** The same figure of two places, compared round by round: drift of the machine falls on both. */
export type Ratio = {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
  /** How many rounds have both. */
  readonly rounds: number;
};

/** The middle value; of an even count the mean of the two in the middle; undefined of none. */
export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

/** The figure of each round; of several samples in one round their median. */
export function byRound(samples: readonly Sample[], place: Place, figure: FigureName): ReadonlyMap<number, number> {
  const here = samples.filter((sample) => isAt(sample, place) && sample.figures[figure] !== undefined);
  const rounds = [...Map.groupBy(here, ({ round }) => round)].map(([round, all]) => {
    return [round, median(all.map(({ figures }) => figures[figure] ?? 0)) ?? 0] as const;
  });
  return new Map(rounds);
}

/** The median of all rounds; undefined where nothing was measured. */
export function medianAt(samples: readonly Sample[], place: Place, figure: FigureName): number | undefined {
  return median([...byRound(samples, place, figure).values()]);
}

/** One place's figure over another's: the median of the ratios of the rounds, not the ratio of the medians. Undefined where no round has both, or the other is 0. */
export function ratio(samples: readonly Sample[], of: Place, to: Place, figure: FigureName): Ratio | undefined {
  const others = byRound(samples, to, figure);
  const ratios = [...byRound(samples, of, figure)].flatMap(([round, value]) => {
    const other = others.get(round);
    return other === undefined || other === 0 ? [] : [value / other];
  });
  const middle = median(ratios);
  if (middle === undefined) return undefined;
  return { median: middle, least: Math.min(...ratios), greatest: Math.max(...ratios), rounds: ratios.length };
}

function isAt(sample: Sample, place: Place): boolean {
  return sample.workload === place.workload && sample.step === place.step && sample.target === place.target;
}
