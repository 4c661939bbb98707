import { compareNumbers } from '../../../src/core/policy/number-text.ts';

/** A number as it is written. */
class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A JSON value that has lost no digit. */
type Exact = null | boolean | string | NumberText | readonly Exact[] | ReadonlyMap<string, Exact>;

/** Rows of bindings, compared as OPA's own runner does: each side a set; with `sorted`, arrays that a variable is bound to are sorted first. */
export function sameRows(wanted: string, got: string, sorted: boolean): boolean {
  const [a, b] = [rowsOf(wanted, sorted), rowsOf(got, sorted)];
  if (a === undefined || b === undefined) return false;
  return a.every((row) => has(b, row)) && b.every((row) => has(a, row));
}

function has(rows: readonly Exact[], row: Exact): boolean {
  return rows.some((other) => compare(other, row) === 0);
}

function rowsOf(text: string, sorted: boolean): readonly Exact[] | undefined {
  const rows = readExact(text);
  if (!Array.isArray(rows)) return undefined;
  return sorted ? rows.map(sortBindings) : (rows as readonly Exact[]);
}

function sortBindings(row: Exact): Exact {
  if (!(row instanceof Map)) return row;
  const bindings = row as ReadonlyMap<string, Exact>;
  return new Map([...bindings].map(([name, value]) => [name, isArray(value) ? value.toSorted(compare) : value]));
}

function isArray(value: Exact): value is readonly Exact[] {
  return Array.isArray(value);
}

/** Reads JSON without losing a digit. */
export function readExact(text: string): Exact {
  // The declarations of JSON.parse do not have the third argument of a reviver yet.
  return JSON.parse(text, exactly as (key: string, value: unknown) => unknown) as Exact;
}

function exactly(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  if (typeof value === 'number') return new NumberText(source ?? String(value));
  const plain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return plain ? new Map(Object.entries(value)) : value;
}

/** A total order; zero where Rego has the two for equal. */
export function compare(a: Exact, b: Exact): number {
  if (a instanceof NumberText && b instanceof NumberText) return compareNumbers(a.text, b.text);
  if (a instanceof Map && b instanceof Map) return compareLists(entries(a), entries(b));
  if (isArray(a) && isArray(b)) return compareLists(a, b);
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : Number(a > b);
  return kind(a) - kind(b);
}

function entries(object: ReadonlyMap<string, Exact>): readonly Exact[] {
  return [...object].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
}

function compareLists(a: readonly Exact[], b: readonly Exact[]): number {
  for (let at = 0; at < a.length && at < b.length; at += 1) {
    const order = compare(a[at] ?? null, b[at] ?? null);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function kind(value: Exact): number {
  if (value === null) return 0;
  if (typeof value === 'boolean') return value ? 2 : 1;
  if (value instanceof NumberText) return 3;
  if (typeof value === 'string') return 4;
  return isArray(value) ? 5 : 6;
}
