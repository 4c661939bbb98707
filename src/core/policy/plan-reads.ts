import { block, blocks, number, operand, operands, PlanShapeError, text } from './plan.ts';
import type { Block, Operand, Plan, PlannedFunction, Statement } from './plan.ts';
import { ReadNode } from './read-set.ts';

/** What one entrypoint reads of `input`, and which built-ins it can reach. */
export type PlanReads = { readonly input: ReadNode; readonly builtins: ReadonlySet<string> };

/** The places of `input` that a local may stand for; empty for everything that is not part of input. */
type Places = ReadonlySet<ReadNode>;

const NOWHERE: Places = new Set();

/** Walks of a scan until nothing is added: each adds an alias, and a plan of OPA's has few. */
const MAX_ROUNDS = 200;

/** Statements that neither read input nor move it (values that are made, control flow). */
const SILENT: ReadonlySet<string> = new Set([
  'AssignIntStmt',
  'BreakStmt',
  'IsDefinedStmt',
  'IsUndefinedStmt',
  'MakeArrayStmt',
  'MakeNullStmt',
  'MakeNumberIntStmt',
  'MakeNumberRefStmt',
  'MakeObjectStmt',
  'MakeSetStmt',
  'NopStmt',
  'ResetLocalStmt',
]);

/** Built-ins that look at no more than kind and scalar value of their argument. */
const KIND_ONLY: ReadonlySet<string> = new Set([
  'is_array',
  'is_boolean',
  'is_null',
  'is_number',
  'is_object',
  'is_set',
  'is_string',
  'type_name',
]);

/**
 * Abstract interpretation of one entrypoint: which places of `input` each local can stand for, and what statements look at. A block may be left at
 * any statement, so after it a local stands for what it was before or anything it was given inside; a scan is repeated until nothing is added.
 * Undefined when the plan has something this analysis does not know: then the policy must be given everything.
 */
export function planReads(plan: Plan, entrypoint: string): PlanReads | undefined {
  const entry = plan.entrypoints.get(entrypoint);
  if (entry === undefined) return undefined;
  const analysis = new Analysis(plan);
  try {
    analysis.run(entry);
    return { input: analysis.input, builtins: analysis.builtins };
  } catch (error) {
    if (error instanceof PlanShapeError) return undefined;
    throw error;
  }
}

class Analysis {
  readonly plan: Plan;
  readonly input = new ReadNode();
  readonly builtins = new Set<string>();
  readonly #ids = new Map<ReadNode, number>();
  readonly #known = new Map<string, Places | 'under way'>();

  constructor(plan: Plan) {
    this.plan = plan;
  }

  run(entry: readonly Block[]): void {
    const locals = new Locals();
    locals.assign(0, new Set([this.input]));
    new Activation(this, entry).walk(entry, locals);
  }

  /** Result of a planned function for these arguments. Rego has no recursion; a plan that has is not one we know. */
  call(target: PlannedFunction, args: readonly Places[]): Places {
    const key = `${target.name}|${args.map((places) => this.#key(places)).join('|')}`;
    const known = this.#known.get(key);
    if (known === 'under way') throw new PlanShapeError('recursion');
    if (known !== undefined) return known;
    this.#known.set(key, 'under way');
    const locals = new Locals();
    target.params.forEach((local, index) => locals.assign(local, args[index] ?? NOWHERE));
    const activation = new Activation(this, target.blocks);
    activation.walk(target.blocks, locals);
    this.#known.set(key, activation.result);
    return activation.result;
  }

  #key(places: Places): string {
    return [...places]
      .map((node) => this.#id(node))
      .sort((a, b) => a - b)
      .join(',');
  }

  #id(node: ReadNode): number {
    const id = this.#ids.get(node) ?? this.#ids.size;
    this.#ids.set(node, id);
    return id;
  }
}

