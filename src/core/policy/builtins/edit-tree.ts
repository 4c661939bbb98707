import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { sameTerm } from '../term-order.ts';
import { arr } from '../term.ts';
import type { Term } from '../term.ts';
import { termKey } from './term-key.ts';
import { weigh } from './term-weight.ts';

/** Deepest nesting of a value under edit: as deep as an argument may be. */
const MAX_DEPTH = 512;
/** Steps for each part of a collection that is opened, and each element that an insertion moves. */
const OPEN_STEPS = 4_000;
const MOVE_STEPS = 4;
const INDEX = /^([+-]?)([0-9]*)(?:\.0*)?$/;

/** A member of an object or set that was touched; without `child` it is removed. */
type Edit = { readonly key: Term; readonly child: EditTree | undefined };

/**
 * A value that is changed in place, and written out at the end (OPA internal/edittree). Only what a path goes through is opened. One trait of OPA's
 * tree is kept, because policies see it: the first step into an element of an array takes the element which the array had at that place before any edit.
 */
export class EditTree {
  readonly #context: BuiltinContext;
  #value: Term | undefined;
  #base = new Map<string, readonly [Term, Term]>();
  #edits = new Map<string, Edit>();
  #slots: (Term | EditTree)[] = [];

  constructor(value: Term, context: BuiltinContext) {
    this.#context = context;
    this.#open(value);
  }

  /** Puts `value` at the path: a new or replaced member of an object, an element before another, the root itself. */
  insertAt(path: readonly Term[], value: Term): void {
    if (path.length + weigh(value).depth > MAX_DEPTH) throw new BuiltinError('the value would be nested too deeply');
    const last = path.at(-1);
    if (last === undefined) this.#open(value);
    else this.#unfold(path.slice(0, -1)).#insert(last, value);
  }

