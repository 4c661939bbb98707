import { EvaluationHalt } from '../abort.ts';
import { BuiltinError, MAX_TEXT, stringArg, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { sortedEntries } from '../term-order.ts';
import { str } from '../term.ts';
import type { Term } from '../term.ts';

/** A part of a template. A path is empty for `.`; a block is done with its value as the new `.`, but for `if`. */
type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'field'; readonly path: readonly string[] }
  | {
      readonly kind: Block;
      readonly path: readonly string[];
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };
type Block = 'if' | 'range' | 'with';

/** An action and a comment, with the marks that take white space away. A comment fills its delimiters. */
const ACTION = /\{\{(-(?=[ \t\r\n]))?[ \t\r\n]*([^]*?)([ \t\r\n]-)?\}\}/y;
const COMMENT = /\{\{(-[ \t\r\n])?(\/\*(?:(?!\*\/)[^])*\*\/)([ \t\r\n]-)?\}\}/y;
const FIELD = '(\\.|(?:\\.[\\p{L}_][\\p{L}\\p{Nd}_]*)+)';
const VALUE = new RegExp(`^${FIELD}$`, 'u');
const OPEN = new RegExp(`^(if|range|with)[ \\t\\r\\n]+${FIELD}$`, 'u');
const ELSE_IF = new RegExp(`^else[ \\t\\r\\n]+if[ \\t\\r\\n]+${FIELD}$`, 'u');
const MAX_DEPTH = 100;
/** Steps of one part, each time it is done, and of one character of what is written. */
const NODE_STEPS = 10_000;
const CHARACTER_STEPS = 400;

/**
 * `strings.render_template`, Go's text/template, as far as values need it: `{{.field.field}}`, `{{.}}`, `if`, `range`, `with`, `else`, `else if`, `end`, comments, and
 * `-` for white space. Variables, functions, pipelines and named templates are errors here, hence undefined. What is not there is `<undefined>`.
 */
function render(args: readonly Term[], context: BuiltinContext): Term {
  const template = stringArg(args, 0);
  const values = args[1];
  if (values?.kind !== 'object') throw wrongType(1, 'object', values);
  checkJson(values);
  const parser = new TemplateParser(template);
  const nodes = parser.list(0);
  if (parser.last !== undefined) throw new BuiltinError(`unexpected {{${parser.last.slice(0, 40)}}}`);
  const writer = new Writer(context);
  writer.all(nodes, values);
  return str(writer.text.replaceAll('<no value>', '<undefined>'));
}

/** OPA hands values over as JSON: sets, and keys that are no strings, are errors. */
function checkJson(term: Term): void {
  if (term.kind === 'set') throw new BuiltinError('a set is no value of a template');
  if (term.kind === 'array') for (const item of term.items) checkJson(item);
  if (term.kind !== 'object') return;
  for (const [key, value] of term.entries) {
    if (key.kind !== 'string') throw new BuiltinError('a key that is no string is no value of a template');
    checkJson(value);
  }
}

class TemplateParser {
  readonly #template: string;
  #at = 0;
  #trim = false;
  /** What ended the list that was read last: `end`, an `else`, or undefined at the end of the template. */
  last: string | undefined;

  constructor(template: string) {
    this.#template = template;
  }

  /** Parts up to an action that belongs to the block around them. */
  list(depth: number): Node[] {
    if (depth > MAX_DEPTH) throw new BuiltinError('the template is nested too deeply');
    const nodes: Node[] = [];
    for (;;) {
      const { text, action } = this.#next();
      if (text !== '') nodes.push({ kind: 'text', text });
      this.last = action;
      if (action === undefined || action === 'end' || action.startsWith('else')) return nodes;
      const node = this.#node(action, depth);
      if (node !== undefined) nodes.push(node);
    }
  }

