/** Statuses that both Go's `http.StatusText` and Envoy's `StatusCode` know: what OPA-Envoy lets a policy answer with. */
const KNOWN: ReadonlySet<number> = new Set([
  ...range(200, 208),
  226,
  ...range(300, 305),
  307,
  308,
  ...range(400, 417),
  ...range(421, 424),
  426,
  428,
  429,
  431,
  ...range(500, 508),
  510,
  511,
]);

/** The status of a denial: 403 where the policy gives none, undefined where it gives one that cannot be sent as the answer (100 among them). */
export function readStatus(value: unknown): number | undefined {
  if (value === undefined) return 403;
  return typeof value === 'number' && KNOWN.has(value) ? value : undefined;
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
}
