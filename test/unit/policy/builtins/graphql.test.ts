import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { str } from '../../../../src/core/policy/term.ts';
import { ask, call, limited } from '../../../support/builtin-call.ts';

const SCHEMA = `
type Query { user(id: ID!): User  node: Node  find(in: Filter, one: One): [Result]  n(x: Int): Int }
interface Node { id: ID! } type User implements Node { id: ID! name: String friends: [User] }
type Post implements Node { id: ID! text: String! } union Result = User | Post
enum Level { LOW HIGH } input Filter { name: String! level: Level = LOW } input One @oneOf { a: Int b: Int }
directive @mark(at: Level) repeatable on FIELD
type Subscription { a: Int b: Int }`;

function isValid(query: string, schema = SCHEMA): boolean {
  return ask('graphql.is_valid', JSON.stringify(query), JSON.stringify(schema)) === 'true';
}

function isSchema(schema: string): boolean {
  return ask('graphql.schema_is_valid', JSON.stringify(schema)) === 'true';
}

test('a query is its tree: what is empty is left out, texts and flags stay', () => {
  assert.deepEqual(
    JSON.parse(
      ask(
        'graphql.parse_query',
        JSON.stringify('query Q($v: [Int!] = 1) { a: b(x: $v) ...F } # end\nfragment F on T { c }'),
      ),
    ),
    {
      Operations: [
        {
          Operation: 'query',
          Name: 'Q',
          VariableDefinitions: [
            {
              Variable: 'v',
              Type: { NamedType: '', Elem: { NamedType: 'Int', NonNull: true }, NonNull: false },
              DefaultValue: { Raw: '1', Kind: 1, ExpectedTypeHasDefault: false },
              Used: false,
            },
          ],
          SelectionSet: [
            {
              Alias: 'a',
              Name: 'b',
              Arguments: [{ Name: 'x', Value: { Raw: 'v', Kind: 0, ExpectedTypeHasDefault: false } }],
            },
            { Name: 'F' },
          ],
        },
      ],
      Fragments: [
        {
          Name: 'F',
          TypeCondition: 'T',
          SelectionSet: [{ Alias: 'c', Name: 'c' }],
          Comment: { List: [{ Value: '# end' }] },
        },
      ],
    },
  );
});

test('a schema is its tree, with descriptions and comments', () => {
  assert.deepEqual(
    JSON.parse(ask('graphql.parse_schema', JSON.stringify('# c\n"""\n  about\n    it\n"""\nenum E { X @d }'))),
    {
      Definitions: [
        {
          Kind: 'ENUM',
          Description: 'about\n  it',
          Name: 'E',
          EnumValues: [{ Name: 'X', Description: '', Directives: [{ Name: 'd', Location: '' }] }],
          BuiltIn: false,
          BeforeDescriptionComment: { List: [{ Value: '# c' }] },
        },
      ],
    },
  );
});

test('text that is no GraphQL is an error', () => {
  for (const text of [
    '{',
    '{}',
    '{a',
    'query',
    '{a(}',
    '{a(x:)}',
    '{a(x: 01)}',
    '{a(x: "\\q")}',
    '{a(x: "x)}',
    '{a @}',
    '...',
    '{... on}',
    'type A {a: Int}',
    '{a(x: 1.)}',
    '{"a"}',
    "{a(x: 'y')}",
    '{a}\u0000',
  ])
    assert.throws(() => ask('graphql.parse_query', JSON.stringify(text)), BuiltinError, text);
  for (const text of [
    'type',
    'type A {}',
    'type A {a}',
    'extend type A',
    '"d" extend type A @x',
    'union U = ',
    'directive @x on NOWHERE',
    'schema {a: B}',
    '{a}',
    'enum E { "d" }',
  ])
    assert.throws(() => ask('graphql.parse_schema', JSON.stringify(text)), BuiltinError, text);
});

