import { styleText } from 'node:util';

/** One call as it is shown. */
export type Row = {
  readonly who: string;
  readonly agent: string;
  readonly what: string;
  readonly verdict: string;
  readonly status: string;
  readonly why: string;
  /** Microseconds that the policy took; undefined where it was not asked. */
  readonly micros: number | undefined;
  /** What was expected instead; undefined where all is as it should be. */
  readonly expected: string | undefined;
};

/** Gives text a colour, or leaves it as it is. */
export type Paint = (colour: 'green' | 'red' | 'yellow' | 'bold', text: string) => string;

/** Colours where `stream` is a terminal and NO_COLOR is not set. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  return (colour, text) => styleText(colour, text, { stream });
}

/** Widest line, characters. */
const WIDTH = 120;

const HEADINGS = ['WHO', 'AGENT', 'CALLED', 'VERDICT', 'STATUS', 'WHY', 'POLICY µs'] as const;
const [VERDICT, WHY, MICROS] = [3, 5, 6];
const COLOURS: Readonly<Record<string, 'green' | 'red'>> = { allow: 'green', deny: 'red' };
const GAP = '  ';

/** The table, one line a row and one more below each row that is not as expected. Columns are aligned and no line is longer than 120. */
export function renderTable(rows: readonly Row[], paint: Paint): readonly string[] {
  const cells = rows.map(cellsOf);
  const widths = columnWidths([HEADINGS, ...cells]);
  const heading = HEADINGS.map((text, column) => aligned(text, widths, column)).join(GAP);
  const lines = rows.flatMap(({ verdict, expected }, index) => {
    // Colour comes after padding: escape sequences have no width.
    const line = (cells[index] ?? [])
      .map((cell, column) => aligned(cell, widths, column))
      .map((text, column) => (column === VERDICT ? paint(COLOURS[verdict] ?? 'yellow', text) : text))
      .join(GAP);
    return expected === undefined ? [line] : [line, paint('yellow', `  ^ expected: ${expected}`)];
  });
  return [paint('bold', heading), ...lines];
}

function cellsOf({ who, agent, what, verdict, status, why, micros }: Row): readonly string[] {
  return [who, agent, what, verdict, status, why, micros === undefined ? '-' : String(Math.round(micros))];
}

/** As wide as the widest cell; WHY gets what is left. */
function columnWidths(table: readonly (readonly string[])[]): readonly number[] {
  const widths = HEADINGS.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const all = widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1));
  return widths.map((width, column) => (column === WHY ? width - Math.max(0, all - WIDTH) : width));
}

/** Numbers stand right, text left; what is too long ends in `…`. */
function aligned(cell: string, widths: readonly number[], column: number): string {
  const width = widths[column] ?? 0;
  const text = cell.length > width ? `${cell.slice(0, width - 1)}…` : cell;
  return column === MICROS ? text.padStart(width) : text.padEnd(width);
}
