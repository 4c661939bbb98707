import { BuiltinError } from '../builtin.ts';
import { VALUE, named } from './graphql-ast.ts';
import type { Value } from './graphql-ast.ts';
import { isCompatible } from './graphql-types.ts';
import type { GraphqlRule } from './graphql-walk.ts';

const BUILT_IN_SCALARS: ReadonlySet<string> = new Set(['Int', 'Float', 'String', 'Boolean', 'ID']);
/** The scalars that a literal may be given as. */
const ACCEPTED: Readonly<Record<number, readonly string[]>> = {
  [VALUE.int]: ['Int', 'Float', 'ID'],
  [VALUE.float]: ['Float'],
  [VALUE.string]: ['String', 'ID'],
  [VALUE.block]: ['String', 'ID'],
  [VALUE.boolean]: ['Boolean'],
};

/** gqlparser's rules for literals and variables in their places. */
export const VALUE_RULES: readonly GraphqlRule[] = [
  { value: correctType },
  { value: uniqueInputFields },
  { value: allowedPosition },
  { value: definedVariable },
];

function wrong(rule: string): BuiltinError {
  return new BuiltinError(`GraphQL query: ${rule}`);
}

/** ValuesOfCorrectType. Scalars of a schema's own take anything. */
function correctType(value: Value): void {
  const { definition, expected, Kind } = value;
  if (definition === undefined || expected === undefined) return;
  if (Kind === VALUE.null && expected.NonNull) throw wrong('null where a value is needed');
  if (definition.Kind === 'SCALAR' && !BUILT_IN_SCALARS.has(definition.Name)) return;
  if (isOutOfRange(value)) throw wrong('a number is out of range');
  if (Kind === VALUE.list && expected.Elem === undefined) throw wrong('a list where none is expected');
  if (Kind === VALUE.enum && named(definition.Kind === 'ENUM' ? definition.EnumValues : [], value.Raw) === undefined)
    throw wrong('a name that is no value of the type');
  const accepted = ACCEPTED[Kind];
  if (accepted !== undefined && !accepted.includes(definition.Name)) throw wrong('a value of another type');
  if (Kind === VALUE.object) inputObject(value);
}

function inputObject({ definition, Children }: Value): void {
  const fields = definition?.Fields ?? [];
  for (const field of fields) {
    const missing =
      field.Type?.NonNull === true && field.DefaultValue === undefined && named(Children, field.Name) === undefined;
    if (missing) throw wrong('a field of an input object is missing');
  }
  const oneOf = definition !== undefined && named(definition.Directives, 'oneOf') !== undefined;
  if (oneOf && (Children.length !== 1 || Children[0]?.Value?.Kind === VALUE.null))
    throw wrong('exactly one key is needed');
  if (Children.some(({ Name }) => named(fields, Name) === undefined))
    throw wrong('an unknown field of an input object');
}

/** Go reads integers with 64 bits and floats as doubles, in lists and objects too. */
function isOutOfRange(value: Value): boolean {
  if (value.Kind === VALUE.int)
    return !/^-?[0-9]{1,19}$/.test(value.Raw) || BigInt.asIntN(64, BigInt(value.Raw)) !== BigInt(value.Raw);
  if (value.Kind === VALUE.float) return !Number.isFinite(Number(value.Raw));
  if (value.Kind === VALUE.variable)
    return value.variable?.DefaultValue !== undefined && isOutOfRange(value.variable.DefaultValue);
  return value.Children.some((child) => child.Value !== undefined && isOutOfRange(child.Value));
}

/** UniqueInputFieldNames. */
function uniqueInputFields(value: Value): void {
  const names = value.Kind === VALUE.object ? value.Children.map(({ Name }) => Name) : [];
  if (new Set(names).size < names.length) throw wrong('a field of an input object twice');
}

/** VariablesInAllowedPosition: a default, of the variable or of the place, makes up for null. */
function allowedPosition(value: Value, operation: unknown): void {
  if (value.Kind === VALUE.object) checkOneOfVariables(value);
  const { variable, expected } = value;
  if (
    value.Kind !== VALUE.variable ||
    variable?.Type === undefined ||
    expected === undefined ||
    operation === undefined
  )
    return;
  const ownDefault = variable.DefaultValue !== undefined && variable.DefaultValue.Kind !== VALUE.null;
  const wanted = { ...expected, NonNull: expected.NonNull && !ownDefault && value.hasDefault !== true };
  if (!isCompatible(variable.Type, wanted)) throw wrong('a variable in a place of another type');
}

function checkOneOfVariables({ definition, Children }: Value): void {
  if (definition === undefined || named(definition.Directives, 'oneOf') === undefined) return;
  for (const { Value: child } of Children) {
    if (child?.Kind === VALUE.variable && child.variable?.Type?.NonNull === false)
      throw wrong('a variable that may be null in a oneOf');
  }
}

/** NoUndefinedVariables. */
function definedVariable(value: Value, operation: unknown): void {
  if (operation !== undefined && value.Kind === VALUE.variable && value.variable === undefined)
    throw wrong('an undefined variable');
}
