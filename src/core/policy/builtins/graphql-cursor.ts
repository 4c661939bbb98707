import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import type { Comments, Directive, Type, Value } from './graphql-ast.ts';
import { VALUE } from './graphql-ast.ts';
import { graphqlTokens } from './graphql-lexer.ts';
import type { GraphqlToken } from './graphql-lexer.ts';

/** Steps for each character of a document, and for each token. */
const CHARACTER_STEPS = 1_000;
const TOKEN_STEPS = 20_000;
/** Levels of selections, values and types within each other: the answer nests more than twice as deep. */
const MAX_DEPTH = 120;
const END: GraphqlToken = { kind: 'end', value: '', comments: [] };
const LITERALS: Readonly<Partial<Record<GraphqlToken['kind'], number>>> = {
  int: VALUE.int,
  float: VALUE.float,
  string: VALUE.string,
  block: VALUE.block,
};

/** Reads the parts that queries and schemas share. Anything unexpected is a BuiltinError. */
export class GraphqlCursor {
  readonly #tokens: readonly GraphqlToken[];
  #at = 0;
  #depth = 0;

  constructor(text: string, context: BuiltinContext) {
    context.charge(text.length * CHARACTER_STEPS);
    this.#tokens = graphqlTokens(text);
    context.charge(this.#tokens.length * TOKEN_STEPS);
  }

  get token(): GraphqlToken {
    return this.#tokens[this.#at] ?? END;
  }

  /** The comments before the token that is next. */
  get comment(): Comments | undefined {
    const { comments } = this.token;
    return comments.length === 0 ? undefined : { List: comments.map((Value) => ({ Value })) };
  }

  next(): GraphqlToken {
    const { token } = this;
    this.#at += 1;
    return token;
  }

  is(punctuator: string): boolean {
    return this.token.kind === 'punctuator' && this.token.value === punctuator;
  }

  skip(punctuator: string): boolean {
    const found = this.is(punctuator);
    if (found) this.#at += 1;
    return found;
  }

  expect(punctuator: string): void {
    if (!this.skip(punctuator)) throw this.unexpected();
  }

  name(): string {
    if (this.token.kind !== 'name') throw this.unexpected();
    return this.next().value;
  }

  keyword(word: string): void {
    if (this.token.kind !== 'name' || this.token.value !== word) throw this.unexpected();
    this.#at += 1;
  }

  unexpected(): BuiltinError {
    return new BuiltinError(`GraphQL parse error: unexpected ${this.token.kind} "${this.token.value}"`);
  }

  /** What stands between `open` and `close`, which need not be there, but may not be empty. Gives the comments before `close` too. */
  some<T>(open: string, close: string, read: () => T): { readonly list: T[]; readonly end: Comments | undefined } {
    if (!this.is(open)) return { list: [], end: undefined };
    const list = this.many(open, close, read);
    if (list.length === 0) throw this.unexpected();
    const { comments } = this.#tokens[this.#at - 1] ?? END;
    return { list, end: comments.length === 0 ? undefined : { List: comments.map((Value) => ({ Value })) } };
  }

  many<T>(open: string, close: string, read: () => T): T[] {
    this.expect(open);
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new BuiltinError('GraphQL parse error: nested too deeply');
    const list: T[] = [];
    while (!this.skip(close)) list.push(read());
    this.#depth -= 1;
    return list;
  }

  type(): Type {
    const Elem = this.is('[') ? this.many('[', ']', () => this.type()) : undefined;
    if (Elem !== undefined && Elem.length !== 1) throw this.unexpected();
    const NamedType = Elem === undefined ? this.name() : '';
    return { NamedType, Elem: Elem?.[0], NonNull: this.skip('!') };
  }

  directives(constant: boolean): Directive[] {
    const list: Directive[] = [];
    while (this.skip('@')) list.push({ Name: this.name(), Arguments: this.arguments(constant), Location: '' });
    return list;
  }

  arguments(constant: boolean): Directive['Arguments'] {
    return this.some('(', ')', () => this.#named(constant)).list;
  }

  value(constant: boolean): Value {
    const { comment: Comment } = this;
    if (this.is('[')) {
      const Children = this.many('[', ']', () => ({ Name: '', Value: this.value(constant), Comment: undefined }));
      return { Raw: '', Children, Kind: VALUE.list, Comment };
    }
    if (this.is('{'))
      return { Raw: '', Children: this.many('{', '}', () => this.#named(constant)), Kind: VALUE.object, Comment };
    if (!constant && this.skip('$'))
      return { Raw: this.name(), Children: [], Kind: VALUE.variable, Comment: undefined };
    const Kind = this.#literal();
    if (Kind === undefined) throw this.unexpected();
    return { Raw: this.next().value, Children: [], Kind, Comment: undefined };
  }

  #literal(): number | undefined {
    const { kind, value } = this.token;
    if (kind !== 'name') return LITERALS[kind];
    if (value === 'true' || value === 'false') return VALUE.boolean;
    return value === 'null' ? VALUE.null : VALUE.enum;
  }

  #named(constant: boolean): Directive['Arguments'][number] {
    const { comment: Comment } = this;
    const Name = this.name();
    this.expect(':');
    return { Name, Value: this.value(constant), Comment };
  }
}