/** What each local stands for, in one block; what a block does is merged into the block around it when it ends. */
class Locals {
  readonly #outer: Locals | undefined;
  readonly #now = new Map<number, Places>();
  /** Everything that any local was given in this block. */
  readonly given = new Map<number, Places>();

  constructor(outer?: Locals) {
    this.#outer = outer;
  }

  get(local: number): Places {
    return this.#now.get(local) ?? this.#outer?.get(local) ?? NOWHERE;
  }

  /** From here on the local stands for `places` and nothing else. */
  assign(local: number, places: Places): void {
    this.#now.set(local, places);
    this.given.set(local, union(this.given.get(local) ?? NOWHERE, places));
  }

  /** As if the local had not been assigned in this block. */
  forget(local: number): void {
    this.#now.delete(local);
    this.given.delete(local);
  }

  /** Takes over what an inner block may have done; true when that added anything. */
  merge(inner: Locals): boolean {
    let grown = false;
    for (const [local, places] of inner.given) {
      const before = this.get(local);
      const after = union(before, places);
      if (after.size > before.size) grown = true;
      this.assign(local, after);
    }
    return grown;
  }
}

function union(a: Places, b: Places): Places {
  if (b.size === 0 || a === b) return a;
  return a.size === 0 ? b : new Set([...a, ...b]);
}

/** One walk through a function body. */
class Activation {
  result: Places = NOWHERE;
  readonly #analysis: Analysis;
  /** Locals that AssignVarOnce may find set already: assigning is then a comparison. */
  readonly #compared: ReadonlySet<number>;
  /** Locals that are one number throughout: as keys they are constants. */
  readonly #numbers: ReadonlyMap<number, string>;

  constructor(analysis: Analysis, body: readonly Block[]) {
    this.#analysis = analysis;
    this.#compared = assignedTwice(body);
    this.#numbers = constantNumbers(body, analysis.plan.strings);
  }

  /** Walks blocks that follow each other; true when a local of `locals` may stand for more than before. */
  walk(body: readonly Block[], locals: Locals): boolean {
    let grown = false;
    for (const one of body) {
      const inner = new Locals(locals);
      for (const statement of one) this.#visit(statement, inner);
      grown = locals.merge(inner) || grown;
    }
    return grown;
  }