const VALID = [
  '{ user(id: 1) { id name friends { ...F } } } fragment F on User { name }',
  '{ node { id ... on User { name } } }',
  'query ($v: ID!) { user(id: $v) { id @skip(if: true) @mark @mark(at: LOW) } }',
  '{ find(in: {name: "x"}, one: {a: 1}) { ... on Node { id } __typename } }',
  '{ __schema { types { name } } }',
  'subscription { a }',
  '{ a: user(id: "1") { id } a: user(id: "1") { name } }',
];
const INVALID: readonly (readonly [string, string])[] = [
  ['5.3.1 fields on the type', '{ none }'],
  ['5.3.2 fields that cannot be merged', '{ a: user(id: 1) { id } a: user(id: 2) { id } }'],
  [
    '5.3.2 through fragments',
    '{ user(id: 1) { ...A ...B } } fragment A on User { x: id } fragment B on User { x: name }',
  ],
  ['5.3.3 leaves have no fields', '{ n { a } }'],
  ['5.3.3 others have some', '{ node }'],
  ['5.4.1 known arguments', '{ n(y: 1) }'],
  ['5.4.2 arguments once', '{ n(x: 1, x: 1) }'],
  ['5.4.2.1 required arguments', '{ user { id } }'],
  ['5.5.1.1 fragments once', '{ node { ...F } } fragment F on Node { id } fragment F on Node { id }'],
  ['5.5.1.2 known types', '{ node { ... on None { id } } }'],
  ['5.5.1.3 types with fields', '{ node { ... on Level { id } } }'],
  ['5.5.1.4 used fragments', '{ node { id } } fragment F on Node { id } fragment G on Node { id }'],
  ['5.5.2.1 known fragments', '{ node { ...F } }'],
  ['5.5.2.2 no cycles', '{ node { ...F } } fragment F on Node { ...F }'],
  ['5.5.2.3 possible fragments', '{ user(id: 1) { ... on Post { id } } }'],
  ['5.6.1 values of the type', '{ n(x: "1") }'],
  ['5.6.1 32 and 64 bits', '{ n(x: 99999999999999999999) }'],
  ['5.6.2 fields of input', '{ find(in: {name: "x", none: 1}) { __typename } }'],
  ['5.6.3 fields of input once', '{ find(in: {name: "x", name: "x"}) { __typename } }'],
  ['5.6.4 required fields of input', '{ find(in: {}) { __typename } }'],
  ['oneOf takes one', '{ find(one: {a: 1, b: 1}) { __typename } }'],
  ['5.7.1 known directives', '{ n @none }'],
  ['5.7.2 directives in their places', '{ n @oneOf }'],
  ['5.7.3 directives once', '{ n @skip(if: true) @skip(if: true) }'],
  ['5.8.1 variables once', 'query ($v: Int, $v: Int) { n(x: $v) }'],
  ['5.8.2 variables of input types', 'query ($v: User) { n(x: $v) }'],
  ['5.8.3 defined variables', '{ n(x: $v) }'],
  ['5.8.4 used variables', 'query ($v: Int) { n }'],
  ['5.8.5 variables in their places', 'query ($v: Int) { user(id: $v) { id } }'],
  ['5.2.1 operations once', 'query A { n } query A { n }'],
  ['5.2.2 one anonymous operation', '{ n } query A { n }'],
  ['5.2.3 a subscription has one field', 'subscription { a b }'],
  ['no such root', 'mutation { n }'],
  ['introspection has a depth', '{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }'],
];

test('valid queries', () => {
  for (const query of VALID) assert.equal(isValid(query), true, query);
});

for (const [title, query] of INVALID) test(`GraphQL ${title}`, () => assert.equal(isValid(query), false));

