import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Counts } from './counts.ts';

/** What is counted in one way. Less is better in all kinds. */
export type Kind = {
  /** What one of it is, for people. */
  readonly unit: string;
  /** How far a count may be from its figure, as a share of the figure; 0: not at all. */
  readonly tolerance: number;
  /** Why that far and no further. */
  readonly reason: string;
  readonly figures: Readonly<Record<string, number>>;
};

/** The committed figures. What V8 and Node's own parts need differs between versions of Node. */
export type Figures = { readonly node: string; readonly kinds: Readonly<Record<string, Kind>> };

const PATH = join(import.meta.dirname, 'figures.json');

/** Throws for a file that is not what `Figures` says. */
export function readFigures(path = PATH): Figures {
  const figures = JSON.parse(readFileSync(path, 'utf8')) as Figures;
  for (const [name, { unit, tolerance, reason }] of Object.entries(figures.kinds)) {
    if (!(tolerance >= 0 && tolerance < 1)) throw new Error(`${path}: ${name} needs a tolerance from 0 to 1`);
    if (!unit || !reason) throw new Error(`${path}: ${name} needs a unit, and a reason for its tolerance`);
  }
  return figures;
}

export function writeFigures(figures: Figures, path = PATH): void {
  writeFileSync(path, `${JSON.stringify(figures, undefined, 2)}\n`);
}

/**
 * The file with what was counted in place of its figures. Units, tolerances and reasons are kept: they are written by hand. Figures that were not counted
 * here (`skipped` kinds) are kept as well, others are gone. Throws where a kind has no entry yet: nobody has said how exact it is.
 */
export function updated(figures: Figures, counted: Counts, node: string, skipped: readonly string[]): Figures {
  const unknown = Object.keys(counted).filter((kind) => !(kind in figures.kinds));
  if (unknown.length > 0) {
    throw new Error(
      `figures.json says nothing of ${unknown.join(', ')}: add unit, tolerance and reason with "figures": {}`,
    );
  }
  const kinds = Object.entries(figures.kinds)
    .filter(([name]) => name in counted || skipped.includes(name))
    .map(([name, kind]) => [name, { ...kind, figures: kept(kind, counted[name], skipped.includes(name)) }] as const);
  return { node, kinds: Object.fromEntries(kinds) };
}

function kept(kind: Kind, counted: Kind['figures'] | undefined, skipped: boolean): Kind['figures'] {
  return skipped ? { ...kind.figures, ...counted } : (counted ?? {});
}
