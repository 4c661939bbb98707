import { BuiltinError, stringArg, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { arr, bool } from '../term.ts';
import type { Term } from '../term.ts';
import type { QueryDocument, SchemaDocument } from './graphql-ast.ts';
import { parseQuery } from './graphql-query.ts';
import { checkQuery } from './graphql-rules.ts';
import { schemaFrom } from './graphql-schema.ts';
import { parseSdl } from './graphql-sdl.ts';
import { queryOf, queryTerm, schemaOf, schemaTerm } from './graphql-shape.ts';
import { jsonTerm } from './json-term.ts';

const EMPTY: Term = { kind: 'object', entries: [] };

/** A query, as text or as an object that one was answered as. */
function queryArg(args: readonly Term[], context: BuiltinContext): QueryDocument {
  const term = args[0];
  if (term?.kind === 'string') return parseQuery(term.value, context);
  if (term?.kind === 'object') return queryOf(jsonTerm(term));
  throw wrongType(0, 'string or object', term);
}

function schemaArg(args: readonly Term[], index: number, context: BuiltinContext): SchemaDocument {
  const term = args[index];
  if (term?.kind === 'string') return parseSdl(term.value, context);
  if (term?.kind === 'object') return schemaOf(jsonTerm(term));
  throw wrongType(index, 'string or object', term);
}

/** The syntax trees of a query and its schema, where the one is valid by the other. */
function parse(args: readonly Term[], context: BuiltinContext): readonly [Term, Term] {
  const query = queryArg(args, context);
  const schema = schemaArg(args, 1, context);
  const trees = [queryTerm(query), schemaTerm(schema)] as const;
  checkQuery(schemaFrom(schema, context), query, context);
  return trees;
}

/** What `call` gives, or `otherwise` where it fails; an evaluation that is out of steps ends all the same. */
function orElse<T>(call: () => T, otherwise: T): T {
  try {
    return call();
  } catch (problem) {
    if (problem instanceof BuiltinError) return otherwise;
    throw problem;
  }
}

/** GraphQL, with the trees and the rules of gqlparser, which OPA uses. */
export const GRAPHQL_BUILTINS: Readonly<Record<string, Builtin>> = {
  'graphql.parse': { arity: 2, call: (args, context) => arr(parse(args, context)) },
  'graphql.parse_and_verify': {
    arity: 2,
    call: (args, context) => orElse(() => arr([bool(true), ...parse(args, context)]), arr([bool(false), EMPTY, EMPTY])),
  },
  'graphql.parse_query': { arity: 1, call: (args, context) => queryTerm(parseQuery(stringArg(args, 0), context)) },
  'graphql.parse_schema': { arity: 1, call: (args, context) => schemaTerm(parseSdl(stringArg(args, 0), context)) },
  'graphql.is_valid': {
    arity: 2,
    call: (args, context) => bool(orElse(() => parse(args, context).length === 2, false)),
  },
  'graphql.schema_is_valid': {
    arity: 1,
    call: (args, context) => bool(orElse(() => schemaFrom(schemaArg(args, 0, context), context).types.size > 0, false)),
  },
};
