import { EvaluationHalt } from '../abort.ts';
import { BuiltinError, MAX_TEXT } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { printAll } from './sprintf.ts';
import { callTemplateFunction } from './template-functions.ts';
import type { BlockNode, Command, Operand, Pipe, TemplateNode, Templates } from './template-tree.ts';
import { fieldOf, isTrue, itemsOf, known } from './template-value.ts';
import type { TemplateValue } from './template-value.ts';

/** Templates and blocks within each other while they are rendered. */
const MAX_DEPTH = 400;
/** Steps of one part or operand, each time it is done, of one character of what is written, and of one variable that is passed on the way to another. */
const NODE_STEPS = 10_000;
const CHARACTER_STEPS = 400;
const VARIABLE_STEPS = 40;

type Variable = { readonly name: string; value: TemplateValue };
/** How a list ended. */
type Flow = 'done' | 'break' | 'continue';
/** What came through `|`; undefined is nothing, which no value is not. */
type Final = { readonly value: TemplateValue } | undefined;

/** Renders the template `name` (Go text/template, exec.go). What Go stops at is a BuiltinError; all work is paid for while it is done. */
export function runTemplate(templates: Templates, name: string, data: TemplateValue, context: BuiltinContext): string {
  const run = new Run(templates, context);
  run.template(name, data);
  return run.text;
}

class Run {
  readonly #templates: Templates;
  readonly #context: BuiltinContext;
  #variables: Variable[] = [];
  #depth = 0;
  text = '';

  constructor(templates: Templates, context: BuiltinContext) {
    this.#templates = templates;
    this.#context = context;
  }

  /** A template sees no variable of the one that calls it. */
  template(name: string, data: TemplateValue): void {
    const nodes = this.#templates.get(name);
    if (nodes === undefined) throw new BuiltinError(`template ${name} is not defined`);
    const outer = this.#variables;
    this.#variables = [{ name: '$', value: data }];
    this.#list(nodes, data);
    this.#variables = outer;
  }

