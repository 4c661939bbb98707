import type { Telemetry } from './telemetry.ts';

/** Telemetry that nobody reads; loads no metrics library. */
export const NULL_TELEMETRY: Telemetry = Object.freeze({
  decided: ignore,
  source: ignore,
  sourceChanged: ignore,
  policyChanged: ignore,
  candidateChanged: ignore,
  metrics: () => Promise.resolve(''),
  contentType: 'text/plain; charset=utf-8',
});

function ignore(): void {
  // Nothing is counted.
}
