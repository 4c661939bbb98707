import type { BuiltinContext } from '../builtin.ts';
import type {
  ArgumentDefinition,
  Comments,
  Definition,
  DirectiveDefinition,
  EnumValueDefinition,
  FieldDefinition,
  SchemaDefinition,
  SchemaDocument,
} from './graphql-ast.ts';
import { GraphqlCursor } from './graphql-cursor.ts';

type Description = { readonly text: string; readonly comment: Comments | undefined };

const KINDS: Readonly<Record<string, string>> = {
  scalar: 'SCALAR',
  type: 'OBJECT',
  interface: 'INTERFACE',
  union: 'UNION',
  enum: 'ENUM',
  input: 'INPUT_OBJECT',
};
const LOCATIONS: ReadonlySet<string> = new Set(
  'QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT VARIABLE_DEFINITION SCHEMA SCALAR OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT INPUT_FIELD_DEFINITION'.split(
    ' ',
  ),
);

/** Parses type definitions and extensions. */
export function parseSdl(text: string, context: BuiltinContext): SchemaDocument {
  const cursor = new GraphqlCursor(text, context);
  const document: SchemaDocument = {
    Schema: [],
    SchemaExtension: [],
    Directives: [],
    Definitions: [],
    Extensions: [],
    Comment: undefined,
  };
  while (cursor.token.kind !== 'end') definition(cursor, document);
  document.Comment = cursor.comment;
  return document;
}

function definition(cursor: GraphqlCursor, document: SchemaDocument): void {
  const description = descriptionOf(cursor);
  if (cursor.token.kind !== 'name') throw cursor.unexpected();
  const word = cursor.token.value;
  if (word === 'schema') document.Schema.push(schema(cursor, description, cursor.comment, false));
  else if (word === 'directive') document.Directives.push(directive(cursor, description));
  else if (word === 'extend' && description.text === '') extension(cursor, document);
  else document.Definitions.push(type(cursor, description, cursor.comment, false));
}

function extension(cursor: GraphqlCursor, document: SchemaDocument): void {
  const { comment } = cursor;
  const none = { text: '', comment: undefined };
  cursor.keyword('extend');
  if (cursor.token.value === 'schema') document.SchemaExtension.push(schema(cursor, none, comment, true));
  else document.Extensions.push(type(cursor, none, comment, true));
}

function descriptionOf(cursor: GraphqlCursor): Description {
  if (cursor.token.kind !== 'string' && cursor.token.kind !== 'block') return { text: '', comment: undefined };
  const { comment } = cursor;
  return { text: cursor.next().value, comment };
}

function described(description: Description, AfterDescriptionComment: Comments | undefined) {
  return { Description: description.text, BeforeDescriptionComment: description.comment, AfterDescriptionComment };
}

/** A member's description: an empty one keeps no comment. */
function memberDescription(cursor: GraphqlCursor) {
  const description = descriptionOf(cursor);
  return described(description.text === '' ? { text: '', comment: undefined } : description, cursor.comment);
}

function schema(
  cursor: GraphqlCursor,
  description: Description,
  comment: Comments | undefined,
  extended: boolean,
): SchemaDefinition {
  cursor.keyword('schema');
  const Directives = cursor.directives(true);
  const { list, end } = cursor.some('{', '}', () => operationType(cursor));
  if (extended && Directives.length + list.length === 0) throw cursor.unexpected();
  return { ...described(description, comment), Directives, OperationTypes: list, EndOfDefinitionComment: end };
}

function operationType(cursor: GraphqlCursor): SchemaDefinition['OperationTypes'][number] {
  const { comment: Comment } = cursor;
  const Operation = cursor.token.value;
  if (!['query', 'mutation', 'subscription'].includes(Operation)) throw cursor.unexpected();
  cursor.next();
  cursor.expect(':');
  return { Operation, Type: cursor.name(), Comment };
}

