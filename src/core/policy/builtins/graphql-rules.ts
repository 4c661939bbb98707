import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { named, typeName } from './graphql-ast.ts';
import type {
  Argument,
  ArgumentDefinition,
  Definition,
  Field,
  FragmentDefinition,
  FragmentSpread,
  OperationDefinition,
  QueryDocument,
  Selection,
} from './graphql-ast.ts';
import { FieldMerging } from './graphql-merge.ts';
import { definitionOf, isInputType } from './graphql-types.ts';
import type { GraphqlSchema } from './graphql-types.ts';
import { VALUE_RULES } from './graphql-value-rules.ts';
import { GraphqlWalk } from './graphql-walk.ts';
import type { GraphqlRule } from './graphql-walk.ts';

const MAX_LISTS = 3;
const LISTS: ReadonlySet<string> = new Set(['fields', 'interfaces', 'possibleTypes', 'inputFields']);
const VISIT_STEPS = 10_000;

/** Judges a query by gqlparser's default rules; BuiltinError for the first that is broken. */
export function checkQuery(schema: GraphqlSchema, document: QueryDocument, context: BuiltinContext): void {
  const rules = [
    ...VALUE_RULES,
    fieldRules(schema),
    typeRules(schema),
    directiveRules(),
    fragmentRules(schema, document, context),
    operationRules(schema, document),
    introspectionRule(context),
    new FieldMerging(schema, context).rule,
  ];
  new GraphqlWalk(schema, document, rules, context).walk();
}

function wrong(rule: string): BuiltinError {
  return new BuiltinError(`GraphQL query: ${rule}`);
}

/** FieldsOnCorrectType, KnownArgumentNames, UniqueArgumentNames, ProvidedRequiredArguments, ScalarLeafs. */
function fieldRules(schema: GraphqlSchema): GraphqlRule {
  return {
    field: (field) => {
      if (field.parent !== undefined && field.definition === undefined) throw wrong(`no field "${field.Name}"`);
      if (field.definition === undefined) return uniqueArguments(field.Arguments);
      checkArguments(field.Arguments, field.definition.Arguments, field.parent !== undefined);
      const type = definitionOf(schema, field.definition.Type);
      if (type === undefined) return undefined;
      const isLeaf = type.Kind === 'ENUM' || type.Kind === 'SCALAR';
      if (isLeaf !== (field.SelectionSet.length === 0))
        throw wrong(`"${field.Name}" has fields of its own, or has none`);
      return undefined;
    },
    directive: ({ Arguments }, definition) => {
      if (definition === undefined) throw wrong('an unknown directive');
      checkArguments(Arguments, definition.Arguments, true);
    },
  };
}

function checkArguments(given: readonly Argument[], defined: readonly ArgumentDefinition[], onlyKnown: boolean): void {
  uniqueArguments(given);
  if (onlyKnown && given.some(({ Name }) => named(defined, Name) === undefined)) throw wrong('an unknown argument');
  const missing = defined.some(
    ({ Name, Type: type, DefaultValue }) =>
      type?.NonNull === true && DefaultValue === undefined && named(given, Name) === undefined,
  );
  if (missing) throw wrong('an argument is missing');
}

function uniqueArguments(given: readonly Argument[]): void {
  if (new Set(given.map(({ Name }) => Name)).size < given.length) throw wrong('an argument twice');
}

/** KnownTypeNames, FragmentsOnCompositeTypes, VariablesAreInputTypes. */
function typeRules(schema: GraphqlSchema): GraphqlRule {
  const composite = (name: string): void => {
    const definition = schema.types.get(name);
    if (definition === undefined || !isComposite(definition)) throw wrong(`"${name}" is no type with fields`);
  };
  return {
    variable: (variable) => {
      const definition = definitionOf(schema, variable.Type);
      if (definition === undefined || !isInputType(definition))
        throw wrong(`"${typeName(variable.Type)}" is no type of input`);
    },
    inline: ({ TypeCondition }) => (TypeCondition === '' ? undefined : composite(TypeCondition)),
    fragment: ({ TypeCondition }) => composite(TypeCondition),
  };
}

function isComposite({ Kind }: Definition): boolean {
  return Kind === 'OBJECT' || Kind === 'INTERFACE' || Kind === 'UNION';
}

/** KnownDirectives, UniqueDirectivesPerLocation. */
function directiveRules(): GraphqlRule {
  const repeatable = new Set<string>();
  return {
    directive: ({ Name }, definition, location) => {
      if (definition?.Locations.includes(location) !== true) throw wrong(`@${Name} may not be used on ${location}`);
      if (definition.IsRepeatable) repeatable.add(Name);
    },
    directives: (list) => {
      const names = list.flatMap(({ Name }) => (repeatable.has(Name) ? [] : [Name]));
      if (new Set(names).size < names.length) throw wrong('a directive twice');
    },
  };
}

