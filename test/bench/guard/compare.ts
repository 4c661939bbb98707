import type { Counts } from './counts.ts';
import type { Figures, Kind } from './figures.ts';

/**
 * `worse`: above its tolerance. `better`: so far below that the figure has to be lowered, or the next regression goes unseen. `new`: counted, but without a
 * figure. `gone`: has a figure, but was not counted. `skipped`: cannot be counted on this machine.
 */
export type Verdict = 'same' | 'worse' | 'better' | 'new' | 'gone' | 'skipped';

export type Row = {
  readonly kind: string;
  readonly name: string;
  readonly unit: string;
  readonly tolerance: number;
  readonly figure: number | undefined;
  readonly counted: number | undefined;
  readonly verdict: Verdict;
};

/** Every figure beside what was counted, in the order of the file; what has no figure comes last. */
export function compare(figures: Figures, counted: Counts, skipped: readonly string[] = []): readonly Row[] {
  const known = Object.entries(figures.kinds).flatMap(([kind, of]) =>
    Object.entries(of.figures).map(([name, figure]) => {
      const count = counted[kind]?.[name];
      return row(kind, name, of, figure, count, judged(figure, count, of.tolerance, skipped.includes(kind)));
    }),
  );
  const added = Object.entries(counted).flatMap(([kind, of]) =>
    Object.entries(of)
      .filter(([name]) => figures.kinds[kind]?.figures[name] === undefined)
      .map(([name, count]) => row(kind, name, figures.kinds[kind], undefined, count, 'new')),
  );
  return [...known, ...added];
}

/** Whether the guard lets this pass: what became better is told, and passes. */
export function passes(rows: readonly Row[]): boolean {
  return rows.every(({ verdict }) => verdict === 'same' || verdict === 'better' || verdict === 'skipped');
}

function judged(figure: number, counted: number | undefined, tolerance: number, skipped: boolean): Verdict {
  if (counted === undefined) return skipped ? 'skipped' : 'gone';
  const room = Math.abs(figure) * tolerance;
  // What is not a number is within no tolerance.
  if (!(counted <= figure + room)) return 'worse';
  return counted < figure - room ? 'better' : 'same';
}

function row(
  kind: string,
  name: string,
  of: Kind | undefined,
  figure: number | undefined,
  counted: number | undefined,
  verdict: Verdict,
): Row {
  return { kind, name, unit: of?.unit ?? '', tolerance: of?.tolerance ?? 0, figure, counted, verdict };
}