test('schemas: what is sound and what is not', () => {
  const sound = [
    SCHEMA,
    'type A { a: Int } extend type A { b: A }',
    'schema { query: A } type A { a: Int }',
    'scalar S @specifiedBy(url: "u")',
    'directive @skip on FIELD',
  ];
  for (const text of sound) assert.equal(isSchema(text), true, text);
  const broken = [
    'type A { a: None }',
    'type A { a: Int a: Int }',
    'type A { __a: Int }',
    'type __A { a: Int }',
    'type A { a: Int } type A { a: Int }',
    'interface I { a: Int } type A implements I { b: Int }',
    'union U = Int',
    'enum E { X X }',
    'enum E { true }',
    'input N { n: N! }',
    'input N { a: N } type A { a: N }',
    'type A { a(x: A): Int }',
    'type A @none { a: Int }',
    'scalar Int',
    'extend enum E { X } type E { a: Int }',
    'schema { query: None }',
    'directive @d(a: Int @d) on ARGUMENT_DEFINITION',
  ];
  for (const text of broken) assert.equal(isSchema(text), false, text);
});

test('extending a built-in type does not change the next schema', () => {
  assert.equal(isSchema('extend type __Field { mine: Int }'), true);
  assert.equal(isValid('{ __type(name: "A") { fields { mine } } }'), false);
});

test('graphql.parse gives both trees, and parse_and_verify says so; what fails is undefined, or false', () => {
  const [query, schema] = ['{ n }', 'type Query { n: Int }'].map((text) => JSON.stringify(text));
  const [queryTree, schemaTree] = JSON.parse(ask('graphql.parse', query ?? '', schema ?? '')) as readonly unknown[];
  assert.deepEqual(JSON.parse(ask('graphql.parse_and_verify', query ?? '', schema ?? '')), [
    true,
    queryTree,
    schemaTree,
  ]);
  assert.throws(() => ask('graphql.parse', '"{ m }"', schema ?? ''), BuiltinError);
  assert.equal(ask('graphql.parse_and_verify', '"{ m }"', schema ?? ''), '[false,{},{}]');
  assert.equal(ask('graphql.is_valid', '1', schema ?? ''), 'false');
});

test('a tree is taken back', () => {
  const tree = call('graphql.parse_query', [str('query Q($v: ID!) { user(id: $v) { name } }')]);
  const schema = call('graphql.parse_schema', [str(SCHEMA)]);
  assert.deepEqual(call('graphql.is_valid', [tree, schema]), { kind: 'boolean', value: true });
  const other = call('graphql.parse_query', [str('{ none }')]);
  assert.deepEqual(call('graphql.is_valid', [other, schema]), { kind: 'boolean', value: false });
});

test('nesting and work are bounded', () => {
  const deep = '{a'.repeat(5_000) + '}'.repeat(5_000);
  assert.throws(() => ask('graphql.parse_query', JSON.stringify(deep)), /nested too deeply/);
  assert.throws(() => ask('graphql.parse_query', JSON.stringify(`{a(x: ${'['.repeat(5_000)})}`)), /nested too deeply/);
  assert.throws(
    () => ask('graphql.parse_query', JSON.stringify(`query ($v: ${'['.repeat(5_000)}) {a}`)),
    /nested too deeply/,
  );
  const fields = str(`{ ${'user(id: 1) { id } '.repeat(1_000)} }`);
  assert.throws(() => call('graphql.is_valid', [fields, str(SCHEMA)], limited(200_000_000)), EvaluationHalt);
});

test('a query is taken or refused, never anything else', () => {
  const part = fc.constantFrom(
    ...Array.from('{}()[]:$@!|&=,# \n"\\'),
    '...',
    'on',
    'query',
    'fragment',
    'a',
    '1',
    '-',
    '.',
    '"""',
    'é',
    'type',
    'input',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
      for (const name of ['graphql.parse_query', 'graphql.parse_schema']) {
        try {
          call(name, [str(parts.join(''))]);
        } catch (problem) {
          assert.ok(problem instanceof BuiltinError, String(problem));
        }
      }
    }),
    { numRuns: 500 },
  );
});
