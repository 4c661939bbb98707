import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { characterCode, goNumber, unquoted } from './go-literal.ts';
import { isTemplateFunction } from './template-functions.ts';
import { TemplateCursor, unexpected } from './template-cursor.ts';
import { templateTokens } from './template-lexer.ts';
import type { Token, TokenKind } from './template-lexer.ts';
import type { BlockNode, Command, Operand, Pipe, TemplateNode, Templates } from './template-tree.ts';

/** The name of the template that is the whole text; OPA gives it, and a text may define or call it. */
export const MAIN = 'template';
/** Blocks, `else if` and parentheses within each other. */
const MAX_DEPTH = 200;
/** Variables that are known at one place. */
const MAX_NAMES = 1_000;
/** Steps of reading one token. */
const TOKEN_STEPS = 10_000;
const BLOCKS: Readonly<Record<string, BlockNode['kind']>> = { if: 'if', range: 'range', with: 'with' };
const OPERANDS: ReadonlySet<TokenKind> = new Set<TokenKind>([
  'boolean',
  'character',
  'dot',
  'field',
  'word',
  'number',
  'string',
  'variable',
  '(',
]);
/** What cannot be called, so never comes after `|`. */
const CONSTANTS: ReadonlySet<Operand['kind']> = new Set<Operand['kind']>(['boolean', 'dot', 'nil', 'number', 'string']);

/** A list, and what ended it. */
type List = { readonly nodes: readonly TemplateNode[]; readonly end: 'end' | 'else' | 'end of text' };
/** Where a name may be used: what is declared, and whether a loop is around. */
type Scope = { readonly names: string[]; loops: number };

/** Reads a template and those that it defines (Go text/template/parse, parse.go). What Go refuses to parse is a BuiltinError, and imaginary numbers are. */
export function parseTemplates(text: string, context: BuiltinContext): Templates {
  const tokens = templateTokens(text);
  context.charge(tokens.length * TOKEN_STEPS);
  return new Parser(tokens).templates();
}

