/**
 * A Rego value as host built-ins see it. Numbers are decimal text, since Rego's are not JavaScript's; sets and objects keep the order in which
 * the module gave them, which means nothing.
 */
export type Term =
  | { readonly kind: 'null' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'array'; readonly items: readonly Term[] }
  | { readonly kind: 'set'; readonly items: readonly Term[] }
  | { readonly kind: 'object'; readonly entries: readonly (readonly [Term, Term])[] };

export const NULL: Term = { kind: 'null' };

/** A Rego boolean. */
export function bool(value: boolean): Term {
  return { kind: 'boolean', value };
}

/** A Rego string. */
export function str(value: string): Term {
  return { kind: 'string', value };
}

/** A Rego number from an integer or from decimal text. */
export function num(value: number | bigint | string): Term {
  return { kind: 'number', text: String(value) };
}

/** A Rego array. */
export function arr(items: readonly Term[]): Term {
  return { kind: 'array', items };
}
