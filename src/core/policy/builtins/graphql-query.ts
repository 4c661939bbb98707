import type { BuiltinContext } from '../builtin.ts';
import type {
  Field,
  FragmentDefinition,
  OperationDefinition,
  QueryDocument,
  Selection,
  VariableDefinition,
} from './graphql-ast.ts';
import { GraphqlCursor } from './graphql-cursor.ts';

/** Parses operations and fragments. */
export function parseQuery(text: string, context: BuiltinContext): QueryDocument {
  const cursor = new GraphqlCursor(text, context);
  const document: QueryDocument = { Operations: [], Fragments: [], Comment: undefined };
  while (cursor.token.kind !== 'end') {
    if (cursor.token.kind === 'name' && cursor.token.value === 'fragment') document.Fragments.push(fragment(cursor));
    else document.Operations.push(operation(cursor));
  }
  return document;
}

function operation(cursor: GraphqlCursor): OperationDefinition {
  const { comment: Comment } = cursor;
  if (cursor.is('{')) {
    const SelectionSet = selections(cursor);
    return { Operation: 'query', Name: '', VariableDefinitions: [], Directives: [], SelectionSet, Comment: undefined };
  }
  const { kind, value: Operation } = cursor.token;
  if (kind !== 'name' || !['query', 'mutation', 'subscription'].includes(Operation)) throw cursor.unexpected();
  cursor.next();
  const Name = cursor.token.kind === 'name' ? cursor.name() : '';
  const VariableDefinitions = variables(cursor);
  const Directives = cursor.directives(false);
  return { Operation, Name, VariableDefinitions, Directives, SelectionSet: selections(cursor), Comment };
}

function fragment(cursor: GraphqlCursor): FragmentDefinition {
  const { comment: Comment } = cursor;
  cursor.keyword('fragment');
  if (cursor.token.value === 'on') throw cursor.unexpected();
  const Name = cursor.name();
  const VariableDefinition = variables(cursor);
  cursor.keyword('on');
  const TypeCondition = cursor.name();
  const Directives = cursor.directives(false);
  return { Name, VariableDefinition, TypeCondition, Directives, SelectionSet: selections(cursor), Comment };
}

function variables(cursor: GraphqlCursor): VariableDefinition[] {
  return cursor.some('(', ')', () => variable(cursor)).list;
}

function variable(cursor: GraphqlCursor): VariableDefinition {
  const { comment: Comment } = cursor;
  cursor.expect('$');
  const Variable = cursor.name();
  cursor.expect(':');
  const Type = cursor.type();
  const DefaultValue = cursor.skip('=') ? cursor.value(true) : undefined;
  return { Variable, Type, DefaultValue, Directives: cursor.directives(false), Comment, Used: false };
}

function selections(cursor: GraphqlCursor): Selection[] {
  if (!cursor.is('{')) throw cursor.unexpected();
  return cursor.some('{', '}', () => (cursor.is('...') ? spread(cursor) : field(cursor))).list;
}

function field(cursor: GraphqlCursor): Field {
  const { comment: Comment } = cursor;
  const Alias = cursor.name();
  const Name = cursor.skip(':') ? cursor.name() : Alias;
  const Arguments = cursor.arguments(false);
  const Directives = cursor.directives(false);
  return { Alias, Name, Arguments, Directives, SelectionSet: cursor.is('{') ? selections(cursor) : [], Comment };
}

function spread(cursor: GraphqlCursor): Selection {
  const { comment: Comment } = cursor;
  cursor.expect('...');
  if (cursor.token.kind === 'name' && cursor.token.value !== 'on')
    return { Name: cursor.name(), Directives: cursor.directives(false), Comment };
  let TypeCondition = '';
  if (cursor.token.value === 'on') {
    cursor.next();
    TypeCondition = cursor.name();
  }
  const Directives = cursor.directives(false);
  return { TypeCondition, Directives, SelectionSet: selections(cursor), Comment };
}
