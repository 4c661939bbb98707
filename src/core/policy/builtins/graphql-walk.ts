import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { VALUE, named } from './graphql-ast.ts';
import type {
  Argument,
  ArgumentDefinition,
  Definition,
  Directive,
  Field,
  FieldDefinition,
  FragmentDefinition,
  FragmentSpread,
  InlineFragment,
  OperationDefinition,
  QueryDocument,
  Selection,
  Value,
  VariableDefinition,
} from './graphql-ast.ts';
import { definitionOf } from './graphql-types.ts';
import type { GraphqlSchema } from './graphql-types.ts';

/** What a rule looks at; each is called after what is within the node. */
export type GraphqlRule = {
  readonly operation?: (operation: OperationDefinition) => void;
  readonly variable?: (variable: VariableDefinition) => void;
  readonly fragment?: (fragment: FragmentDefinition) => void;
  readonly field?: (field: Field) => void;
  readonly inline?: (inline: InlineFragment, parent: Definition | undefined) => void;
  readonly spread?: (spread: FragmentSpread, parent: Definition | undefined) => void;
  readonly directive?: (directive: Directive, definition: DirectiveDefinitionOf, location: string) => void;
  readonly directives?: (list: readonly Directive[]) => void;
  readonly value?: (value: Value, operation: OperationDefinition | undefined) => void;
};
type DirectiveDefinitionOf = ReturnType<GraphqlSchema['directives']['get']>;

/** Steps of one node, and of each name that is compared with it. */
const NODE_STEPS = 20_000;
const NAME_STEPS = 400;
const MAX_DEPTH = 400;
const TYPENAME: FieldDefinition = {
  Description: '',
  BeforeDescriptionComment: undefined,
  AfterDescriptionComment: undefined,
  Name: '__typename',
  Arguments: [],
  DefaultValue: undefined,
  Type: { NamedType: 'String', Elem: undefined, NonNull: false },
  Directives: [],
};

/** Walks a query beside its schema, as gqlparser does, notes at each node what it is in the schema, and asks the rules. */
export class GraphqlWalk {
  readonly #schema: GraphqlSchema;
  readonly #document: QueryDocument;
  readonly #rules: readonly GraphqlRule[];
  readonly #context: BuiltinContext;
  #operation: OperationDefinition | undefined;
  #spreads = new Set<string>();
  #depth = 0;

  constructor(schema: GraphqlSchema, document: QueryDocument, rules: readonly GraphqlRule[], context: BuiltinContext) {
    this.#schema = schema;
    this.#document = document;
    this.#rules = rules;
    this.#context = context;
  }

