/** Longest that a measurement goes on, milliseconds, and most rounds. */
const LONGEST_MS = 25;
const MOST_ROUNDS = 1_000;

/** Median time of `run`, microseconds, over as many rounds as fit into a fortieth of a second; the later half counts, since engines warm up. */
export function medianMicroseconds(run: () => void): number {
  const times: number[] = [];
  const end = performance.now() + LONGEST_MS;
  do {
    const began = performance.now();
    run();
    times.push((performance.now() - began) * 1000);
  } while (performance.now() < end && times.length < MOST_ROUNDS);
  const warm = times.slice(Math.floor(times.length / 2)).sort((a, b) => a - b);
  return warm[Math.floor(warm.length / 2)] ?? 0;
}
