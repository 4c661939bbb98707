/** A server may not silence us for longer than this, milliseconds. */
const MAX_MS = 600_000;

/** `Retry-After` (RFC 9110 10.2.3) in milliseconds from now, at most ten minutes; undefined where it is absent or not understood. */
export function retryAfterMs(field: string | undefined, nowMs: number): number | undefined {
  if (field === undefined) return undefined;
  if (/^[0-9]{1,10}$/.test(field)) return Math.min(MAX_MS, Number(field) * 1_000);
  const at = /^[A-Z][a-z]{2}, /.test(field) ? Date.parse(field) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.min(MAX_MS, Math.max(0, at - nowMs));
}