  deleteAt(path: readonly Term[]): void {
    const last = path.at(-1);
    if (last !== undefined) return this.#unfold(path.slice(0, -1)).#delete(last);
    if (this.#value === undefined) throw new BuiltinError('deleted node encountered during delete operation');
    this.#value = undefined;
  }

  /** The value at the path as it is now. */
  renderAt(path: readonly Term[]): Term {
    return this.#unfold(path).render();
  }

  render(): Term {
    const value = this.#value;
    if (value === undefined) throw new BuiltinError('the whole document is removed');
    if (value.kind === 'array')
      return arr(this.#slots.map((slot) => (slot instanceof EditTree ? slot.render() : slot)));
    if (this.#edits.size === 0) return value;
    if (value.kind === 'object') return { kind: 'object', entries: this.#rendered() };
    const items = new Map(this.#rendered().map(([, item]) => [termKey(item), item]));
    return { kind: 'set', items: [...items.values()] };
  }

  #rendered(): (readonly [Term, Term])[] {
    const touched = [...this.#edits.values()].flatMap(({ key, child }) =>
      child === undefined ? [] : [[key, child.render()] as const],
    );
    const untouched = [...this.#base].flatMap(([key, entry]) => (this.#edits.has(key) ? [] : [entry]));
    return [...touched, ...untouched];
  }

  #open(value: Term): void {
    this.#value = value;
    this.#edits = new Map();
    this.#base = new Map();
    this.#slots = [];
    if (value.kind === 'object') for (const entry of value.entries) this.#base.set(this.#key(entry[0]), entry);
    if (value.kind === 'set') for (const item of value.items) this.#base.set(this.#key(item), [item, item]);
    if (value.kind !== 'array') return;
    this.#context.charge(value.items.length * MOVE_STEPS);
    this.#slots = [...value.items];
  }

  #key(term: Term): string {
    this.#context.charge(OPEN_STEPS + weigh(term).size);
    return termKey(term);
  }

  #unfold(path: readonly Term[]): EditTree {
    return path.reduce((tree: EditTree, key) => tree.#child(key), this);
  }

  #child(key: Term): EditTree {
    const value = this.#value;
    if (value?.kind === 'array') return this.#element(value.items, key);
    if (value?.kind === 'object' || value?.kind === 'set') return this.#member(key, value.kind === 'set');
    throw new BuiltinError('a path leads through something that is no object, array or set');
  }

  #member(key: Term, inSet: boolean): EditTree {
    if (inSet) this.#settle(key);
    const text = this.#key(key);
    const edit = this.#edits.get(text);
    if (edit?.child !== undefined) return edit.child;
    const entry = this.#base.get(text);
    if (edit !== undefined || entry === undefined) throw new BuiltinError('a path does not exist');
    const child = new EditTree(entry[1], this.#context);
    this.#edits.set(text, { key, child });
    return child;
  }

  #element(original: readonly Term[], key: Term): EditTree {
    const index = indexOf(key, this.#slots.length);
    const slot = this.#slots[index];
    if (slot instanceof EditTree) return slot;
    const value = original[index];
    if (slot === undefined || value === undefined) throw new BuiltinError('a path does not exist');
    const child = new EditTree(value, this.#context);
    this.#slots[index] = child;
    return child;
  }

  #insert(key: Term, value: Term): void {
    const kind = this.#value?.kind;
    if (kind === 'array') return this.#splice(indexOf(key, this.#slots.length), value);
    if (kind !== 'object' && kind !== 'set') throw new BuiltinError('nothing can be inserted into a scalar');
    if (kind === 'set') {
      if (!sameTerm(key, value)) throw new BuiltinError('a set key does not equal the value to be inserted');
      this.#settle(key);
    }
    this.#edits.set(this.#key(key), { key, child: new EditTree(value, this.#context) });
  }

  #splice(index: number, value: Term): void {
    if (index < 0 || index > this.#slots.length) throw new BuiltinError('index for array insertion out of bounds');
    this.#context.charge((this.#slots.length - index) * MOVE_STEPS);
    this.#slots.splice(index, 0, new EditTree(value, this.#context));
  }

  #delete(key: Term): void {
    const kind = this.#value?.kind;
    if (kind === 'array') return this.#drop(indexOf(key, this.#slots.length));
    if (kind !== 'object' && kind !== 'set') throw new BuiltinError('nothing can be removed from a scalar');
    if (kind === 'set') this.#settle(key);
    const text = this.#key(key);
    const edit = this.#edits.get(text);
    const there = edit === undefined ? this.#base.has(text) : edit.child !== undefined;
    if (!there) throw new BuiltinError('a key to be removed does not exist');
    this.#edits.set(text, { key, child: undefined });
  }

  #drop(index: number): void {
    if (index < 0 || index >= this.#slots.length) throw new BuiltinError('index for array delete out of bounds');
    this.#context.charge((this.#slots.length - index) * MOVE_STEPS);
    this.#slots.splice(index, 1);
  }

  /** A member of a set is its own key, so one that was edited has another key: before a composite key is looked up, edits are made final. */
  #settle(key: Term): void {
    if ((key.kind === 'object' || key.kind === 'set' || key.kind === 'array') && this.#edits.size > 0) {
      this.#open(this.render());
    }
  }
}

/** A position in an array: a whole number (OPA also takes `2.0` and `+2`), or `-` for the end; RFC 6901 4 forbids zeros before it. */
function indexOf(key: Term, length: number): number {
  if (key.kind === 'string' && key.value === '-') return length;
  const text = key.kind === 'number' ? key.text : key.kind === 'string' ? key.value : '';
  const [, sign, digits] = INDEX.exec(text) ?? [];
  if (digits === undefined || text === sign || text === '' || text.length - (sign ?? '').length > 19)
    throw new BuiltinError('invalid index of an array');
  if (key.kind === 'string' && text !== '0' && text.startsWith('0'))
    throw new BuiltinError('leading zeros are not allowed in JSON paths');
  return Number(`${sign === '-' ? '-' : ''}${digits === '' ? '0' : digits}`);
}