function type(
  cursor: GraphqlCursor,
  description: Description,
  comment: Comments | undefined,
  extended: boolean,
): Definition {
  const word = cursor.token.value;
  const Kind = cursor.token.kind === 'name' ? KINDS[word] : undefined;
  if (Kind === undefined) throw cursor.unexpected();
  cursor.next();
  const Name = cursor.name();
  const Interfaces = word === 'type' || (word === 'interface' && !extended) ? implemented(cursor) : [];
  const Directives = cursor.directives(!(extended && word === 'input'));
  const { Fields, Types, EnumValues, end } = membersOf(cursor, word);
  if (extended && Interfaces.length + Directives.length + Fields.length + Types.length + EnumValues.length === 0)
    throw cursor.unexpected();
  const EndOfDefinitionComment = end;
  return {
    ...described(description, comment),
    Kind,
    Name,
    Directives,
    Interfaces,
    Fields,
    Types,
    EnumValues,
    BuiltIn: false,
    EndOfDefinitionComment,
  };
}

type Members = Pick<Definition, 'Fields' | 'Types' | 'EnumValues'> & { readonly end: Comments | undefined };

function membersOf(cursor: GraphqlCursor, word: string): Members {
  const none: Members = { Fields: [], Types: [], EnumValues: [], end: undefined };
  if (word === 'scalar') return none;
  if (word === 'union') return { ...none, Types: unionTypes(cursor) };
  if (word === 'enum') {
    const { list, end } = cursor.some('{', '}', () => enumValue(cursor));
    return { ...none, EnumValues: list, end };
  }
  const { list, end } = cursor.some('{', '}', () => (word === 'input' ? inputField(cursor) : field(cursor)));
  return { ...none, Fields: list, end };
}

function implemented(cursor: GraphqlCursor): string[] {
  if (cursor.token.value !== 'implements') return [];
  cursor.next();
  cursor.skip('&');
  return separated(cursor, '&', () => cursor.name());
}

function unionTypes(cursor: GraphqlCursor): string[] {
  if (!cursor.skip('=')) return [];
  cursor.skip('|');
  return separated(cursor, '|', () => cursor.name());
}

function separated<T>(cursor: GraphqlCursor, separator: string, read: () => T): T[] {
  const list = [read()];
  while (cursor.skip(separator)) list.push(read());
  return list;
}

function field(cursor: GraphqlCursor): FieldDefinition {
  const about = memberDescription(cursor);
  const Name = cursor.name();
  const Arguments = argumentDefinitions(cursor);
  cursor.expect(':');
  const Type = cursor.type();
  return { ...about, Name, Arguments, DefaultValue: undefined, Type, Directives: cursor.directives(true) };
}

function inputField(cursor: GraphqlCursor): FieldDefinition {
  return { ...argumentDefinition(cursor), Arguments: [] };
}

function argumentDefinitions(cursor: GraphqlCursor): ArgumentDefinition[] {
  return cursor.some('(', ')', () => argumentDefinition(cursor)).list;
}

function argumentDefinition(cursor: GraphqlCursor): ArgumentDefinition {
  const about = memberDescription(cursor);
  const Name = cursor.name();
  cursor.expect(':');
  const Type = cursor.type();
  const DefaultValue = cursor.skip('=') ? cursor.value(true) : undefined;
  return { ...about, Name, DefaultValue, Type, Directives: cursor.directives(true) };
}

function enumValue(cursor: GraphqlCursor): EnumValueDefinition {
  const about = memberDescription(cursor);
  return { ...about, Name: cursor.name(), Directives: cursor.directives(true) };
}

function directive(cursor: GraphqlCursor, description: Description): DirectiveDefinition {
  const about = described(description, cursor.comment);
  cursor.keyword('directive');
  cursor.expect('@');
  const Name = cursor.name();
  const Arguments = argumentDefinitions(cursor);
  const IsRepeatable = cursor.token.kind === 'name' && cursor.token.value === 'repeatable';
  if (IsRepeatable) cursor.next();
  cursor.keyword('on');
  cursor.skip('|');
  return { ...about, Name, Arguments, Locations: separated(cursor, '|', () => location(cursor)), IsRepeatable };
}

function location(cursor: GraphqlCursor): string {
  if (!LOCATIONS.has(cursor.token.value)) throw cursor.unexpected();
  return cursor.name();
}
