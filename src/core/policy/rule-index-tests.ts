import { NO_RESULT, OPCODE } from './instruction.ts';
import type { Instruction } from './rule-index-code.ts';

/** Functions of OPA's runtime that the rule index knows, by their index in the module. None of them changes anything that can be seen. */
export type Runtime = {
  /** `opa_value_get(value, key)`: the part of a value, or 0. */
  readonly get: number;
  /** `opa_value_compare(a, b)`: 0 where they are equal. */
  readonly compare: number;
  /** `opa_value_hash(value)`: the same for equal values; objects and sets of the runtime rest on that. */
  readonly hash: number;
  /** `opa_value_type(value)`. */
  readonly type: number;
  /** `opa_number_ref(text, length)`: a number from its text; -1 where the module has none. */
  readonly number: number;
};

/** A step from a value to a part of it: a constant string key, or a constant number, by its text in the module's static data. */
export type Step =
  | { readonly kind: 'key'; readonly address: number }
  | { readonly kind: 'number'; readonly address: number; readonly length: number };

/** A part of a parameter. `name` is the same for the same part; `arrays` names the parts that have to be arrays for its numbers to be indexes. */
export type Place = {
  readonly name: string;
  readonly root: number;
  readonly steps: readonly Step[];
  readonly arrays: readonly string[];
};

/** A comparison of a place with a constant at the beginning of a block: where it fails, the block is left, and all that was done is to set `locals`. */
export type Test = { readonly place: Place; readonly constant: number; readonly locals: readonly number[] };

/** A block that begins with tests: the instruction before which it can be left, and the one that begins the outermost block around it. */
export type TestedBlock = { readonly at: number; readonly top: number; readonly tests: readonly Test[] };

/** Longest text of a number used as an index: longer ones may be out of range for the runtime, and end an evaluation. */
const MAX_NUMBER_TEXT = 4;

type Shape = readonly (readonly [opcode: number, operand?: number])[];
type Form = 'dot' | 'dotNumber' | 'number' | 'equal' | 'equalTo' | 'notEqual' | 'copy' | 'defined' | 'undefined';
type Forms = readonly (readonly [form: Form, shape: Shape])[];

/**
 * The statements that may stand before a test, as OPA's compiler writes them (`internal/compiler/wasm`, `compileBlock`). Each either goes on, having set a
 * local at most, or leaves the block by `br_if 0`; none can end the evaluation, and none can be told from not having been there.
 */
function formsOf({ get, compare, number }: Runtime): Forms {
  const { localGet, localSet, localTee, i32Const, i32Eqz, i32Ne, brIf, call } = OPCODE;
  const leave = [brIf, 0] as const;
  return [
    ['dot', [[localGet], [i32Const], [call, get], [localTee], [i32Eqz], leave]],
    ['equal', [[localGet], [i32Const], [call, compare], leave]],
    ['dotNumber', [[localGet], [localGet], [call, get], [localTee], [i32Eqz], leave]],
    ['number', [[i32Const], [i32Const], [call, number], [localSet]]],
    ['equalTo', [[i32Const], [localGet], [call, compare], leave]],
    ['notEqual', [[localGet], [i32Const], [call, compare], [i32Eqz], leave]],
    ['copy', [[localGet], [localSet]]],
    ['defined', [[localGet], [i32Eqz], leave]],
    ['undefined', [[localGet], [i32Const, 0], [i32Ne], leave]],
  ];
}

/** What those statements begin with. */
const BEGINS: ReadonlySet<number> = new Set([OPCODE.localGet, OPCODE.i32Const]);

/** Finds the blocks that begin with tests of parameters which the function never changes. Blocks inside of loops are left alone. */
export function findTestedBlocks(
  code: readonly Instruction[],
  parameters: number,
  runtime: Runtime,
): readonly TestedBlock[] {
  const forms = formsOf(runtime);
  const roots = constantParameters(code, parameters);
  const found: TestedBlock[] = [];
  const open: boolean[] = [];
  let top = 0;
  code.forEach(({ opcode, operand }, index) => {
    if (opcode === OPCODE.end) open.pop();
    if (opcode !== OPCODE.block && opcode !== OPCODE.loop && opcode !== OPCODE.if) return;
    if (open.length === 0) top = index;
    const looped = open.at(-1) === true || opcode === OPCODE.loop;
    open.push(looped);
    if (looped || opcode !== OPCODE.block || operand !== NO_RESULT) return;
    const at = afterResets(code, index + 1);
    const tests = BEGINS.has(code[at]?.opcode ?? 0) ? new Beginning(code, forms, roots).read(at) : [];
    if (tests.length > 0) found.push({ at, top, tests });
  });
  return found;
}

