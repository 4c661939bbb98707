import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import type {
  Definition,
  DirectiveDefinition,
  FieldDefinition,
  SchemaDefinition,
  SchemaDocument,
  Type,
} from './graphql-ast.ts';
import { GRAPHQL_PRELUDE } from './graphql-prelude.ts';
import { parseSdl } from './graphql-sdl.ts';
import type { GraphqlSchema } from './graphql-types.ts';
import { checkSchema } from './graphql-schema-rules.ts';

/** Directives that a schema may define although every schema has them. */
const REDEFINABLE: ReadonlySet<string> = new Set(['include', 'skip', 'deprecated', 'specifiedBy', 'defer', 'oneOf']);
const FREE: BuiltinContext = {
  nowNs: () => '0',
  random: (_, length) => new Uint8Array(length),
  charge: () => undefined,
};

/** What every schema begins with; read once, when a policy first needs it. */
let prelude: SchemaDocument | undefined;

/** Joins definitions and extensions and checks them as gqlparser does; BuiltinError where they are no schema. */
export function schemaFrom(document: SchemaDocument, context: BuiltinContext): GraphqlSchema {
  prelude ??= parseSdl(GRAPHQL_PRELUDE, FREE);
  const builtIn = prelude.Definitions.map((definition) => ({ ...copied(definition), BuiltIn: true }));
  const types = typesOf([...builtIn, ...document.Definitions.map(copied)], document.Extensions);
  const directives = directivesOf([...prelude.Directives, ...document.Directives]);
  const schema: GraphqlSchema = { types, directives, possible: possibleTypes(types), roots: {} };
  if (document.Schema.length > 1) throw new BuiltinError('Cannot have multiple schema entry points');
  const entryPoints = [...document.Schema, ...document.SchemaExtension];
  for (const entryPoint of entryPoints) addRoots(schema, entryPoint);
  checkSchema(schema, entryPoints, context);
  if (document.Schema.length === 0) inferRoots(schema);
  schema.roots['query']?.Fields.push(...introspection());
  return schema;
}

function copied(definition: Definition): Definition {
  return {
    ...definition,
    Directives: [...definition.Directives],
    Interfaces: [...definition.Interfaces],
    Fields: [...definition.Fields],
    Types: [...definition.Types],
    EnumValues: [...definition.EnumValues],
  };
}

function typesOf(definitions: readonly Definition[], extensions: readonly Definition[]): Map<string, Definition> {
  const types = new Map<string, Definition>();
  for (const definition of definitions) {
    if (types.has(definition.Name)) throw new BuiltinError(`Cannot redeclare type ${definition.Name}.`);
    types.set(definition.Name, definition);
  }
  for (const extension of extensions) {
    const base = types.get(extension.Name);
    if (base === undefined) types.set(extension.Name, copied({ ...extension, BuiltIn: false }));
    else extend(base, extension);
  }
  return types;
}

function extend(base: Definition, extension: Definition): void {
  if (base.Kind !== extension.Kind) throw new BuiltinError(`Cannot extend type ${base.Name}: it is a ${base.Kind}.`);
  base.Directives.push(...extension.Directives);
  base.Interfaces.push(...extension.Interfaces);
  base.Fields.push(...extension.Fields);
  base.Types.push(...extension.Types);
  base.EnumValues.push(...extension.EnumValues);
}

function directivesOf(definitions: readonly DirectiveDefinition[]): Map<string, DirectiveDefinition> {
  const directives = new Map<string, DirectiveDefinition>();
  for (const definition of definitions) {
    if (directives.has(definition.Name) && !REDEFINABLE.has(definition.Name))
      throw new BuiltinError(`Cannot redeclare directive ${definition.Name}.`);
    directives.set(definition.Name, definition);
  }
  return directives;
}

function possibleTypes(types: ReadonlyMap<string, Definition>): Map<string, Definition[]> {
  const possible = new Map<string, Definition[]>();
  const add = (name: string, definition: Definition | undefined): void => {
    if (definition === undefined) return;
    const list = possible.get(name);
    if (list === undefined) possible.set(name, [definition]);
    else list.push(definition);
  };
  for (const definition of types.values()) {
    if (definition.Kind === 'UNION') for (const name of definition.Types) add(definition.Name, types.get(name));
    else for (const name of definition.Interfaces) add(name, definition);
    if (definition.Kind === 'OBJECT' || definition.Kind === 'INPUT_OBJECT') add(definition.Name, definition);
  }
  return possible;
}

function addRoots(schema: GraphqlSchema, entryPoint: SchemaDefinition): void {
  for (const { Operation, Type: name } of entryPoint.OperationTypes) {
    const definition = schema.types.get(name);
    if (definition === undefined)
      throw new BuiltinError(`Schema root ${Operation} refers to a type ${name} that does not exist.`);
    schema.roots[Operation] = definition;
  }
}

function inferRoots({ roots, types }: GraphqlSchema): void {
  roots['query'] ??= types.get('Query');
  roots['mutation'] ??= types.get('Mutation');
  roots['subscription'] ??= types.get('Subscription');
}

function introspection(): FieldDefinition[] {
  const plain = {
    Description: '',
    BeforeDescriptionComment: undefined,
    AfterDescriptionComment: undefined,
    DefaultValue: undefined,
    Directives: [],
  };
  return [
    { ...plain, Name: '__schema', Arguments: [], Type: namedType('__Schema', true) },
    {
      ...plain,
      Name: '__type',
      Arguments: [{ ...plain, Name: 'name', Type: namedType('String', true) }],
      Type: namedType('__Type', false),
    },
  ];
}

function namedType(NamedType: string, NonNull: boolean): Type {
  return { NamedType, Elem: undefined, NonNull };
}
