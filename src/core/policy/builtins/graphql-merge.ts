import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { VALUE } from './graphql-ast.ts';
import type { Argument, Field, FragmentSpread, Selection, Type, Value } from './graphql-ast.ts';
import type { GraphqlSchema } from './graphql-types.ts';
import type { GraphqlRule } from './graphql-walk.ts';

type Fields = ReadonlyMap<string, readonly Field[]>;
type Selected = { readonly fields: Fields; readonly spreads: readonly FragmentSpread[] };

/** Steps of comparing two fields, and of collecting one. */
const COMPARE_STEPS = 20_000;
const COLLECT_STEPS = 4_000;
const MAX_DEPTH = 300;

/** OverlappingFieldsCanBeMerged: fields of one name in the answer must be the same field, with the same arguments, of types that fit (specification 5.3.2). */
export class FieldMerging {
  readonly #schema: GraphqlSchema;
  readonly #context: BuiltinContext;
  readonly #pairs = new Map<string, boolean>();
  #fragments = new Set<string>();
  #depth = 0;
  #inFragments = false;

  constructor(schema: GraphqlSchema, context: BuiltinContext) {
    this.#schema = schema;
    this.#context = context;
  }

  /** Fields of fragments are looked at where operations spread them. */
  get rule(): GraphqlRule {
    return {
      operation: ({ SelectionSet }) => this.#within(SelectionSet),
      field: ({ SelectionSet }) => (this.#inFragments ? undefined : this.#within(SelectionSet)),
      inline: ({ SelectionSet }) => this.#within(SelectionSet),
      fragment: ({ SelectionSet }) => {
        this.#inFragments = true;
        this.#within(SelectionSet);
      },
    };
  }

  #within(list: readonly Selection[]): void {
    const { fields, spreads } = this.#collect(list);
    for (const same of fields.values())
      same.forEach((one, at) => same.slice(at + 1).forEach((other) => this.#compare(false, one, other)));
    this.#fragments = new Set();
    for (const [at, spread] of spreads.entries()) {
      this.#fieldsAndFragment(false, fields, spread);
      for (const other of spreads.slice(at + 1)) this.#twoFragments(false, spread, other);
    }
  }

  #collect(list: readonly Selection[]): Selected {
    const fields = new Map<string, Field[]>();
    const spreads: FragmentSpread[] = [];
    const collect = (selections: readonly Selection[]): void => {
      this.#context.charge(selections.length * COLLECT_STEPS);
      for (const one of selections) {
        if ('TypeCondition' in one) collect(one.SelectionSet);
        else if (!('Alias' in one)) spreads.push(one);
        else {
          const name = one.Alias === '' ? one.Name : one.Alias;
          const same = fields.get(name);
          if (same === undefined) fields.set(name, [one]);
          else same.push(one);
        }
      }
    };
    collect(list);
    return { fields, spreads };
  }

  #between(exclusive: boolean, left: Fields, right: Fields): void {
    for (const [name, fields] of left) {
      for (const one of fields) for (const other of right.get(name) ?? []) this.#compare(exclusive, one, other);
    }
  }

  #fieldsAndFragment(exclusive: boolean, fields: Fields, spread: FragmentSpread): void {
    if (this.#fragments.has(spread.Name)) return;
    this.#fragments.add(spread.Name);
    if (spread.definition === undefined) return;
    const own = this.#collect(spread.definition.SelectionSet);
    if (isSame(fields, own.fields)) return;
    this.#between(exclusive, fields, own.fields);
    for (const one of own.spreads) if (one.Name !== spread.Name) this.#fieldsAndFragment(exclusive, fields, one);
  }

  #twoFragments(exclusive: boolean, left: FragmentSpread, right: FragmentSpread): void {
    if (left.Name === right.Name || this.#wasCompared(exclusive, left, right)) return;
    if (left.definition === undefined || right.definition === undefined) return;
    const a = this.#collect(left.definition.SelectionSet);
    const b = this.#collect(right.definition.SelectionSet);
    this.#between(exclusive, a.fields, b.fields);
    for (const one of b.spreads) this.#twoFragments(exclusive, left, one);
    for (const one of a.spreads) this.#twoFragments(exclusive, one, right);
  }

