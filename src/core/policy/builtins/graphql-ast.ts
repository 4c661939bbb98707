/**
 * The syntax tree of gqlparser, with the names that OPA's answers have. What the walk over a query learns is kept beside, in small letters, and never
 * answered.
 */
export type Comments = { readonly List: readonly { readonly Value: string }[] };

export type Type = { NamedType: string; Elem: Type | undefined; NonNull: boolean };

/** Kinds of values, by gqlparser's numbers. */
export const VALUE = {
  variable: 0,
  int: 1,
  float: 2,
  string: 3,
  block: 4,
  boolean: 5,
  null: 6,
  enum: 7,
  list: 8,
  object: 9,
} as const;

export type Value = {
  Raw: string;
  Children: ChildValue[];
  Kind: number;
  Comment: Comments | undefined;
  definition?: Definition | undefined;
  variable?: VariableDefinition | undefined;
  expected?: Type | undefined;
  hasDefault?: boolean;
};
export type ChildValue = { Name: string; Value: Value | undefined; Comment: Comments | undefined };
export type Argument = { Name: string; Value: Value | undefined; Comment: Comments | undefined };
export type Directive = { Name: string; Arguments: Argument[]; Location: string };

export type Field = {
  Alias: string;
  Name: string;
  Arguments: Argument[];
  Directives: Directive[];
  SelectionSet: Selection[];
  Comment: Comments | undefined;
  definition?: FieldDefinition | undefined;
  parent?: Definition | undefined;
};
export type FragmentSpread = {
  Name: string;
  Directives: Directive[];
  Comment: Comments | undefined;
  definition?: FragmentDefinition | undefined;
};
export type InlineFragment = {
  TypeCondition: string;
  Directives: Directive[];
  SelectionSet: Selection[];
  Comment: Comments | undefined;
};
export type Selection = Field | FragmentSpread | InlineFragment;

export type VariableDefinition = {
  Variable: string;
  Type: Type | undefined;
  DefaultValue: Value | undefined;
  Directives: Directive[];
  Comment: Comments | undefined;
  Used: boolean;
  used?: boolean;
};
export type OperationDefinition = {
  Operation: string;
  Name: string;
  VariableDefinitions: VariableDefinition[];
  Directives: Directive[];
  SelectionSet: Selection[];
  Comment: Comments | undefined;
};
export type FragmentDefinition = {
  Name: string;
  VariableDefinition: VariableDefinition[];
  TypeCondition: string;
  Directives: Directive[];
  SelectionSet: Selection[];
  Comment: Comments | undefined;
};
export type QueryDocument = {
  Operations: OperationDefinition[];
  Fragments: FragmentDefinition[];
  Comment: Comments | undefined;
};

type Described = {
  Description: string;
  BeforeDescriptionComment: Comments | undefined;
  AfterDescriptionComment: Comments | undefined;
};

export type ArgumentDefinition = Described & {
  Name: string;
  DefaultValue: Value | undefined;
  Type: Type | undefined;
  Directives: Directive[];
};
export type FieldDefinition = ArgumentDefinition & { Arguments: ArgumentDefinition[] };
export type EnumValueDefinition = Described & { Name: string; Directives: Directive[] };
export type DirectiveDefinition = Described & {
  Name: string;
  Arguments: ArgumentDefinition[];
  Locations: string[];
  IsRepeatable: boolean;
};
export type Definition = Described & {
  Kind: string;
  Name: string;
  Directives: Directive[];
  Interfaces: string[];
  Fields: FieldDefinition[];
  Types: string[];
  EnumValues: EnumValueDefinition[];
  BuiltIn: boolean;
  EndOfDefinitionComment: Comments | undefined;
};
export type SchemaDefinition = Described & {
  Directives: Directive[];
  OperationTypes: { Operation: string; Type: string; Comment: Comments | undefined }[];
  EndOfDefinitionComment: Comments | undefined;
};
export type SchemaDocument = {
  Schema: SchemaDefinition[];
  SchemaExtension: SchemaDefinition[];
  Directives: DirectiveDefinition[];
  Definitions: Definition[];
  Extensions: Definition[];
  Comment: Comments | undefined;
};

/** The name at the core of a type, lists taken away. */
export function typeName(type: Type | undefined): string {
  return type === undefined
    ? ''
    : type.NamedType === '' && type.Elem !== undefined
      ? typeName(type.Elem)
      : type.NamedType;
}

/** The first of a list with that name. */
export function named<T extends { readonly Name: string }>(list: readonly T[], name: string): T | undefined {
  return list.find((one) => one.Name === name);
}
