import type { Config } from '../core/config/config.ts';
import { createRecorder, type Recorder } from '../core/record/recorder.ts';
import type { Journal } from '../io/journal/journal.ts';
import type { ThreadMetrics } from '../io/telemetry/thread-metrics.ts';
import type { DataPlane, InForce } from './data-plane.ts';
import type { SidecarObserver } from './observer.ts';
import type { PeerJudges } from './peer-judges.ts';
import { ServingPorts, type ServingDeps } from './serving-ports.ts';
import { numbersOf, sharedCount } from './shared-numbers.ts';
import { createRandom, systemClock } from './system.ts';
import { workerCount } from './worker-count.ts';
import { creditChunk } from './worker-credit.ts';
import { WorkerPlane } from './worker-plane.ts';

export type PlaneParts = {
  readonly inForce: InForce;
  readonly judges: PeerJudges;
  readonly journal: Journal;
  readonly observer: SidecarObserver;
  /** For several threads; undefined where nobody reads metrics. */
  readonly threadMetrics: ThreadMetrics | undefined;
};

/** What serves, as the configuration has it: this thread, or several workers. */
export function assemblePlane(config: Config, parts: PlaneParts): DataPlane {
  const count = workerCount(config);
  const { workers } = config;
  if (workers !== 'auto' && count < workers)
    parts.observer.log.warn({ workers, serving: count }, 'fewer workers than configured: no more can be of use');
  const numbers = count > 1 ? sharedCount() : undefined;
  const recorder = lazyRecorder(parts, numbers);
  const serving = servingDeps(parts, recorder);
  if (numbers === undefined) return new ServingPorts({ ...config, mode: config.policy.mode }, serving);
  const { journal, observer, inForce, threadMetrics } = parts;
  return new WorkerPlane(config, count, {
    inForce,
    serving,
    metrics: threadMetrics,
    threads: {
      setup: {
        config,
        labels: observer.labels,
        numbers,
        creditChunk: creditChunk(config.journalQueue, count),
        metrics: threadMetrics !== undefined,
      },
      journal,
      recorder,
      log: observer.log,
      clock: systemClock,
      timer: wakefulTimer,
      random: createRandom(),
    },
  });
}

/** One for all lines of the process; where its chain begins is known once the journal is open. */
function lazyRecorder({ journal, observer }: PlaneParts, numbers: SharedArrayBuffer | undefined): () => Recorder {
  let made: Recorder | undefined;
  return () => {
    made ??= createRecorder({
      labels: observer.labels,
      chainStart: journal.chainStart(),
      nextNumber: numbers && numbersOf(numbers),
    });
    return made;
  };
}

function servingDeps(
  { inForce, judges, journal, observer, threadMetrics }: PlaneParts,
  recorder: () => Recorder,
): ServingDeps {
  return {
    inForce,
    judges,
    journal,
    record: () => {
      const own = recorder();
      return (facts) => own.record(facts);
    },
    observer: threadMetrics?.counter ?? observer,
    problem: (error) => observer.log.error({ error: String(error) }, 'a fault of ours cost a connection'),
  };
}

/** Keeps the process alive. */
function wakefulTimer(ms: number, action: () => void): () => void {
  const handle = setTimeout(action, ms);
  return () => clearTimeout(handle);
}