  /** Compared as fields that may both be there counts for those that exclude each other too. */
  #wasCompared(exclusive: boolean, left: FragmentSpread, right: FragmentSpread): boolean {
    const key = [left.Name, right.Name].toSorted().join(' ');
    const before = this.#pairs.get(key);
    if (before !== undefined && (exclusive || !before)) return true;
    this.#pairs.set(key, exclusive);
    return false;
  }

  #compare(parentsExclusive: boolean, left: Field, right: Field): void {
    this.#context.charge(COMPARE_STEPS);
    if (left.parent === undefined || right.parent === undefined) return;
    const exclusive = parentsExclusive || areExclusive(left, right);
    if (!exclusive && (left.Name !== right.Name || !sameArguments(left.Arguments, right.Arguments)))
      throw new BuiltinError(`GraphQL query: fields "${left.Alias}" conflict`);
    if (
      left.definition !== undefined &&
      right.definition !== undefined &&
      this.#typesConflict(left.definition.Type, right.definition.Type)
    )
      throw new BuiltinError(`GraphQL query: fields "${left.Alias}" have conflicting types`);
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new BuiltinError('GraphQL: nested too deeply');
    this.#subselections(exclusive, this.#collect(left.SelectionSet), this.#collect(right.SelectionSet));
    this.#depth -= 1;
  }

  #subselections(exclusive: boolean, left: Selected, right: Selected): void {
    this.#between(exclusive, left.fields, right.fields);
    for (const [fields, spreads] of [[left.fields, right.spreads] as const, [right.fields, left.spreads] as const]) {
      for (const spread of spreads) {
        this.#fragments = new Set();
        this.#fieldsAndFragment(exclusive, fields, spread);
      }
    }
    for (const one of left.spreads) for (const other of right.spreads) this.#twoFragments(exclusive, one, other);
  }

  #typesConflict(left: Type | undefined, right: Type | undefined): boolean {
    if (left === undefined || right === undefined) return false;
    if (left.Elem !== undefined || right.Elem !== undefined)
      return left.Elem === undefined || right.Elem === undefined || this.#typesConflict(left.Elem, right.Elem);
    if (left.NonNull !== right.NonNull) return true;
    const isLeaf = (type: Type): boolean =>
      ['SCALAR', 'ENUM'].includes(this.#schema.types.get(type.NamedType)?.Kind ?? '');
    return isLeaf(left) && isLeaf(right) && left.NamedType !== right.NamedType;
  }
}

function areExclusive(left: Field, right: Field): boolean {
  const objects = left.parent?.Kind === 'OBJECT' && right.parent?.Kind === 'OBJECT';
  return (
    objects &&
    left.parent?.Name !== right.parent?.Name &&
    left.definition !== undefined &&
    right.definition !== undefined
  );
}

function isSame(left: Fields, right: Fields): boolean {
  const a = [...left.values()].flat();
  const b = [...right.values()].flat();
  return a.length === b.length && a.every((field, at) => field === b[at]);
}

function sameArguments(left: readonly Argument[], right: readonly Argument[]): boolean {
  if (left.length !== right.length) return false;
  return left.every((one) => right.some((other) => one.Name === other.Name && sameValue(one.Value, other.Value)));
}

/** Fields of objects in any order, elements of lists in theirs. */
function sameValue(left: Value | undefined, right: Value | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  if (left.Kind !== right.Kind || left.Raw !== right.Raw || left.Children.length !== right.Children.length)
    return false;
  const a = left.Kind === VALUE.object ? byName(left) : left.Children;
  const b = right.Kind === VALUE.object ? byName(right) : right.Children;
  return a.every((child, at) => child.Name === b[at]?.Name && sameValue(child.Value, b[at]?.Value));
}

function byName({ Children }: Value): Value['Children'] {
  return Children.toSorted((a, b) => (a.Name < b.Name ? -1 : Number(a.Name > b.Name)));
}