  #node(action: string, depth: number): Node | undefined {
    if (action.startsWith('/*')) return undefined;
    const value = VALUE.exec(action)?.[1];
    if (value !== undefined) return { kind: 'field', path: pathOf(value) };
    const open = OPEN.exec(action);
    if (open === null) throw new BuiltinError(`{{${action.slice(0, 40)}}} is not supported in a template`);
    return this.#block(open[1] as Block, open[2] ?? '.', depth);
  }

  #block(kind: Block, field: string, depth: number): Node {
    const body = this.list(depth + 1);
    const otherwise = this.#otherwise(kind, depth);
    return { kind, path: pathOf(field), body, otherwise };
  }

  #otherwise(kind: Block, depth: number): readonly Node[] {
    const { last } = this;
    if (last === 'end') return [];
    const condition = kind === 'if' ? ELSE_IF.exec(last ?? '')?.[1] : undefined;
    if (condition !== undefined) return [this.#block('if', condition, depth + 1)];
    if (last !== 'else') throw new BuiltinError('a block of the template has no end');
    const nodes = this.list(depth + 1);
    if (this.last !== 'end') throw new BuiltinError('a block of the template has no end');
    return nodes;
  }

  #next(): { readonly text: string; readonly action: string | undefined } {
    const open = this.#template.indexOf('{{', this.#at);
    const raw = this.#template.slice(this.#at, open < 0 ? undefined : open);
    const left = this.#trim ? raw.replace(/^[ \t\r\n]+/, '') : raw;
    if (open < 0) {
      this.#at = this.#template.length;
      return { text: left, action: undefined };
    }
    COMMENT.lastIndex = open;
    ACTION.lastIndex = open;
    const comment = COMMENT.exec(this.#template);
    const found = comment ?? ACTION.exec(this.#template);
    if (comment === null && found?.[2]?.startsWith('/*') === true)
      throw new BuiltinError('a comment of the template does not end');
    if (found === null) throw new BuiltinError('an action of the template does not end');
    this.#at = open + found[0].length;
    this.#trim = found[3] !== undefined;
    const text = found[1] === undefined ? left : left.slice(0, trimmedLength(left));
    const inner = found[2] ?? '';
    return { text, action: inner.slice(0, trimmedLength(inner)) };
  }
}

/** Length without the white space at the end; a pattern would look from every place. */
function trimmedLength(text: string): number {
  let length = text.length;
  while (length > 0 && ' \t\r\n'.includes(text.charAt(length - 1))) length -= 1;
  return length;
}

function pathOf(field: string): readonly string[] {
  return field === '.' ? [] : field.slice(1).split('.');
}

class Writer {
  readonly #context: BuiltinContext;
  text = '';

  constructor(context: BuiltinContext) {
    this.#context = context;
  }

  all(nodes: readonly Node[], dot: Term | undefined): void {
    for (const node of nodes) this.#one(node, dot);
  }

  #one(node: Node, dot: Term | undefined): void {
    this.#context.charge(NODE_STEPS);
    if (node.kind === 'text') {
      this.#write(node.text);
      return;
    }
    const value = resolve(dot, node.path);
    if (node.kind === 'field')
      this.#write(value === undefined || value.kind === 'null' ? '<no value>' : printed(value));
    else if (node.kind === 'range') this.#range(node.body, node.otherwise, value, dot);
    else if (isTrue(value)) this.all(node.body, node.kind === 'with' ? value : dot);
    else this.all(node.otherwise, dot);
  }

  #range(body: readonly Node[], otherwise: readonly Node[], value: Term | undefined, dot: Term | undefined): void {
    const items = itemsOf(value);
    if (items.length === 0) this.all(otherwise, dot);
    for (const item of items) this.all(body, item);
  }

  #write(text: string): void {
    this.#context.charge(text.length * CHARACTER_STEPS);
    this.text += text;
    if (this.text.length > MAX_TEXT)
      throw new EvaluationHalt('policy_memory_exceeded', 'the text of a template is too large');
  }
}

/** A field of a field; of nothing there is nothing, of null or what has no fields it is an error. */
function resolve(dot: Term | undefined, path: readonly string[]): Term | undefined {
  let value = dot;
  for (const name of path) {
    if (value === undefined) return undefined;
    if (value.kind !== 'object') throw new BuiltinError(`can't evaluate field ${name}`);
    value = value.entries.find(([key]) => key.kind === 'string' && key.value === name)?.[1];
  }
  return value;
}

/** Go's `IsTrue`: what is empty is false; a number is a text here, so never. */
function isTrue(value: Term | undefined): boolean {
  if (value === undefined || value.kind === 'null') return false;
  if (value.kind === 'boolean') return value.value;
  if (value.kind === 'string') return value.value !== '';
  if (value.kind === 'array') return value.items.length > 0;
  return value.kind === 'object' ? value.entries.length > 0 : true;
}

function itemsOf(value: Term | undefined): readonly Term[] {
  if (value === undefined || value.kind === 'null') return [];
  if (value.kind === 'array') return value.items;
  if (value.kind === 'object') return sortedEntries(value.entries).map(([, item]) => item);
  throw new BuiltinError(`range can't iterate over a ${value.kind}`);
}

/** A value as Go's `fmt.Print` has it. */
function printed(value: Term): string {
  switch (value.kind) {
    case 'null':
      return '<nil>';
    case 'boolean':
      return String(value.value);
    case 'number':
      return value.text;
    case 'string':
      return value.value;
    case 'array':
    case 'set':
      return `[${value.items.map(printed).join(' ')}]`;
    case 'object':
      return `map[${sortedEntries(value.entries)
        .map(([key, item]) => `${printed(key)}:${printed(item)}`)
        .join(' ')}]`;
    default:
      return value satisfies never;
  }
}

/** Templates. */
export const TEMPLATE_BUILTINS: Readonly<Record<string, Builtin>> = {
  'strings.render_template': { arity: 2, call: render },
};
