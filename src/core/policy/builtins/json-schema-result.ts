import { arr, str } from '../term.ts';
import type { Term } from '../term.ts';
import { record } from './json-term.ts';

/** One reason why a document does not match: OPA's name of the kind, where, and the sentence. */
export type SchemaMismatch = { readonly type: string; readonly path: readonly string[]; readonly description: string };

/** What a schema says of a value. The score tells which branch of several came nearest, whose reasons are reported. */
export class SchemaResult {
  readonly mismatches: SchemaMismatch[] = [];
  score = 0;

  get valid(): boolean {
    return this.mismatches.length === 0;
  }

  add(type: string, path: readonly string[], description: string): void {
    this.mismatches.push({ type, path, description });
    this.score -= 2;
  }

  merge(other: SchemaResult): void {
    for (const one of other.mismatches) this.mismatches.push(one);
    this.score += other.score;
  }
}

/** The name of a place: `(Root)`, or the keys and positions that lead to it. */
export function fieldName(path: readonly string[]): string {
  return path.length === 0 ? '(Root)' : path.join('.');
}

/** The reasons as `json.match_schema` answers them. */
export function mismatchTerms(result: SchemaResult): Term {
  return arr(
    result.mismatches.map(({ type, path, description }) => {
      const field = fieldName(path);
      return record([
        ['error', str(`${field}: ${description}`)],
        ['type', str(type)],
        ['field', str(field)],
        ['desc', str(description)],
      ]);
    }),
  );
}