/** KnownFragmentNames, UniqueFragmentNames, NoUnusedFragments, NoFragmentCycles, PossibleFragmentSpreads. */
function fragmentRules(schema: GraphqlSchema, document: QueryDocument, context: BuiltinContext): GraphqlRule {
  const used = new Set<string>();
  const seen = new Set<string>();
  const visited = new Set<string>();
  return {
    spread: (spread, parent) => {
      if (spread.definition === undefined) throw wrong(`no fragment "${spread.Name}"`);
      if (seen.size === 0) used.add(spread.Name);
      checkPossible(schema, parent, spread.definition.TypeCondition, context);
    },
    inline: ({ TypeCondition }, parent) => checkPossible(schema, parent, TypeCondition, context),
    fragment: (fragment) => {
      if (seen.has(fragment.Name)) throw wrong('a fragment twice');
      seen.add(fragment.Name);
      if (!used.has(fragment.Name)) throw wrong(`fragment "${fragment.Name}" is never used`);
      checkCycles(document, fragment, visited, new Set(), context);
    },
  };
}

function checkPossible(
  schema: GraphqlSchema,
  parent: Definition | undefined,
  name: string,
  context: BuiltinContext,
): void {
  const fragmentType = schema.types.get(name);
  if (parent === undefined || !isComposite(parent) || fragmentType === undefined || !isComposite(fragmentType)) return;
  const parents = parent.Kind === 'OBJECT' ? [parent] : (schema.possible.get(parent.Name) ?? []);
  const possible = schema.possible.get(name) ?? [];
  context.charge(parents.length * possible.length * 100);
  const names = new Set(parents.map(({ Name }) => Name));
  if (!possible.some(({ Name }) => names.has(Name))) throw wrong(`a fragment on "${name}" can never be`);
}

function checkCycles(
  document: QueryDocument,
  fragment: FragmentDefinition,
  visited: Set<string>,
  open: Set<string>,
  context: BuiltinContext,
): void {
  if (visited.has(fragment.Name)) return;
  visited.add(fragment.Name);
  const spreads = spreadsOf(fragment.SelectionSet);
  context.charge((1 + spreads.length) * VISIT_STEPS);
  if (spreads.length === 0) return;
  open.add(fragment.Name);
  for (const { Name } of spreads) {
    if (open.has(Name)) throw wrong(`fragment "${Name}" is spread within itself`);
    const next = named(document.Fragments, Name);
    if (next !== undefined) checkCycles(document, next, visited, open, context);
  }
  open.delete(fragment.Name);
}

function spreadsOf(list: readonly Selection[]): FragmentSpread[] {
  return list.flatMap((one) => ('SelectionSet' in one ? spreadsOf(one.SelectionSet) : [one]));
}

/** KnownRootType, LoneAnonymousOperation, NoUnusedVariables, UniqueOperationNames, UniqueVariableNames, SingleFieldSubscriptions. */
function operationRules(schema: GraphqlSchema, document: QueryDocument): GraphqlRule {
  const seen = new Set<string>();
  return {
    operation: (operation) => {
      if (schema.roots[operation.Operation === '' ? 'query' : operation.Operation] === undefined)
        throw wrong('no such kind of operation');
      if (operation.Name === '' && document.Operations.length > 1)
        throw wrong('an operation without a name beside others');
      if (seen.has(operation.Name)) throw wrong('an operation twice');
      seen.add(operation.Name);
      const names = operation.VariableDefinitions.map(({ Variable }) => Variable);
      if (new Set(names).size < names.length) throw wrong('a variable twice');
      if (operation.VariableDefinitions.some(({ used }) => used !== true)) throw wrong('a variable is never used');
      if (operation.Operation === 'subscription') checkSubscription(operation);
    },
  };
}

function checkSubscription({ SelectionSet }: OperationDefinition): void {
  const names = new Set<string>();
  topFields(SelectionSet, names, new Set());
  if (names.size > 1 || [...names].some((name) => name.startsWith('__')))
    throw wrong('a subscription selects one field, and none of introspection');
}

function topFields(list: readonly Selection[], names: Set<string>, inside: Set<string>): void {
  for (const one of list) {
    if ('Alias' in one) names.add(one.Name);
    else if ('TypeCondition' in one) topFields(one.SelectionSet, names, inside);
    else if (one.definition !== undefined && !inside.has(one.Name)) {
      inside.add(one.Name);
      topFields(one.definition.SelectionSet, names, inside);
    }
  }
}

/** MaxIntrospectionDepth: lists of types within each other. */
function introspectionRule(context: BuiltinContext): GraphqlRule {
  const tooDeep = (list: readonly Selection[], lists: number, inside: Set<string>): boolean =>
    list.some((one) => {
      context.charge(VISIT_STEPS);
      if ('Alias' in one) return fieldTooDeep(one, lists, inside);
      if ('TypeCondition' in one) return tooDeep(one.SelectionSet, lists, inside);
      if (one.definition === undefined || inside.has(one.Name)) return false;
      return tooDeep(one.definition.SelectionSet, lists, new Set(inside).add(one.Name));
    });
  const fieldTooDeep = (field: Field, before: number, inside: Set<string>): boolean => {
    const lists = before + (LISTS.has(field.Name) ? 1 : 0);
    return lists >= MAX_LISTS || tooDeep(field.SelectionSet, lists, inside);
  };
  return {
    field: (field) => {
      const isEntry = field.Name === '__schema' || field.Name === '__type';
      if (isEntry && fieldTooDeep(field, 0, new Set())) throw wrong('introspection is too deep');
    },
  };
}
