import { BuiltinError } from '../builtin.ts';
import { trimmedRight } from './go-trim.ts';

/** What a template's text is made of (Go text/template/parse, lex.go). */
export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'space'
  | 'assign'
  | 'declare'
  | 'pipe'
  | '('
  | ')'
  | 'string'
  | 'character'
  | 'number'
  | 'variable'
  | 'field'
  | 'dot'
  | 'boolean'
  | 'word'
  | 'keyword'
  | 'other'
  | 'end of text';
export type Token = { readonly kind: TokenKind; readonly text: string };

const KEYWORDS: ReadonlySet<string> = new Set(
  'block break continue define else end if range nil template with'.split(' '),
);
const SPACE = /[ \t\r\n]+/y;
const WORD = /[\p{L}\p{Nd}_]+/uy;
const NAME = /[.$][\p{L}\p{Nd}_]*/uy;
/** What may follow a word, a field or a variable. */
const TERMINATOR = /[ \t\r\n.,|:()]|\}\}|$/y;
const STRING = /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/uy;
const CHARACTER = /'(?:[^'\\\n]|\\[^\n])*'/uy;
const NUMBER =
  /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)/y;
const NOT_AFTER_NUMBER = /[\p{L}\p{Nd}_+-]/uy;
const SIGNS: Readonly<Record<string, TokenKind>> = { '=': 'assign', '|': 'pipe', '(': '(', ')': ')' };

/** The tokens of a template. `-` takes white space away beside an action; comments are left out. */
export function templateTokens(template: string): readonly Token[] {
  return new Lexer(template).all();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  all(): readonly Token[] {
    while (this.#text()) this.#action();
    this.#tokens.push({ kind: 'end of text', text: '' });
    return this.#tokens;
  }

  /** Text up to an action; false at the end. Comments are skipped. */
  #text(): boolean {
    for (;;) {
      const open = this.#source.indexOf('{{', this.#at);
      const text = this.#source.slice(this.#at, open < 0 ? undefined : open);
      const marked = open >= 0 && /^-[ \t\r\n]/.test(this.#source.slice(open + 2, open + 4));
      this.#push('text', marked ? trimmedRight(text, ' \t\r\n') : text);
      if (open < 0) return false;
      this.#at = open + (marked ? 4 : 2);
      if (!this.#source.startsWith('/*', this.#at)) return true;
      this.#comment();
    }
  }

  #comment(): void {
    const end = this.#source.indexOf('*/', this.#at + 2);
    if (end < 0) throw new BuiltinError('a comment of the template does not end');
    this.#at = end + 2;
    if (!this.#close()) throw new BuiltinError('a comment of the template ends before its action');
  }

  /** Takes the end of an action, and the white space that its mark takes. */
  #close(): boolean {
    const marked = /^[ \t\r\n]-\}\}$/.test(this.#source.slice(this.#at, this.#at + 4));
    if (!marked && !this.#source.startsWith('}}', this.#at)) return false;
    this.#at += marked ? 4 : 2;
    if (marked) this.#take(SPACE);
    return true;
  }

  #action(): void {
    this.#tokens.push({ kind: 'open', text: '{{' });
    let depth = 0;
    while (!this.#close()) {
      const { kind } = this.#token();
      if (kind === '(') depth += 1;
      if (kind === ')') depth -= 1;
      if (depth < 0) throw new BuiltinError('a right parenthesis of the template has no left one');
    }
    if (depth > 0) throw new BuiltinError('a left parenthesis of the template is not closed');
    this.#tokens.push({ kind: 'close', text: '}}' });
  }

  #token(): Token {
    const start = this.#at;
    const kind = this.#kind(String.fromCodePoint(this.#source.codePointAt(start) ?? 0));
    const token = { kind, text: this.#source.slice(start, this.#at) };
    this.#tokens.push(token);
    return token;
  }

  #kind(char: string): TokenKind {
    if (this.#at >= this.#source.length) throw new BuiltinError('an action of the template does not end');
    if (' \t\r\n'.includes(char)) return this.#space();
    if (char === '"' || char === '`') return this.#must(STRING, 'string');
    if (char === "'") return this.#must(CHARACTER, 'character');
    if (/^(?:[+\-0-9]|\.[0-9])/.test(this.#source.slice(this.#at, this.#at + 2))) return this.#number();
    if (char === '.' || char === '$') return this.#name(char);
    if (/[\p{L}\p{Nd}_]/u.test(char)) return this.#word();
    return this.#sign(char);
  }

  /** White space, but for the last of it where it belongs to the end of the action. */
  #space(): TokenKind {
    this.#take(SPACE);
    if (this.#source.startsWith('-}}', this.#at)) this.#at -= 1;
    return 'space';
  }

  #number(): TokenKind {
    this.#take(NUMBER);
    if (this.#sees(NOT_AFTER_NUMBER)) throw new BuiltinError('a number of the template is malformed or imaginary');
    return 'number';
  }

  #name(char: string): TokenKind {
    const name = this.#take(NAME);
    this.#terminated();
    if (char === '$') return 'variable';
    return name === '.' ? 'dot' : 'field';
  }

  #word(): TokenKind {
    const word = this.#take(WORD);
    this.#terminated();
    if (KEYWORDS.has(word)) return 'keyword';
    return word === 'true' || word === 'false' ? 'boolean' : 'word';
  }

  #sign(char: string): TokenKind {
    const declares = this.#source.startsWith(':=', this.#at);
    if ((char === ':' && !declares) || !/^[!-~]$/.test(char))
      throw new BuiltinError(`unexpected ${char} in a template`);
    this.#at += declares ? 2 : 1;
    return declares ? 'declare' : (SIGNS[char] ?? 'other');
  }

  #terminated(): void {
    if (!this.#sees(TERMINATOR)) throw new BuiltinError('a bad character follows a name of the template');
  }

  #must(pattern: RegExp, kind: TokenKind): TokenKind {
    if (this.#take(pattern) === '') throw new BuiltinError(`a ${kind} of the template does not end`);
    return kind;
  }

  #sees(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    return pattern.test(this.#source);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #push(kind: TokenKind, text: string): void {
    if (text !== '') this.#tokens.push({ kind, text });
  }
}
