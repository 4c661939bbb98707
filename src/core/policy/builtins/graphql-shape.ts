import { BuiltinError } from '../builtin.ts';
import { arr, bool, num, str } from '../term.ts';
import type { Term } from '../term.ts';
import type { QueryDocument, SchemaDocument } from './graphql-ast.ts';
import { members, record } from './json-term.ts';

/** What a field of a node holds: text, a flag, a number, a node, or a list of nodes or texts. */
type Shape = 'string' | 'boolean' | 'number' | 'strings' | NodeName | `${NodeName}[]`;
type NodeName = keyof typeof NODES;

const COMMENTED = { Comment: 'Comments' } as const;
const DESCRIBED = {
  Description: 'string',
  BeforeDescriptionComment: 'Comments',
  AfterDescriptionComment: 'Comments',
} as const;
const INPUT = { ...DESCRIBED, Name: 'string', DefaultValue: 'Value', Type: 'Type', Directives: 'Directive[]' } as const;

/** The fields of each node, as gqlparser's structures have them. */
const NODES = {
  Comments: { List: 'Comment[]' },
  Comment: { Value: 'string' },
  Type: { NamedType: 'string', Elem: 'Type', NonNull: 'boolean' },
  Value: { Raw: 'string', Children: 'ChildValue[]', Kind: 'number', ...COMMENTED, ExpectedTypeHasDefault: 'boolean' },
  ChildValue: { Name: 'string', Value: 'Value', ...COMMENTED },
  Argument: { Name: 'string', Value: 'Value', ...COMMENTED },
  Directive: { Name: 'string', Arguments: 'Argument[]', Location: 'string' },
  Field: {
    Alias: 'string',
    Name: 'string',
    Arguments: 'Argument[]',
    Directives: 'Directive[]',
    SelectionSet: 'Selection[]',
    ...COMMENTED,
  },
  FragmentSpread: { Name: 'string', Directives: 'Directive[]', ...COMMENTED },
  InlineFragment: { TypeCondition: 'string', Directives: 'Directive[]', SelectionSet: 'Selection[]', ...COMMENTED },
  Selection: {},
  VariableDefinition: {
    Variable: 'string',
    Type: 'Type',
    DefaultValue: 'Value',
    Directives: 'Directive[]',
    ...COMMENTED,
    Used: 'boolean',
  },
  OperationDefinition: {
    Operation: 'string',
    Name: 'string',
    VariableDefinitions: 'VariableDefinition[]',
    Directives: 'Directive[]',
    SelectionSet: 'Selection[]',
    ...COMMENTED,
  },
  FragmentDefinition: {
    Name: 'string',
    VariableDefinition: 'VariableDefinition[]',
    TypeCondition: 'string',
    Directives: 'Directive[]',
    SelectionSet: 'Selection[]',
    ...COMMENTED,
  },
  QueryDocument: { Operations: 'OperationDefinition[]', Fragments: 'FragmentDefinition[]', ...COMMENTED },
  ArgumentDefinition: INPUT,
  FieldDefinition: { ...INPUT, Arguments: 'ArgumentDefinition[]' },
  EnumValueDefinition: { ...DESCRIBED, Name: 'string', Directives: 'Directive[]' },
  DirectiveDefinition: {
    ...DESCRIBED,
    Name: 'string',
    Arguments: 'ArgumentDefinition[]',
    Locations: 'strings',
    IsRepeatable: 'boolean',
  },
  Definition: {
    ...DESCRIBED,
    Kind: 'string',
    Name: 'string',
    Directives: 'Directive[]',
    Interfaces: 'strings',
    Fields: 'FieldDefinition[]',
    Types: 'strings',
    EnumValues: 'EnumValueDefinition[]',
    BuiltIn: 'boolean',
    EndOfDefinitionComment: 'Comments',
  },
  OperationTypeDefinition: { Operation: 'string', Type: 'string', ...COMMENTED },
  SchemaDefinition: {
    ...DESCRIBED,
    Directives: 'Directive[]',
    OperationTypes: 'OperationTypeDefinition[]',
    EndOfDefinitionComment: 'Comments',
  },
  SchemaDocument: {
    Schema: 'SchemaDefinition[]',
    SchemaExtension: 'SchemaDefinition[]',
    Directives: 'DirectiveDefinition[]',
    Definitions: 'Definition[]',
    Extensions: 'Definition[]',
    ...COMMENTED,
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;

const ZERO = { string: '', boolean: false, number: 0 } as const;

type Node = Readonly<Record<string, unknown>>;

/** A document as OPA answers it: objects of Go's field names, without what is empty. Texts, flags and numbers stay, whatever they are. */
export function queryTerm(document: QueryDocument): Term {
  return nodeTerm(document, 'QueryDocument');
}

export function schemaTerm(document: SchemaDocument): Term {
  return nodeTerm(document, 'SchemaDocument');
}

function nodeTerm(node: Node, name: NodeName): Term {
  const fields: (readonly [string, Term])[] = [];
  for (const [field, shape] of Object.entries(NODES[name === 'Selection' ? selectionName(node) : name]) as [
    string,
    Shape,
  ][]) {
    const term = fieldTerm(node[field], shape);
    if (!isEmpty(term)) fields.push([field, term]);
  }
  return record(fields);
}

function selectionName(node: Node): NodeName {
  if ('Alias' in node) return 'Field';
  return 'TypeCondition' in node ? 'InlineFragment' : 'FragmentSpread';
}

function fieldTerm(value: unknown, shape: Shape): Term {
  if (shape === 'string') return str(typeof value === 'string' ? value : '');
  if (shape === 'boolean') return bool(value === true);
  if (shape === 'number') return num(Number(value));
  if (Array.isArray(value)) return listTerm(value, shape);
  return typeof value === 'object' && value !== null ? nodeTerm(value as Node, shape as NodeName) : arr([]);
}

function listTerm(list: readonly unknown[], shape: Shape): Term {
  if (shape === 'strings') return arr(list.map((item) => str(String(item))));
  return arr(
    list.map((item) => nodeTerm(item as Node, shape.slice(0, -2) as NodeName)).filter((term) => !isEmpty(term)),
  );
}

function isEmpty(term: Term): boolean {
  return (term.kind === 'array' && term.items.length === 0) || (term.kind === 'object' && term.entries.length === 0);
}

/** Reads a document that an answer was made of. As in OPA every selection comes back as a field, so fragments do not survive the way. */
export function queryOf(term: Term): QueryDocument {
  return nodeOf(term, 'QueryDocument') as QueryDocument;
}

export function schemaOf(term: Term): SchemaDocument {
  return nodeOf(term, 'SchemaDocument') as SchemaDocument;
}

function nodeOf(term: Term, name: NodeName): unknown {
  if (term.kind !== 'object') throw wrongShape(name);
  const given = members(term);
  const shapes = Object.entries(NODES[name === 'Selection' ? 'Field' : name]) as [string, Shape][];
  return Object.fromEntries(shapes.map(([field, shape]) => [field, valueOf(given.get(field), shape)]));
}

function valueOf(term: Term | undefined, shape: Shape): unknown {
  const absent = term === undefined || term.kind === 'null';
  if (shape === 'string' || shape === 'boolean' || shape === 'number')
    return absent ? ZERO[shape] : scalarOf(term, shape);
  if (shape === 'strings' || shape.endsWith('[]')) return absent ? [] : listOf(term, shape);
  return absent ? undefined : nodeOf(term, shape as NodeName);
}

function scalarOf(term: Term, kind: 'string' | 'boolean' | 'number'): unknown {
  if (term.kind === kind && term.kind === 'number' && /^-?[0-9]{1,15}$/.test(term.text)) return Number(term.text);
  if (term.kind === kind && (term.kind === 'string' || term.kind === 'boolean')) return term.value;
  throw wrongShape(kind);
}

function listOf(term: Term, shape: Shape): unknown[] {
  if (term.kind !== 'array') throw wrongShape(shape);
  if (shape === 'strings') return term.items.map((item) => scalarOf(item, 'string'));
  const name = shape.slice(0, -2) as NodeName;
  const items = name === 'Selection' ? term.items.filter((item) => item.kind === 'object') : term.items;
  return items.map((item) => nodeOf(item, name));
}

function wrongShape(name: string): BuiltinError {
  return new BuiltinError(`GraphQL: an object is no syntax tree: ${name} expected`);
}
