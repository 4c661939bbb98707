import { Bodies } from './bodies.ts';
import type { Call } from './calls.ts';
import { Choices } from './choices.ts';
import { KEYS, anyObject, fullObject } from './documents.ts';
import { Names } from './scope.ts';
import type { Scope } from './scope.ts';
import { Terms } from './terms.ts';

/** A generated policy, its data and inputs to ask it about. */
export type Generated = {
  /** Each rule or function in a file of its own, so that those that do not compile can be left out: path -> text. */
  readonly files: Readonly<Record<string, string>>;
  /** Names of the rules, those of functions left out. */
  readonly rules: readonly string[];
  readonly dataJson: string;
  readonly inputsJson: readonly string[];
};

const PACKAGE = 'package p\n\n';
const DEPTH = 3;

/** Reads a policy from a tape. `calls` are the built-ins that it may call. */
export function generatePolicy(tape: readonly number[], calls: readonly Call[]): Generated {
  const choices = new Choices(tape);
  const dataJson = asWritten(`{"d":${fullObject(choices, 3)}}`);
  const inputsJson = choices.some(1, 3, () => asWritten(choices.of(fullObject, fullObject, anyObject)(choices, 3)));
  const writer = new Rules(choices, calls);
  const units = choices.some(1, 5, (index) => writer.unit(index));
  const files = Object.fromEntries(units.map(({ name, text }) => [`${name}.rego`, PACKAGE + text]));
  return { files, rules: units.filter(({ rule }) => rule).map(({ name }) => name), dataJson, inputsJson };
}

/** The text as this host writes it: input reaches it as values, where `1e3` and `1000` are one. */
function asWritten(json: string): string {
  return JSON.stringify(JSON.parse(json));
}

type Unit = { readonly name: string; readonly text: string; readonly rule: boolean };

/** Writes rules and functions; each may use those before it, so that none is recursive. */
class Rules {
  readonly #choices: Choices;
  readonly #terms: Terms;
  readonly #bodies: Bodies;
  #scope: Scope = { variables: [], rules: [], functions: [] };

  constructor(choices: Choices, calls: readonly Call[]) {
    const names = new Names();
    this.#choices = choices;
    this.#terms = new Terms(choices, names, calls);
    this.#bodies = new Bodies(choices, names, this.#terms);
  }

  unit(index: number): Unit {
    const kind = this.#choices.upTo(7);
    if (kind === 5) return this.#function(`f${index}`);
    const name = `r${index}`;
    const text = this.#rule(name, kind);
    this.#scope = { ...this.#scope, rules: [...this.#scope.rules, name] };
    return { name, text, rule: true };
  }

  #rule(name: string, kind: number): string {
    if (kind === 0) return this.#clause((scope) => `${name} := ${this.#term(scope)}`);
    if (kind === 6) return this.#collected(name);
    if (kind === 1) return this.#choices.some(1, 3, () => this.#contains(name)).join('\n');
    if (kind === 2) {
      const head = (scope: Scope): string => `${name}[${this.#term(scope)}] := ${this.#term(scope)}`;
      return this.#choices.some(1, 2, () => this.#clause(head)).join('\n');
    }
    if (kind === 3) return `default ${name} := ${this.#choices.of('false', '[]', '{"a": {1}}')}\n${this.#chain(name)}`;
    const key = JSON.stringify(this.#choices.of(...KEYS));
    return this.#choices
      .some(1, 3, () => this.#clause((scope) => `${name}.x[${key}] := ${this.#term(scope)}`))
      .join('\n');
  }

  /** A rule that is defined even where its body fails. */
  #collected(name: string): string {
    const { lines, scope } = this.#bodies.body(this.#scope);
    return `${name} := [${this.#term(scope)} | ${lines.join('; ')}]\n`;
  }

  #contains(name: string): string {
    return this.#clause((scope) => `${name} contains ${this.#term(scope)}`);
  }

  /** A rule with else branches. */
  #chain(name: string): string {
    const first = this.#clause((scope) => `${name} := ${this.#term(scope)}`).trimEnd();
    const others = this.#choices.some(0, 2, () => this.#clause((scope) => `else := ${this.#term(scope)}`).trimEnd());
    return `${[first, ...others].join(' ')}\n`;
  }

  #function(name: string): Unit {
    const clause = (): string => {
      const argument = this.#choices.of('x', 'x', '"a"', '[x, _]', '{"a": x}');
      const scope = argument.includes('x') ? { ...this.#scope, variables: ['x'] } : this.#scope;
      return this.#clause((inside) => `${name}(${argument}) := ${this.#term(inside)}`, scope);
    };
    const text = this.#choices.some(1, 2, clause).join('\n');
    this.#scope = { ...this.#scope, functions: [...this.#scope.functions, name] };
    return { name, text, rule: false };
  }

  #clause(head: (scope: Scope) => string, scope = this.#scope): string {
    const body = this.#bodies.body(scope);
    return `${head(body.scope)} if {\n${body.lines.map((line) => `\t${line}\n`).join('')}}\n`;
  }

  #term(scope: Scope): string {
    return this.#terms.term('any', scope, DEPTH - 1);
  }
}
