import type { Choices } from './choices.ts';
import type { Names, Scope } from './scope.ts';
import { withVariable } from './scope.ts';
import type { Terms } from './terms.ts';

/** Lines of a body, and what may be named after them. */
export type Body = { readonly lines: readonly string[]; readonly scope: Scope };

const DEPTH = 3;

/** Writes bodies of rules. */
export class Bodies {
  readonly #choices: Choices;
  readonly #names: Names;
  readonly #terms: Terms;

  constructor(choices: Choices, names: Names, terms: Terms) {
    this.#choices = choices;
    this.#names = names;
    this.#terms = terms;
  }

  body(scope: Scope): Body {
    let body: Body = { lines: [], scope };
    for (let left = 1 + this.#choices.upTo(3); left > 0; left -= 1) body = this.#append(body);
    return body;
  }

  #append({ lines, scope }: Body): Body {
    const name = this.#names.fresh();
    const other = this.#names.fresh();
    const any = (inside = scope): string => this.#terms.term('any', inside, DEPTH);
    const also = (line: string, ...bound: readonly string[]): Body => {
      return { lines: [...lines, line], scope: bound.reduce(withVariable, scope) };
    };
    switch (this.#choices.upTo(12)) {
      case 0:
        return also(this.#terms.term(this.#choices.of('boolean', 'any'), scope, DEPTH));
      case 1:
        return also(`${name} := ${any()}`, name);
      case 2:
        return also(`${any()} ${this.#comparison()} ${any()}`);
      case 3:
        return also(`some ${name} in ${any()}`, name);
      case 4:
        return also(`some ${name}, ${other} in ${any()}`, name, other);
      case 5:
        return also(`not ${any()}`);
      case 6:
        return also(`not ${any()} ${this.#comparison()} ${any()}`);
      case 7:
        return also(`every ${name} in ${any()} { ${any(withVariable(scope, name))} }`);
      case 8:
        return also(`[${name}, ${other}] = ${any()}`, name, other);
      case 9:
        return also(`walk(${any()}, [${name}, ${other}])`, name, other);
      case 10:
        return also(`${name} := ${this.#terms.reference(scope)} ${this.#modifier(scope)}`, name);
      default:
        return also(`${any()} in ${any()}`);
    }
  }

  #comparison(): string {
    return this.#choices.of('==', '!=', '<', '<=', '>', '>=');
  }

  #modifier(scope: Scope): string {
    const target = this.#choices.of('input', 'input.a', 'data.d', 'data.d.b', 'input.a.b');
    // Replacing the whole by what is no object is an abort of OPA's runtime (`known differences`, with on a scalar).
    const value =
      target === 'input' || target === 'data.d'
        ? this.#terms.term('object', scope, 1)
        : this.#terms.term('any', scope, DEPTH - 1);
    return `with ${target} as ${value}`;
  }
}
