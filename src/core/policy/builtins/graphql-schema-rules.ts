import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { VALUE, named } from './graphql-ast.ts';
import type {
  ArgumentDefinition,
  Definition,
  Directive,
  DirectiveDefinition,
  FieldDefinition,
  SchemaDefinition,
  Type,
} from './graphql-ast.ts';
import { definitionOf, isCompatible, isInputType } from './graphql-types.ts';
import type { GraphqlSchema } from './graphql-types.ts';

/** Steps of looking at one definition, and at each pair of names that are compared. */
const DEFINITION_STEPS = 20_000;
const PAIR_STEPS = 400;
const MAX_CHAIN = 500;

/** gqlparser's rules for schemas (validator/schema.go). The first that is broken is thrown. */
export function checkSchema(
  schema: GraphqlSchema,
  entryPoints: readonly SchemaDefinition[],
  context: BuiltinContext,
): void {
  const rules = new SchemaRules(schema, context);
  for (const { Directives } of entryPoints) rules.directives(Directives, 'SCHEMA', undefined, true);
  for (const definition of schema.types.values()) rules.definition(definition);
  rules.inputCycles();
  for (const directive of schema.directives.values()) {
    if (directive.Name.startsWith('__')) throw invalid(`Name "${directive.Name}" is reserved`);
    rules.arguments(directive.Arguments, directive);
  }
}

function invalid(message: string): BuiltinError {
  return new BuiltinError(`GraphQL schema: ${message}`);
}

class SchemaRules {
  readonly #schema: GraphqlSchema;
  readonly #context: BuiltinContext;

  constructor(schema: GraphqlSchema, context: BuiltinContext) {
    this.#schema = schema;
    this.#context = context;
  }

  definition(one: Definition): void {
    this.#context.charge(
      DEFINITION_STEPS + (one.Fields.length + one.Types.length + one.EnumValues.length) * DEFINITION_STEPS,
    );
    for (const field of one.Fields)
      this.#field(field, one.Kind === 'INPUT_OBJECT' ? 'INPUT_FIELD_DEFINITION' : 'FIELD_DEFINITION');
    for (const name of one.Types) {
      if (this.#schema.types.get(name)?.Kind !== 'OBJECT') throw invalid(`${one.Name}: "${name}" is no object type`);
    }
    for (const name of one.Interfaces) this.#implements(one, name);
    this.#kind(one);
    unique(one.Fields.map((field) => field.Name));
    unique(one.EnumValues.map((value) => value.Name));
    unique(one.Types);
    if (!one.BuiltIn) checkName(one.Name);
    this.directives(one.Directives, one.Kind, undefined, false);
  }

