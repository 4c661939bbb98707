/** The candidate that `text` is most likely a slip of: at most two edits away (one for short words), or equal but for case and `-`/`_`. */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  const folded = fold(text);
  const allowed = text.length <= 4 ? 1 : 2;
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(folded, fold(candidate), allowed);
    if (distance <= allowed && (best === undefined || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate;
}

function fold(text: string): string {
  return text.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Levenshtein distance; a number above `limit` where the lengths alone put it there. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const changed = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(changed, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? limit + 1;
}