  #list(nodes: readonly TemplateNode[], dot: TemplateValue): Flow {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new BuiltinError('the template goes too deep');
    let flow: Flow = 'done';
    for (const node of nodes) {
      flow = this.#node(node, dot);
      if (flow !== 'done') break;
    }
    this.#depth -= 1;
    return flow;
  }

  #node(node: TemplateNode, dot: TemplateValue): Flow {
    this.#context.charge(NODE_STEPS);
    switch (node.kind) {
      case 'text':
        return this.#write(node.text);
      case 'action':
        return this.#action(node.pipe, dot);
      case 'template':
        this.template(node.name, node.pipe === undefined ? undefined : this.#pipe(node.pipe, dot));
        return 'done';
      case 'break':
      case 'continue':
        return node.kind;
      case 'if':
      case 'range':
      case 'with':
        return this.#block(node, dot);
      default:
        return node satisfies never;
    }
  }

  #action(pipe: Pipe, dot: TemplateValue): Flow {
    const value = this.#pipe(pipe, dot);
    if (pipe.names.length > 0) return 'done';
    return this.#write(value === undefined ? '<no value>' : printAll([value], this.#context, false));
  }

  /** What is declared in a block is forgotten after it. */
  #block(node: BlockNode, dot: TemplateValue): Flow {
    const mark = this.#variables.length;
    const value = this.#pipe(node.pipe, dot);
    const flow = node.kind === 'range' ? this.#range(node, value, dot) : this.#choice(node, value, dot);
    this.#variables.length = mark;
    return flow;
  }

  #choice(node: BlockNode, value: TemplateValue, dot: TemplateValue): Flow {
    if (!isTrue(value)) return this.#list(node.otherwise, dot);
    return this.#list(node.body, node.kind === 'with' ? value : dot);
  }

  /** A `break` in the `else` ends this loop, as in Go; a `continue` there is the loop's around it. */
  #range({ pipe, body, otherwise }: BlockNode, value: TemplateValue, dot: TemplateValue): Flow {
    const mark = this.#variables.length;
    if (pipe.names.length > 1 && (value?.kind === 'int' || value?.kind === 'uint8'))
      throw new BuiltinError('a number has no indexes to range over');
    let isEmpty = true;
    for (const [index, item] of itemsOf(value)) {
      this.#context.charge(NODE_STEPS);
      isEmpty = false;
      this.#loopVariables(pipe, index, item);
      const flow = this.#list(body, item);
      this.#variables.length = mark;
      if (flow === 'break') return 'done';
    }
    const flow = isEmpty ? this.#list(otherwise, dot) : 'done';
    return flow === 'break' ? 'done' : flow;
  }

  /** One variable is the element, two are index and element. */
  #loopVariables({ names, assigns }: Pipe, index: TemplateValue, item: TemplateValue): void {
    const values = names.length > 1 ? [index, item] : [item];
    for (const [place, name] of names.entries()) {
      if (assigns) this.#variable(name).value = values[place];
      else this.#top(names.length - place).value = values[place];
    }
  }

  #top(place: number): Variable {
    const found = this.#variables.at(-place);
    if (found === undefined) throw new BuiltinError('a loop has lost its variables');
    return found;
  }

  /** The last variable of a name. */
  #variable(name: string): Variable {
    for (let at = this.#variables.length - 1; at >= 0; at -= 1) {
      const found = this.#variables[at];
      this.#context.charge(VARIABLE_STEPS);
      if (found?.name === name) return found;
    }
    throw new BuiltinError(`undefined variable ${name}`);
  }

  #pipe({ names, assigns, commands }: Pipe, dot: TemplateValue): TemplateValue {
    let final: Final;
    for (const command of commands) final = { value: known(this.#command(command, dot, final)) };
    for (const name of names) {
      if (assigns) this.#variable(name).value = final?.value;
      else this.#variables.push({ name, value: final?.value });
    }
    return final?.value;
  }

  #command(command: Command, dot: TemplateValue, final: Final): TemplateValue {
    const [first, ...rest] = command;
    if (first.kind === 'function') return this.#call(first.name, rest, dot, final);
    const given = rest.length > 0 || final !== undefined;
    if (first.kind === 'nil') throw new BuiltinError('nil is not a command');
    if (first.kind === 'field' || first.kind === 'chain' || (first.kind === 'variable' && first.path.length > 0))
      return this.#fields(this.#receiver(first, dot), first.path, given);
    if (given) throw new BuiltinError(`an argument is given to a ${first.kind}`);
    return this.#operand(first, dot);
  }

  /** `and` and `or` stop at the argument that decides. */
  #call(name: string, operands: readonly Operand[], dot: TemplateValue, final: Final): TemplateValue {
    if (name !== 'and' && name !== 'or') {
      const args = operands.map((operand) => this.#operand(operand, dot));
      return callTemplateFunction(name, final === undefined ? args : [...args, final.value], this.#context);
    }
    if (operands.length === 0 && final === undefined) throw new BuiltinError(`${name} without an argument`);
    let value: TemplateValue;
    for (const operand of operands) {
      value = this.#operand(operand, dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return final === undefined ? value : final.value;
  }

  #operand(operand: Operand, dot: TemplateValue): TemplateValue {
    this.#context.charge(NODE_STEPS);
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return undefined;
      case 'boolean':
        return { kind: 'bool', value: operand.value };
      case 'string':
        return operand;
      case 'number':
        if (operand.value === undefined) throw new BuiltinError('a number of the template overflows int');
        return operand.value;
      case 'function':
        return this.#call(operand.name, [], dot, undefined);
      case 'pipe':
        return this.#pipe(operand.pipe, dot);
      case 'chain':
      case 'field':
      case 'variable':
        return this.#fields(this.#receiver(operand, dot), operand.path, false);
      default:
        return operand satisfies never;
    }
  }

  #receiver(operand: Extract<Operand, { readonly path: unknown }>, dot: TemplateValue): TemplateValue {
    if (operand.kind === 'field') return dot;
    return operand.kind === 'chain' ? this.#operand(operand.of, dot) : this.#variable(operand.name).value;
  }

  /** A field takes no arguments, unless there is nothing that could have it. */
  #fields(receiver: TemplateValue, path: readonly string[], given: boolean): TemplateValue {
    this.#context.charge(path.length * NODE_STEPS);
    let value = receiver;
    for (const [place, name] of path.entries()) {
      if (given && place === path.length - 1 && value !== undefined) throw new BuiltinError(`${name} has arguments`);
      value = fieldOf(value, name);
    }
    return value;
  }

  #write(text: string): Flow {
    this.#context.charge(text.length * CHARACTER_STEPS);
    this.text += text;
    if (this.text.length > MAX_TEXT)
      throw new EvaluationHalt('policy_memory_exceeded', 'the text of a template is too large');
    return 'done';
  }
}