function constantParameters(code: readonly Instruction[], parameters: number): readonly Place[] {
  const written = new Set<number>();
  for (const { opcode, operand } of code)
    if (opcode === OPCODE.localSet || opcode === OPCODE.localTee) written.add(operand);
  const all = Array.from({ length: parameters }, (_, root) => ({ name: `${root}`, root, steps: [], arrays: [] }));
  return all.filter(({ root }) => !written.has(root));
}

/** Rules begin by resetting the local of their result: that has to happen whether or not the block is left. */
function afterResets(code: readonly Instruction[], from: number): number {
  let at = from;
  while (matches(code, at, [[OPCODE.i32Const, 0], [OPCODE.localSet]])) at += 2;
  return at;
}

function matches(code: readonly Instruction[], from: number, shape: Shape): boolean {
  for (let offset = 0; offset < shape.length; offset += 1) {
    const found = code[from + offset];
    const [opcode, operand] = shape[offset] ?? [];
    if (found?.opcode !== opcode || (operand !== undefined && found?.operand !== operand)) return false;
  }
  return true;
}

/** Reads the statements at the beginning of one block. */
class Beginning {
  readonly #code: readonly Instruction[];
  readonly #forms: Forms;
  readonly #places: Map<number, Place>;
  readonly #numbers = new Map<number, Extract<Step, { kind: 'number' }>>();
  readonly #locals = new Set<number>();
  readonly #arrays = new Set<string>();
  readonly #tests: Test[] = [];

  constructor(code: readonly Instruction[], forms: Forms, roots: readonly Place[]) {
    this.#code = code;
    this.#forms = forms;
    this.#places = new Map(roots.map((place) => [place.root, place]));
  }

  /** Tests up to the first statement that is not known. */
  read(from: number): readonly Test[] {
    for (let at = from; ;) {
      const [form, shape] = this.#forms.find(([, one]) => matches(this.#code, at, one)) ?? [];
      if (form === undefined || shape === undefined || !this.#take(form, at)) return this.#tests;
      at += shape.length;
    }
  }

  /** Takes a statement; false where it must be left where it is. */
  #take(form: Form, at: number): boolean {
    const operand = (offset: number): number => this.#code[at + offset]?.operand ?? 0;
    switch (form) {
      case 'dot':
        return this.#dot(operand(0), { kind: 'key', address: operand(1) }, operand(3));
      case 'dotNumber': {
        const step = this.#numbers.get(operand(1));
        return step !== undefined && this.#dot(operand(0), step, operand(3));
      }
      case 'number':
        return this.#number(operand(0), operand(1), operand(3));
      case 'equal':
        return this.#equal(operand(0), operand(1));
      case 'equalTo':
        return this.#equal(operand(1), operand(0));
      case 'copy':
        this.#assign(operand(1), this.#places.get(operand(0)));
        return true;
      case 'notEqual':
      case 'defined':
      case 'undefined':
        return true;
      default:
        return form satisfies never;
    }
  }

  #dot(source: number, step: Step, target: number): boolean {
    const place = this.#places.get(source);
    if (place === undefined) return false;
    if (step.kind === 'number') this.#arrays.add(place.name);
    this.#assign(target, below(place, step));
    return true;
  }

  #number(address: number, length: number, target: number): boolean {
    if (length < 1 || length > MAX_NUMBER_TEXT) return false;
    this.#assign(target, undefined);
    this.#numbers.set(target, { kind: 'number', address, length });
    return true;
  }

  /** A number as a key may end the evaluation unless it is the index of an array; a test counts only where its own place makes sure of that. */
  #equal(local: number, constant: number): boolean {
    const place = this.#places.get(local);
    if (place !== undefined && constant > 0 && [...this.#arrays].every((name) => place.arrays.includes(name)))
      this.#tests.push({ place, constant, locals: [...this.#locals] });
    return true;
  }

  #assign(local: number, place: Place | undefined): void {
    this.#locals.add(local);
    this.#numbers.delete(local);
    if (place === undefined) this.#places.delete(local);
    else this.#places.set(local, place);
  }
}

function below(place: Place, step: Step): Place {
  const name = step.kind === 'key' ? `${place.name}/${step.address}` : `${place.name}/${step.address}+${step.length}`;
  const arrays = step.kind === 'key' ? place.arrays : [...place.arrays, place.name];
  return { name, root: place.root, steps: [...place.steps, step], arrays };
}
