import type { Regex } from './re2.ts';

/** Drafts that OPA's library knows; `hybrid`, without `$schema`, takes the keywords of all. */
export type Draft = 4 | 6 | 7 | 'hybrid';

/** A compiled schema. `allows` is that of a boolean schema, `target` what `$ref` means: nothing else counts then. */
export type SchemaNode = {
  readonly property: string;
  allows?: boolean | undefined;
  target?: SchemaNode | undefined;
  types: string[];
  properties: SchemaNode[];
  additionalProperties?: boolean | SchemaNode | undefined;
  patternProperties: { readonly pattern: Regex; readonly schema: SchemaNode }[];
  propertyNames?: SchemaNode | undefined;
  dependencies: Map<string, readonly string[] | SchemaNode>;
  items?: SchemaNode | readonly SchemaNode[] | undefined;
  additionalItems?: boolean | SchemaNode | undefined;
  contains?: SchemaNode | undefined;
  /** Bounds of numbers, as their texts: `minimum`, `exclusiveMinimum`, `maximum`, `exclusiveMaximum`, `multipleOf`. */
  readonly numbers: Partial<Record<NumberKeyword, string>>;
  /** Bounds of sizes. */
  readonly sizes: Partial<Record<SizeKeyword, number>>;
  pattern?: { readonly source: string; readonly regex: Regex } | undefined;
  format?: string | undefined;
  required: string[];
  uniqueItems: boolean;
  constant?: string | undefined;
  enumeration?: readonly string[] | undefined;
  anyOf: readonly SchemaNode[];
  allOf: readonly SchemaNode[];
  oneOf: readonly SchemaNode[];
  not?: SchemaNode | undefined;
  if?: SchemaNode | undefined;
  then?: SchemaNode | undefined;
  else?: SchemaNode | undefined;
};

export type NumberKeyword = 'multipleOf' | 'minimum' | 'exclusiveMinimum' | 'maximum' | 'exclusiveMaximum';
export type SizeKeyword = 'minLength' | 'maxLength' | 'minProperties' | 'maxProperties' | 'minItems' | 'maxItems';

/** A schema that everything matches, to be filled. */
export function emptyNode(property: string): SchemaNode {
  return {
    property,
    types: [],
    properties: [],
    patternProperties: [],
    dependencies: new Map(),
    numbers: {},
    sizes: {},
    required: [],
    uniqueItems: false,
    anyOf: [],
    allOf: [],
    oneOf: [],
  };
}
