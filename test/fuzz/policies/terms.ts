import type { Call, Kind } from './calls.ts';
import type { Choices } from './choices.ts';
import { KEYS, anyNumber, anyString } from './documents.ts';
import type { Names, Scope } from './scope.ts';
import { withVariable } from './scope.ts';

/** Writes terms of Rego. `depth` is how many more of them may stand inside each other. */
export class Terms {
  readonly #choices: Choices;
  readonly #names: Names;
  readonly #calls: readonly Call[];

  constructor(choices: Choices, names: Names, calls: readonly Call[]) {
    this.#choices = choices;
    this.#names = names;
    this.#calls = calls;
  }

  /** A term that OPA's type checker takes for `kind`: one of it, or one of which it knows nothing. */
  term(kind: Kind, scope: Scope, depth: number): string {
    // Larger shifts and ranges fill the memory of the interpreter, which has no bounds.
    if (kind === 'small') return this.#choices.of('0', '1', '63', '64', '100', '-1', '1.5');
    // Of other text a module makes something, where the interpreter fails.
    if (kind === 'json') return this.#choices.of('"[1, {\\"a\\": null}]"', `json.marshal(${this.reference(scope)})`);
    if (kind === 'base64') return this.#choices.of('"YQ=="', `base64.encode(${this.reference(scope)})`);
    const choice = this.#choices.upTo(depth > 0 ? 12 : 3);
    // What is not known to be of the kind that is wanted is mostly undefined there.
    if (choice === 0 || (kind === 'any' && choice <= 2)) return this.reference(scope);
    if (choice <= 4) return this.#literal(kind);
    if (choice <= 8) return this.#call(kind, scope, depth);
    return this.#made(kind, scope, depth);
  }

  /** A variable, a rule, or a place of input or data, with constants, variables and holes as keys. */
  reference(scope: Scope): string {
    const choice = this.#choices.upTo(8);
    const variable = this.#choices.of('input', ...scope.variables);
    if (choice === 0) return `input.${this.#choices.of('a', 'b', 'c')}`;
    if (choice === 1) return variable;
    if (choice === 2) return `data.d.${this.#choices.of('a', 'b', 'c')}`;
    if (choice === 3) return this.#choices.of('input', ...scope.rules);
    if (choice === 4) return `${variable}[${this.#key(scope)}]`;
    if (choice === 5) return `input[${this.#key(scope)}][${this.#key(scope)}]`;
    if (choice === 6) return `data.d[${this.#key(scope)}]`;
    return `${this.#choices.of('input.a', ...scope.rules)}[${this.#key(scope)}]`;
  }

  #key(scope: Scope): string {
    const choice = this.#choices.upTo(6);
    if (choice <= 1) return JSON.stringify(this.#choices.of(...KEYS));
    if (choice === 2) return String(this.#choices.upTo(3));
    if (choice === 3) return '_';
    return this.#choices.of('"a"', ...scope.variables);
  }

  #literal(kind: Kind): string {
    switch (kind) {
      case 'number':
      case 'small':
        return anyNumber(this.#choices);
      case 'string':
        return this.#text();
      case 'boolean':
        return this.#choices.of('true', 'false');
      case 'array':
        return `[${this.#choices.some(0, 3, () => this.#literal('any')).join(', ')}]`;
      case 'strings':
        return this.#choices.of(
          `[${this.#choices.some(0, 3, () => this.#text()).join(', ')}]`,
          `{${this.#choices.some(1, 3, () => this.#text()).join(', ')}}`,
        );
      case 'set':
        return this.#choices.of('set()', `{${this.#choices.some(1, 3, () => this.#literal('any')).join(', ')}}`);
      case 'object':
        return this.#object(() => this.#literal('any'));
      case 'paths':
        return this.#choices.of('["a"]', '["a/b", "b/0"]', '{"é", "c"}', '[["a"], ["b", "0"], "a.b"]');
      case 'json':
      case 'base64':
        return '""';
      case 'any':
        return this.#literal(
          this.#choices.of('number', 'string', 'string', 'boolean', 'array', 'object', 'set', 'strings'),
        );
      default:
        return kind satisfies never;
    }
  }

  #text(): string {
    return JSON.stringify(anyString(this.#choices));
  }

  #object(value: () => string): string {
    const keys = new Set(this.#choices.some(0, 3, () => this.#choices.of(...KEYS)));
    return `{${[...keys].map((key) => `${JSON.stringify(key)}: ${value()}`).join(', ')}}`;
  }

  #call(kind: Kind, scope: Scope, depth: number): string {
    const usable = this.#calls.filter(({ gives }) => kind === 'any' || gives === kind || gives === 'any');
    const call = usable[this.#choices.upTo(Math.max(usable.length, 1))];
    if (call === undefined) return this.reference(scope);
    return `${call.name}(${call.takes.map((taken) => this.term(taken, scope, depth - 1)).join(', ')})`;
  }

  /** A term of operators, comprehensions and composites. */
  #made(kind: Kind, scope: Scope, depth: number): string {
    const inner = (of: Kind): string => this.term(of, scope, depth - 1);
    switch (kind) {
      case 'number':
        return `(${inner('number')} ${this.#choices.of('+', '-', '*', '/', '%')} ${inner('number')})`;
      case 'set':
        return this.#choices.upTo(2) === 0
          ? `(${inner('set')} ${this.#choices.of('|', '&', '-')} ${inner('set')})`
          : this.#comprehension('{', '}', scope, depth);
      case 'array':
      case 'strings':
        return this.#choices.upTo(2) === 0
          ? `[${this.#choices.some(0, 3, () => inner(kind === 'strings' ? 'string' : 'any')).join(', ')}]`
          : this.#comprehension('[', ']', scope, depth);
      case 'object':
        return this.#choices.upTo(2) === 0
          ? this.#object(() => inner('any'))
          : this.#comprehension('{', '}', scope, depth, `${inner('any')}: `);
      case 'any':
        return this.#anything(scope, depth);
      case 'boolean':
      case 'string':
      case 'paths':
      case 'small':
      case 'json':
      case 'base64':
        return this.#call(kind, scope, depth);
      default:
        return kind satisfies never;
    }
  }

  #anything(scope: Scope, depth: number): string {
    const name = scope.functions[this.#choices.upTo(scope.functions.length + 1)];
    if (name !== undefined) return `${name}(${this.term('any', scope, depth - 1)})`;
    return this.#made(this.#choices.of('number', 'set', 'array', 'object'), scope, depth);
  }

  #comprehension(open: string, close: string, scope: Scope, depth: number, key = ''): string {
    const name = this.#names.fresh();
    const domain = this.term('any', scope, depth - 1);
    const inside = withVariable(scope, name);
    const filter = this.#choices.once(2) ? `; ${this.term('any', inside, depth - 1)}` : '';
    return `${open}${key}${this.term('any', inside, depth - 1)} | some ${name} in ${domain}${filter}${close}`;
  }
}
