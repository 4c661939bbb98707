import { BuiltinError } from '../builtin.ts';
import type { Token, TokenKind } from './template-lexer.ts';

/** A place among the tokens of a template. */
export class TemplateCursor {
  readonly #tokens: readonly Token[];
  /** Tokens before this place; a reader may come back to it. */
  at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The token at this place, white space too. */
  here(): Token {
    return this.#tokens[this.at] ?? { kind: 'end of text', text: '' };
  }

  /** The next token that is no white space; what was before it is not needed again. */
  peek(): Token {
    while (this.here().kind === 'space') this.at += 1;
    return this.here();
  }

  /** The same, and past it. */
  next(): Token {
    const token = this.peek();
    this.at += 1;
    return token;
  }

  /** The same, if it is of this kind. */
  expect(kind: TokenKind): Token {
    const token = this.next();
    if (token.kind !== kind) throw unexpected(token);
    return token;
  }
}

/** The error for a token that does not belong where it is. */
export function unexpected({ kind, text }: Token): BuiltinError {
  return new BuiltinError(`unexpected ${text === '' ? kind : text.slice(0, 40)} in a template`);
}