  #visit({ type, fields }: Statement, locals: Locals): void {
    if (SILENT.has(type)) {
      // What they make is new; the local no longer stands for a part of input.
      if (typeof fields['target'] === 'number') locals.assign(fields['target'], NOWHERE);
      return;
    }
    switch (type) {
      case 'DotStmt':
        return locals.assign(number(fields['target']), this.#dot(fields, locals));
      case 'ScanStmt':
        return this.#scan(fields, locals);
      case 'LenStmt':
        for (const node of this.#places(fields['source'], locals)) node.keys = node.value = true;
        return locals.assign(number(fields['target']), NOWHERE);
      case 'EqualStmt':
      case 'NotEqualStmt':
        return this.#compare(this.#operand(fields['a']), this.#operand(fields['b']), locals);
      case 'IsArrayStmt':
      case 'IsObjectStmt':
      case 'IsSetStmt':
        for (const node of this.#places(fields['source'], locals)) node.value = true;
        return;
      case 'AssignVarStmt':
        return locals.assign(number(fields['target']), this.#places(fields['source'], locals));
      case 'AssignVarOnceStmt':
        return this.#assignOnce(number(fields['target']), this.#places(fields['source'], locals), locals);
      case 'ReturnLocalStmt':
        this.result = union(this.result, locals.get(number(fields['source'])));
        return;
      case 'CallStmt':
        return this.#call(fields, locals);
      case 'CallDynamicStmt':
        return this.#callDynamic(fields, locals);
      case 'BlockStmt':
        this.walk(blocks(fields['blocks']), locals);
        return;
      case 'NotStmt':
        this.walk([block(fields['block'])], locals);
        return;
      case 'WithStmt':
        return this.#with(fields, locals);
      default:
        return this.#collect(type, fields, locals);
    }
  }

  /** Statements that put a value into a collection or the result: from there on all of it may be seen. */
  #collect(type: string, fields: Statement['fields'], locals: Locals): void {
    switch (type) {
      case 'ArrayAppendStmt':
      case 'SetAddStmt':
      case 'ResultSetAddStmt':
        return readWhole(this.#places(fields['value'], locals));
      case 'ObjectInsertStmt':
      case 'ObjectInsertOnceStmt':
        readWhole(this.#places(fields['key'], locals));
        return readWhole(this.#places(fields['value'], locals));
      case 'ObjectMergeStmt':
        readWhole(this.#places(fields['a'], locals));
        readWhole(this.#places(fields['b'], locals));
        return locals.assign(number(fields['target']), NOWHERE);
      default:
        throw new PlanShapeError(`unknown statement ${type}`);
    }
  }

  #dot(fields: Statement['fields'], locals: Locals): Places {
    const key = this.#operand(fields['key']);
    const constant =
      key.kind === 'string' ? key.value : key.kind === 'local' ? this.#numbers.get(key.local) : undefined;
    if (constant === undefined) readWhole(this.#placesOf(key, locals));
    const found = new Set<ReadNode>();
    for (const node of this.#places(fields['source'], locals)) {
      if (constant !== undefined) found.add(node.child(constant));
      else {
        node.keys = true;
        found.add(node.anyChild());
      }
    }
    return found;
  }

  #scan(fields: Statement['fields'], locals: Locals): void {
    const found = new Set<ReadNode>();
    for (const node of this.#places(fields['source'], locals)) {
      node.keys = node.value = true;
      found.add(node.anyChild());
    }
    locals.assign(number(fields['key']), NOWHERE);
    locals.assign(number(fields['value']), found);
    const body = block(fields['block']);
    for (let rounds = 0; this.walk([body], locals); rounds += 1) {
      if (rounds === MAX_ROUNDS) throw new PlanShapeError('a scan that comes to no end');
    }
  }

  /** Against a constant only the scalar value matters; between two values all of both. */
  #compare(a: Operand, b: Operand, locals: Locals): void {
    const constant = a.kind !== 'local' || b.kind !== 'local';
    for (const one of [a, b]) {
      const places = this.#placesOf(one, locals);
      if (constant) for (const node of places) node.value = true;
      else readWhole(places);
    }
  }

  #assignOnce(target: number, source: Places, locals: Locals): void {
    const before = locals.get(target);
    locals.assign(target, union(before, source));
    if (!this.#compared.has(target)) return;
    readWhole(source);
    readWhole(before);
  }

  #call(fields: Statement['fields'], locals: Locals): void {
    const name = text(fields['func']);
    const args = operands(fields['args'], this.#analysis.plan.strings);
    const target = this.#analysis.plan.functions.get(name);
    const places = args.map((one) => this.#placesOf(one, locals));
    locals.assign(
      number(fields['result']),
      target === undefined ? this.#builtin(name, places) : this.#analysis.call(target, places),
    );
  }

  #builtin(name: string, args: readonly Places[]): Places {
    this.#analysis.builtins.add(name);
    for (const places of args) {
      if (name === 'count') for (const node of places) node.keys = node.value = true;
      else if (KIND_ONLY.has(name)) for (const node of places) node.value = true;
      else readWhole(places);
    }
    return NOWHERE;
  }

  /** `data[x].y` where rules stand below: any function whose path can match may be called. */
  #callDynamic(fields: Statement['fields'], locals: Locals): void {
    const { plan } = this.#analysis;
    const path = operands(fields['path'], plan.strings);
    for (const part of path) readWhole(this.#placesOf(part, locals));
    const args = [locals.get(0), locals.get(1)];
    let result: Places = NOWHERE;
    for (const target of plan.functions.values()) {
      if (couldBe(target.path, path)) result = union(result, this.#analysis.call(target, args));
    }
    locals.assign(number(fields['result']), result);
  }

  /** `with input as v` replaces; `with input.a as v` would have to be followed as an overlay, and all of input is the safe answer. */
  #with(fields: Statement['fields'], locals: Locals): void {
    const local = number(fields['local']);
    const path = Array.isArray(fields['path']) ? fields['path'] : [];
    const value = this.#places(fields['value'], locals);
    const before = locals.get(local);
    if (path.length > 0) {
      readWhole(before);
      readWhole(value);
    }
    const inside = new Locals(locals);
    inside.assign(local, path.length > 0 ? before : value);
    this.walk([block(fields['block'])], inside);
    // The end of the statement gives back what was there: in a loop the local would else stand for more each time, without end.
    inside.forget(local);
    locals.merge(inside);
  }

  #operand(raw: unknown): Operand {
    return operand(raw, this.#analysis.plan.strings);
  }

  /** Places behind an operand, or behind a bare local number (statements that can only take a local). */
  #places(raw: unknown, locals: Locals): Places {
    return typeof raw === 'number' ? locals.get(raw) : this.#placesOf(this.#operand(raw), locals);
  }

  #placesOf(one: Operand, locals: Locals): Places {
    return one.kind === 'local' ? locals.get(one.local) : NOWHERE;
  }
}

function readWhole(places: Places): void {
  for (const node of places) node.whole = true;
}

function couldBe(path: readonly string[], asked: readonly Operand[]): boolean {
  if (path.length !== asked.length) return false;
  return asked.every((part, index) => part.kind !== 'string' || part.value === path[index]);
}

/** Targets of AssignVarOnce that stand in two statements, or in one that a scan repeats. */
function assignedTwice(body: readonly Block[]): ReadonlySet<number> {
  const once = new Set<number>();
  const twice = new Set<number>();
  const walk = (stmts: Block, repeated: boolean): void => {
    for (const { type, fields } of stmts) {
      if (type === 'AssignVarOnceStmt') {
        const target = number(fields['target']);
        if (repeated || once.has(target)) twice.add(target);
        once.add(target);
      }
      for (const inner of blocks(fields['blocks'])) walk(inner, repeated);
      if (fields['block'] !== undefined) walk(block(fields['block']), repeated || type === 'ScanStmt');
    }
  };
  for (const one of body) walk(one, false);
  return twice;
}

/** Locals that a function assigns exactly once, a whole number each time. */
function constantNumbers(body: readonly Block[], strings: readonly string[]): ReadonlyMap<number, string> {
  const values = new Map<number, string>();
  const assigned = new Map<number, number>();
  const walk = (stmts: Block): void => {
    for (const { type, fields } of stmts) {
      for (const target of [fields['target'], fields['result'], type === 'ScanStmt' ? fields['key'] : undefined]) {
        if (typeof target === 'number') assigned.set(target, (assigned.get(target) ?? 0) + 1);
      }
      if (type === 'ScanStmt') assigned.set(number(fields['value']), 2);
      const value = numberMade(type, fields, strings);
      if (value !== undefined) values.set(number(fields['target']), value);
      for (const inner of blocks(fields['blocks'])) walk(inner);
      if (fields['block'] !== undefined) walk(block(fields['block']));
    }
  };
  for (const one of body) walk(one);
  return new Map([...values].filter(([local]) => assigned.get(local) === 1));
}

/**
 * Decimal text of the whole number that a statement makes; undefined for any other, also for `1.0` and `1e0`, which are equal to 1 but written in another
 * way. `Index` is what older plans call `index`.
 */
function numberMade(type: string, fields: Statement['fields'], strings: readonly string[]): string | undefined {
  if (type === 'MakeNumberIntStmt' || type === 'AssignIntStmt') return String(number(fields['value']));
  if (type !== 'MakeNumberRefStmt') return undefined;
  const written = strings[number(fields['index'] ?? fields['Index'])];
  return written !== undefined && /^(?:0|[1-9]\d{0,8})$/.test(written) ? written : undefined;
}