  #field(field: FieldDefinition, location: string): void {
    checkName(field.Name);
    this.#typeReference(field.Type);
    this.arguments(field.Arguments, undefined);
    this.directives(field.Directives, location, undefined, true);
  }

  #typeReference(type: Type | undefined): Definition {
    const definition = definitionOf(this.#schema, type);
    if (definition === undefined) throw invalid('an undefined type');
    return definition;
  }

  #kind(one: Definition): void {
    if (one.Kind === 'OBJECT' || one.Kind === 'INTERFACE')
      this.#fieldTypes(one, (definition) => definition.Kind !== 'INPUT_OBJECT');
    if (one.Kind === 'INPUT_OBJECT') this.#fieldTypes(one, isInputType);
    if (one.Kind !== 'ENUM') return;
    if (one.EnumValues.length === 0) throw invalid(`ENUM ${one.Name}: must define one or more unique enum values`);
    for (const value of one.EnumValues) {
      if (['true', 'false', 'null'].includes(value.Name))
        throw invalid(`ENUM ${one.Name}: non-enum value ${value.Name}`);
      this.directives(value.Directives, 'ENUM_VALUE', undefined, true);
    }
  }

  #fieldTypes(one: Definition, allowed: (definition: Definition) => boolean): void {
    if (one.Fields.length === 0) throw invalid(`${one.Kind} ${one.Name}: must define one or more fields`);
    for (const field of one.Fields) {
      if (!allowed(this.#typeReference(field.Type)))
        throw invalid(`${one.Kind} ${one.Name}: ${field.Name} has a type of the wrong kind`);
    }
  }

  arguments(list: readonly ArgumentDefinition[], directive: DirectiveDefinition | undefined): void {
    for (const argument of list) {
      checkName(argument.Name);
      if (!isInputType(this.#typeReference(argument.Type))) throw invalid(`${argument.Name} is not of an input type`);
      this.directives(argument.Directives, 'ARGUMENT_DEFINITION', directive, true);
    }
  }

  /** `single` where the directives come from one place, so that one which may not be repeated is there once. */
  directives(
    list: readonly Directive[],
    location: string,
    within: DirectiveDefinition | undefined,
    single: boolean,
  ): void {
    const seen = new Set<string>();
    for (const one of list) {
      this.#context.charge(DEFINITION_STEPS);
      checkName(one.Name);
      const definition = this.#schema.directives.get(one.Name);
      if (definition === undefined || one.Name === within?.Name)
        throw invalid(`directive ${one.Name} is undefined or its own`);
      if (single && seen.has(one.Name) && !definition.IsRepeatable)
        throw invalid(`directive ${one.Name} is there twice`);
      seen.add(one.Name);
      if (!definition.Locations.includes(location))
        throw invalid(`directive ${one.Name} is not applicable on ${location}`);
      checkArguments(one, definition);
    }
  }

  #implements(one: Definition, name: string): void {
    const required = this.#schema.types.get(name);
    if (required?.Kind !== 'INTERFACE') throw invalid(`"${name}" is no interface`);
    this.#context.charge(required.Fields.length * (1 + one.Fields.length) * PAIR_STEPS);
    for (const field of required.Fields) this.#implementsField(one, field);
    for (const transitive of required.Interfaces) {
      if (!one.Interfaces.includes(transitive)) throw invalid(`Type ${one.Name} must implement ${transitive}`);
    }
  }

  #implementsField(one: Definition, required: FieldDefinition): void {
    const found = named(one.Fields, required.Name);
    if (found === undefined || !this.#isCovariant(required.Type, found.Type))
      throw invalid(`${one.Name}: ${required.Name} is missing or of another type`);
    for (const argument of required.Arguments) {
      const same = named(found.Arguments, argument.Name);
      if (same?.Type === undefined || argument.Type === undefined || !isCompatible(argument.Type, same.Type))
        throw invalid(`${one.Name}: ${required.Name} must have the same arguments`);
    }
    for (const argument of found.Arguments) {
      const more = named(required.Arguments, argument.Name) === undefined;
      if (more && argument.Type?.NonNull === true && argument.DefaultValue === undefined)
        throw invalid(`${one.Name}: ${argument.Name} must be optional`);
    }
  }

  #isCovariant(required: Type | undefined, actual: Type | undefined): boolean {
    if (required === undefined || actual === undefined || (required.NonNull && !actual.NonNull)) return false;
    if (required.NamedType === '') return this.#isCovariant(required.Elem, actual.Elem);
    if (required.NamedType === actual.NamedType) return true;
    return (this.#schema.possible.get(required.NamedType) ?? []).some(({ Name }) => Name === actual.NamedType);
  }

  /** An input object may not need itself through fields that are not null (specification 3.10). */
  inputCycles(): void {
    const visited = new Set<string>();
    const open = new Set<string>();
    const visit = (one: Definition): void => {
      if (open.has(one.Name) || open.size > MAX_CHAIN) throw invalid(`${one.Name} needs itself`);
      if (visited.has(one.Name)) return;
      visited.add(one.Name);
      open.add(one.Name);
      for (const { Type: type } of one.Fields) {
        const next =
          type?.NonNull === true && type.NamedType !== '' ? this.#schema.types.get(type.NamedType) : undefined;
        if (next?.Kind === 'INPUT_OBJECT') visit(next);
      }
      open.delete(one.Name);
    };
    for (const one of this.#schema.types.values()) if (one.Kind === 'INPUT_OBJECT') visit(one);
  }
}

function checkArguments(directive: Directive, definition: DirectiveDefinition): void {
  for (const argument of directive.Arguments) {
    if (named(definition.Arguments, argument.Name) === undefined)
      throw invalid(`Undefined argument ${argument.Name} for directive ${directive.Name}`);
  }
  for (const { Name, Type: type, DefaultValue } of definition.Arguments) {
    if (type?.NonNull !== true || DefaultValue !== undefined) continue;
    const value = named(directive.Arguments, Name)?.Value;
    if (value === undefined || value.Kind === VALUE.null)
      throw invalid(`Argument ${Name} for directive ${directive.Name} cannot be null`);
  }
}

function checkName(name: string): void {
  if (name.startsWith('__')) throw invalid(`Name "${name}" must not begin with "__"`);
}

function unique(names: readonly string[]): void {
  if (new Set(names).size < names.length) throw invalid('a name is defined twice');
}