class Parser {
  readonly #cursor: TemplateCursor;
  readonly #templates = new Map<string, readonly TemplateNode[]>();
  #scope: Scope = { names: ['$'], loops: 0 };
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#cursor = new TemplateCursor(tokens);
  }

  templates(): Templates {
    const { nodes, end } = this.#list(true);
    if (end !== 'end of text') throw new BuiltinError(`unexpected {{${end}}}`);
    this.#add(MAIN, nodes);
    return this.#templates;
  }

  /** A template replaces one of its name that is empty, and is itself forgotten where it is empty. */
  #add(name: string, nodes: readonly TemplateNode[]): void {
    const known = this.#templates.get(name);
    if (known === undefined || isEmpty(known)) this.#templates.set(name, nodes);
    else if (!isEmpty(nodes)) throw new BuiltinError(`multiple definition of template ${name}`);
  }

  #list(outermost = false): List {
    const nodes: TemplateNode[] = [];
    for (;;) {
      const token = this.#cursor.next();
      if (token.kind === 'end of text') return { nodes, end: token.kind };
      if (token.kind === 'text') nodes.push({ kind: 'text', text: token.text });
      else if (token.kind !== 'open') throw unexpected(token);
      else {
        const end = this.#action(nodes, outermost);
        if (end !== undefined) return { nodes, end };
      }
    }
  }

  /** One action; what ends the list around it is returned. */
  #action(nodes: TemplateNode[], outermost: boolean): 'end' | 'else' | undefined {
    const { kind, text } = this.#cursor.peek();
    if (kind !== 'keyword' || text === 'nil') {
      nodes.push({ kind: 'action', pipe: this.#pipe('command', 'close') });
      return undefined;
    }
    this.#cursor.next();
    if (text === 'end' || text === 'else') return this.#ending(text);
    if (text === 'define' && outermost) this.#define();
    else nodes.push(this.#control(text));
    return undefined;
  }

  /** `else if` and `else with` leave their second word to the block around them. */
  #ending(word: 'end' | 'else'): 'end' | 'else' {
    const next = this.#cursor.peek();
    if (word === 'else' && next.kind === 'keyword' && (next.text === 'if' || next.text === 'with')) return word;
    this.#cursor.expect('close');
    return word;
  }

  #control(word: string): TemplateNode {
    const block = BLOCKS[word];
    if (block !== undefined) return this.#nested(() => this.#block(block));
    if (word === 'template') return this.#call();
    if (word === 'block') return this.#nested(() => this.#blockTemplate());
    if (word !== 'break' && word !== 'continue') throw new BuiltinError(`unexpected {{${word}}}`);
    this.#cursor.expect('close');
    if (this.#scope.loops === 0) throw new BuiltinError(`{{${word}}} outside {{range}}`);
    return { kind: word };
  }

  #block(kind: BlockNode['kind']): TemplateNode {
    const { names } = this.#scope;
    const mark = names.length;
    const pipe = this.#pipe(kind, 'close');
    if (kind === 'range') this.#scope.loops += 1;
    const body = this.#list();
    if (kind === 'range') this.#scope.loops -= 1;
    const otherwise = body.end === 'else' ? this.#otherwise(kind) : [];
    if (body.end === 'end of text') throw new BuiltinError('a block of the template has no end');
    names.length = mark;
    return { kind, pipe, body: body.nodes, otherwise };
  }

  #otherwise(kind: BlockNode['kind']): readonly TemplateNode[] {
    const { kind: next, text } = this.#cursor.peek();
    if (next === 'keyword' && text === kind && kind !== 'range') {
      this.#cursor.next();
      return [this.#nested(() => this.#block(kind))];
    }
    const { nodes, end } = this.#list();
    if (end !== 'end') throw new BuiltinError('a block of the template has no end');
    return nodes;
  }

  #define(): void {
    const name = this.#name();
    this.#cursor.expect('close');
    this.#add(name, this.#body());
  }

  #blockTemplate(): TemplateNode {
    const name = this.#name();
    const pipe = this.#pipe('block', 'close');
    this.#add(name, this.#body());
    return { kind: 'template', name, pipe };
  }

  /** The text of a template of its own: no variable or loop around it is known. */
  #body(): readonly TemplateNode[] {
    const outer = this.#scope;
    this.#scope = { names: ['$'], loops: 0 };
    const { nodes, end } = this.#list();
    if (end !== 'end') throw new BuiltinError('a template has no end');
    this.#scope = outer;
    return nodes;
  }

  #call(): TemplateNode {
    const name = this.#name();
    if (this.#cursor.peek().kind !== 'close') return { kind: 'template', name, pipe: this.#pipe('template', 'close') };
    this.#cursor.next();
    return { kind: 'template', name, pipe: undefined };
  }

  #name(): string {
    return unquoted(this.#cursor.expect('string').text);
  }

  #pipe(context: string, end: TokenKind): Pipe {
    const { names, assigns } = this.#variables(context);
    const commands: Command[] = [];
    while (this.#cursor.peek().kind !== end) {
      const token = this.#cursor.peek();
      if (!OPERANDS.has(token.kind) && token.text !== 'nil') throw unexpected(token);
      commands.push(this.#command());
    }
    this.#cursor.next();
    if (commands.length === 0) throw new BuiltinError(`missing value for ${context}`);
    for (const [first] of commands.slice(1))
      if (CONSTANTS.has(first.kind)) throw new BuiltinError('a constant is no command');
    return { names, assigns, commands };
  }

  /** `$x :=`, `$x =`, and for a range `$i, $e :=`; what is assigned to counts as declared, the evaluation finds out. */
  #variables(context: string): { names: readonly string[]; assigns: boolean } {
    const names: string[] = [];
    for (;;) {
      const start = this.#cursor.at;
      if (this.#cursor.peek().kind !== 'variable') return { names, assigns: false };
      const { text } = this.#cursor.next();
      const { kind, text: sign } = this.#cursor.peek();
      const comma = kind === 'other' && sign === ',';
      if (!comma && kind !== 'assign' && kind !== 'declare') {
        this.#cursor.at = start;
        return { names, assigns: false };
      }
      this.#cursor.next();
      names.push(text);
      this.#declare(text);
      if (!comma) return { names, assigns: kind === 'assign' };
      const next = this.#cursor.peek().kind;
      if (context !== 'range' || names.length > 1 || (next !== 'variable' && next !== 'close' && next !== ')'))
        throw new BuiltinError('too many declarations in a template');
    }
  }

  #declare(name: string): void {
    const { names } = this.#scope;
    if (names.includes(name)) return;
    if (names.length >= MAX_NAMES) throw new BuiltinError('the template has too many variables');
    names.push(name);
  }

  #command(): Command {
    const first = this.#operand();
    if (first === undefined) throw new BuiltinError('an empty command in a template');
    const rest: Operand[] = [];
    for (;;) {
      const { kind } = this.#cursor.here();
      if (kind === 'pipe') this.#cursor.at += 1;
      if (kind === 'pipe' || kind === 'close' || kind === ')') return [first, ...rest];
      if (kind !== 'space') throw unexpected(this.#cursor.here());
      const operand = this.#operand();
      if (operand !== undefined) rest.push(operand);
    }
  }

  #operand(): Operand | undefined {
    const term = this.#term();
    if (term === undefined) return undefined;
    const path: string[] = [];
    while (this.#cursor.here().kind === 'field') path.push(this.#cursor.next().text.slice(1));
    if (path.length === 0) return term;
    if (CONSTANTS.has(term.kind)) throw new BuiltinError('a field of a constant');
    if (term.kind === 'field' || term.kind === 'variable') return { ...term, path: [...term.path, ...path] };
    return { kind: 'chain', of: term, path };
  }

  #term(): Operand | undefined {
    const { kind, text } = this.#cursor.peek();
    if (!OPERANDS.has(kind) && !(kind === 'keyword' && text === 'nil')) return undefined;
    this.#cursor.next();
    if (kind === '(') return this.#nested(() => ({ kind: 'pipe', pipe: this.#pipe('parentheses', ')') }));
    return this.#simple(kind, text);
  }

  #simple(kind: TokenKind, text: string): Operand {
    if (kind === 'boolean') return { kind, value: text === 'true' };
    if (kind === 'string') return { kind, value: unquoted(text) };
    if (kind === 'character') return { kind: 'number', value: { kind: 'int', value: characterCode(text) } };
    if (kind === 'number') return { kind, value: goNumber(text) };
    if (kind === 'field') return { kind, path: [text.slice(1)] };
    if (kind === 'variable') return this.#variable(text);
    if (kind !== 'word') return { kind: kind === 'dot' ? 'dot' : 'nil' };
    if (!isTemplateFunction(text)) throw new BuiltinError(`function ${text} is not defined`);
    return { kind: 'function', name: text };
  }

  #variable(name: string): Operand {
    if (!this.#scope.names.includes(name)) throw new BuiltinError(`undefined variable ${name}`);
    return { kind: 'variable', name, path: [] };
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new BuiltinError('the template is nested too deeply');
    const found = read();
    this.#depth -= 1;
    return found;
  }
}

/** Nothing but white space. */
function isEmpty(nodes: readonly TemplateNode[]): boolean {
  return nodes.every((node) => node.kind === 'text' && node.text.trim() === '');
}