  walk(): void {
    for (const operation of this.#document.Operations) {
      this.#spreads = new Set();
      this.#operation = operation;
      this.#inOperation(operation);
      this.#operation = undefined;
    }
    for (const fragment of this.#document.Fragments) {
      this.#spreads = new Set();
      const type = this.#schema.types.get(fragment.TypeCondition);
      this.#directives(fragment.Directives, 'FRAGMENT_DEFINITION');
      this.#selections(type, fragment.SelectionSet);
      for (const rule of this.#rules) rule.fragment?.(fragment);
    }
  }

  #inOperation(operation: OperationDefinition): void {
    for (const variable of operation.VariableDefinitions) {
      for (const rule of this.#rules) rule.variable?.(variable);
      if (variable.DefaultValue !== undefined) {
        variable.DefaultValue.expected = variable.Type;
        variable.DefaultValue.definition = definitionOf(this.#schema, variable.Type);
      }
    }
    for (const variable of operation.VariableDefinitions) {
      if (variable.DefaultValue !== undefined) this.#value(variable.DefaultValue);
      this.#directives(variable.Directives, 'VARIABLE_DEFINITION');
    }
    this.#directives(operation.Directives, (operation.Operation === '' ? 'query' : operation.Operation).toUpperCase());
    this.#selections(
      this.#schema.roots[operation.Operation === '' ? 'query' : operation.Operation],
      operation.SelectionSet,
    );
    for (const rule of this.#rules) rule.operation?.(operation);
  }

  #directives(list: readonly Directive[], location: string): void {
    for (const directive of list) {
      const definition = this.#schema.directives.get(directive.Name);
      for (const argument of directive.Arguments)
        this.#argument(this.#named(definition?.Arguments ?? [], argument.Name), argument);
      for (const rule of this.#rules) rule.directive?.(directive, definition, location);
    }
    for (const rule of this.#rules) rule.directives?.(list);
  }

  #named<T extends { readonly Name: string }>(list: readonly T[], name: string): T | undefined {
    this.#context.charge(list.length * NAME_STEPS);
    return named(list, name);
  }

  #argument(definition: ArgumentDefinition | undefined, { Value: value }: Argument): void {
    if (value === undefined) throw new BuiltinError('GraphQL: an argument has no value');
    if (definition !== undefined) this.#expect(value, definition);
    this.#value(value);
  }

  #expect(value: Value, { Type: type, DefaultValue }: ArgumentDefinition): void {
    value.expected = type;
    value.hasDefault = DefaultValue !== undefined && DefaultValue.Kind !== VALUE.null;
    value.definition = definitionOf(this.#schema, type);
  }

  #value(value: Value): void {
    this.#context.charge(NODE_STEPS);
    if (value.Kind === VALUE.variable && this.#operation !== undefined) {
      value.variable = this.#operation.VariableDefinitions.find(({ Variable }) => Variable === value.Raw);
      if (value.variable !== undefined) value.variable.used = true;
    }
    for (const { Name, Value: child } of value.Children) {
      if (child === undefined) throw new BuiltinError('GraphQL: a list or object has no value');
      if (value.Kind === VALUE.object) this.#expectField(value, Name, child);
      if (value.Kind === VALUE.list && value.expected?.Elem !== undefined) {
        child.expected = value.expected.Elem;
        child.definition = value.definition;
      }
      if (value.Kind === VALUE.object || value.Kind === VALUE.list) this.#value(child);
    }
    for (const rule of this.#rules) rule.value?.(value, this.#operation);
  }

  #expectField(value: Value, name: string, child: Value): void {
    const field = this.#named(value.definition?.Fields ?? [], name);
    if (field !== undefined) this.#expect(child, field);
  }

  #selections(parent: Definition | undefined, list: readonly Selection[]): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new BuiltinError('GraphQL: nested too deeply');
    for (const selection of list) {
      this.#context.charge(NODE_STEPS);
      if ('Alias' in selection) this.#field(parent, selection);
      else if ('TypeCondition' in selection) this.#inline(parent, selection);
      else this.#spread(parent, selection);
    }
    this.#depth -= 1;
  }

  #field(parent: Definition | undefined, field: Field): void {
    const definition = field.Name === '__typename' ? TYPENAME : this.#named(parent?.Fields ?? [], field.Name);
    field.definition = definition;
    field.parent = parent;
    for (const argument of field.Arguments)
      this.#argument(this.#named(definition?.Arguments ?? [], argument.Name), argument);
    this.#directives(field.Directives, 'FIELD');
    this.#selections(definitionOf(this.#schema, definition?.Type), field.SelectionSet);
    for (const rule of this.#rules) rule.field?.(field);
  }

  #inline(parent: Definition | undefined, inline: InlineFragment): void {
    const type = inline.TypeCondition === '' ? parent : this.#schema.types.get(inline.TypeCondition);
    this.#directives(inline.Directives, 'INLINE_FRAGMENT');
    this.#selections(type, inline.SelectionSet);
    for (const rule of this.#rules) rule.inline?.(inline, parent);
  }

  /** The fragment is walked where it is spread first in an operation. */
  #spread(parent: Definition | undefined, spread: FragmentSpread): void {
    const definition = this.#named(this.#document.Fragments, spread.Name);
    spread.definition = definition;
    this.#directives(spread.Directives, 'FRAGMENT_SPREAD');
    if (definition !== undefined && !this.#spreads.has(definition.Name)) {
      this.#spreads.add(definition.Name);
      this.#directives(definition.Directives, 'FRAGMENT_DEFINITION');
      this.#selections(this.#schema.types.get(definition.TypeCondition), definition.SelectionSet);
    }
    for (const rule of this.#rules) rule.spread?.(spread, parent);
  }
}
