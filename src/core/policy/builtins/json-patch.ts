import { BuiltinError, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { sameTerm } from '../term-order.ts';
import { str } from '../term.ts';
import type { Term } from '../term.ts';
import { EditTree } from './edit-tree.ts';
import { members } from './json-term.ts';
import { weigh } from './term-weight.ts';

/** Steps of one operation, and for each character of a value that is copied, moved or compared. */
const OPERATION_STEPS = 20_000;
const CHARACTER_STEPS = 400;

type Operation = { readonly op: string; readonly path: readonly Term[]; readonly fields: ReadonlyMap<string, Term> };

/**
 * `json.patch` (RFC 6902), on any value: a path is JSON Pointer text, with or without its first slash, or an array of keys of any type, so that
 * patches reach into sets and objects whose keys are no strings.
 */
function patch(args: readonly Term[], context: BuiltinContext): Term {
  const [target, operations] = args;
  if (target === undefined || operations?.kind !== 'array') throw wrongType(1, 'array', operations);
  const tree = new EditTree(target, context);
  for (const operation of operations.items) apply(tree, operationOf(operation), context);
  const result = tree.render();
  context.charge(weigh(result).size * CHARACTER_STEPS);
  return result;
}

function operationOf(term: Term): Operation {
  if (term.kind !== 'object') throw new BuiltinError('an operation of the patch is no object');
  const fields = members(term);
  const path = pathOf(required(fields, 'path'));
  const op = required(fields, 'op');
  if (op.kind !== 'string') throw new BuiltinError(`attribute 'op' must be a string but found: ${op.kind}`);
  return { op: op.value, path, fields };
}

function apply(tree: EditTree, { op, path, fields }: Operation, context: BuiltinContext): void {
  context.charge(OPERATION_STEPS);
  switch (op) {
    case 'add':
      return tree.insertAt(path, required(fields, 'value'));
    case 'remove':
      return tree.deleteAt(path);
    case 'replace':
      tree.deleteAt(path);
      return tree.insertAt(path, required(fields, 'value'));
    case 'move':
    case 'copy': {
      const from = pathOf(required(fields, 'from'));
      const value = priced(tree.renderAt(from), context);
      if (op === 'move') tree.deleteAt(from);
      return tree.insertAt(path, value);
    }
    case 'test':
      if (sameTerm(priced(tree.renderAt(path), context), required(fields, 'value'))) return undefined;
      throw new BuiltinError('the value under test is not the expected one');
    default:
      throw new BuiltinError(`unrecognized op: '${op}'`);
  }
}

/** Copies of copies double a value with each operation, so each is paid for by its size. */
function priced(value: Term, context: BuiltinContext): Term {
  context.charge(weigh(value).size * CHARACTER_STEPS);
  return value;
}

function required(fields: ReadonlyMap<string, Term>, name: string): Term {
  const value = fields.get(name);
  if (value === undefined) throw new BuiltinError(`missing required attribute '${name}'`);
  return value;
}

function pathOf(term: Term): readonly Term[] {
  if (term.kind === 'array') return term.items;
  if (term.kind !== 'string') throw new BuiltinError('a path must be a string or an array of path segments');
  if (term.value === '') return [];
  const segments = term.value.replace(/^\/+/, '').split('/');
  return segments.map((segment) => str(segment.replaceAll('~1', '/').replaceAll('~0', '~')));
}

/** Changes to documents. */
export const JSON_PATCH_BUILTINS: Readonly<Record<string, Builtin>> = {
  'json.patch': { arity: 2, call: patch },
};
