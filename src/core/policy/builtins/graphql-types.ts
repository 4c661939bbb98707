import { typeName } from './graphql-ast.ts';
import type { Definition, DirectiveDefinition, Type } from './graphql-ast.ts';

/** A schema that queries are judged by. */
export type GraphqlSchema = {
  readonly types: Map<string, Definition>;
  readonly directives: Map<string, DirectiveDefinition>;
  /** The types that an interface, union or object may be, by its name. */
  readonly possible: Map<string, Definition[]>;
  readonly roots: Partial<Record<string, Definition>>;
};

/** The definition of what is at the core of a type. */
export function definitionOf(schema: GraphqlSchema, type: Type | undefined): Definition | undefined {
  return schema.types.get(typeName(type));
}

/** True for a type that values may be given as. */
export function isInputType(definition: Definition): boolean {
  return definition.Kind === 'SCALAR' || definition.Kind === 'ENUM' || definition.Kind === 'INPUT_OBJECT';
}

/** True where a value of `given` may stand where `wanted` is asked for (gqlparser, Type.IsCompatible). */
export function isCompatible(given: Type, wanted: Type): boolean {
  if (given.NamedType !== wanted.NamedType) return false;
  if (given.Elem !== undefined && (wanted.Elem === undefined || !isCompatible(given.Elem, wanted.Elem))) return false;
  return !wanted.NonNull || given.NonNull;
}
