/** What a body may name at one place: variables bound so far, and rules and functions that stand before. */
export type Scope = {
  readonly variables: readonly string[];
  readonly rules: readonly string[];
  readonly functions: readonly string[];
};

/** The scope with one more variable. */
export function withVariable(scope: Scope, name: string): Scope {
  return { ...scope, variables: [...scope.variables, name] };
}

/** Names for new variables, none twice in a policy. */
export class Names {
  #next = 0;

  fresh(): string {
    this.#next += 1;
    return `v${this.#next}`;
  }
}
