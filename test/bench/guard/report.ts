import { passes, type Row, type Verdict } from './compare.ts';

/** What each verdict asks of the reader; undefined: nothing. */
const ADVICE: Readonly<Record<Verdict, string | undefined>> = {
  same: undefined,
  skipped: undefined,
  worse:
    'WORSE: find out what a request does that it did not do before. If it has to be, say why in the commit, with the new figures (npm run bench:guard -- --write).',
  better: 'better: well done. Lower the figures, so that it stays so (npm run bench:guard -- --write).',
  new: 'NEW: has no figure yet (npm run bench:guard -- --write).',
  gone: 'GONE: has a figure and was not counted. If that is meant: npm run bench:guard -- --write.',
};

/** A table of what is told apart, all rows with `all`, and what to do about it. */
export function report(rows: readonly Row[], all: boolean): string {
  const shown = all ? rows : rows.filter(({ verdict }) => ADVICE[verdict] !== undefined);
  const verdicts = new Set(shown.map(({ verdict }) => verdict));
  const advice = [...verdicts].flatMap((verdict) => ADVICE[verdict] ?? []);
  return [...(shown.length === 0 ? [] : [table(shown), '']), ...advice, summary(rows)].join('\n');
}

function summary(rows: readonly Row[]): string {
  const of = (wanted: Verdict): number => rows.filter(({ verdict }) => verdict === wanted).length;
  const skipped = of('skipped') === 0 ? '' : `, ${of('skipped')} not counted here`;
  const said = `${rows.length} counts: ${of('same')} as committed, ${of('worse')} worse, ${of('better')} better, ${of('new')} new, ${of('gone')} gone${skipped}`;
  return `${said}: ${passes(rows) ? 'passed' : 'FAILED'}`;
}

function table(rows: readonly Row[]): string {
  const cells = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  return cells.map((line) => line.map((cell, at) => padded(cell, widths[at] ?? 0, at)).join('  ')).join('\n');
}

const HEAD = ['', 'of', 'figure', 'counted', 'change', 'allowed', 'unit'];

function cellsOf({ verdict, name, figure, counted, tolerance, unit, kind }: Row): readonly string[] {
  const change = figure === undefined || counted === undefined ? '-' : percent(counted - figure, figure);
  const allowed = tolerance === 0 ? 'exact' : percent(tolerance, 1);
  return [verdict, name, number(figure), number(counted), change, allowed, unit === '' ? kind : unit];
}

function padded(cell: string, width: number, at: number): string {
  return at >= 2 && at <= 5 ? cell.padStart(width) : cell.padEnd(width);
}

function number(value: number | undefined): string {
  return value === undefined ? '-' : value.toLocaleString('en-US');
}

function percent(part: number, of: number): string {
  if (part === 0) return '0 %';
  if (of === 0) return part > 0 ? 'from 0' : 'to 0';
  return `${part > 0 ? '+' : ''}${((part / of) * 100).toFixed(1)} %`;
}
