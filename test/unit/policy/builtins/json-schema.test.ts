import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { str } from '../../../../src/core/policy/term.ts';
import { FREE, ask, call, limited } from '../../../support/builtin-call.ts';

type Mismatch = { readonly desc: string; readonly error: string; readonly field: string; readonly type: string };

function match(document: unknown, schema: unknown): readonly [boolean, readonly Mismatch[]] {
  return JSON.parse(ask('json.match_schema', quoted(document), quoted(schema))) as [boolean, Mismatch[]];
}

function verify(schema: unknown): readonly [boolean, string | null] {
  return JSON.parse(ask('json.verify_schema', quoted(schema))) as [boolean, string | null];
}

/** A value as JSON text in a string, which both functions take. */
function quoted(value: unknown): string {
  return JSON.stringify(JSON.stringify(value));
}

const FAILING: readonly (readonly [string, unknown, unknown, string, string])[] = [
  ['type', 1, { type: 'string' }, 'invalid_type', 'Invalid type. Expected: string, given: integer'],
  [
    'type: a list',
    true,
    { type: ['string', 'null'] },
    'invalid_type',
    'Invalid type. Expected: [string,null], given: boolean',
  ],
  [
    'type: 1.5 is no integer',
    1.5,
    { type: 'integer' },
    'invalid_type',
    'Invalid type. Expected: integer, given: number',
  ],
  ['required', {}, { required: ['a'] }, 'required', 'a is required'],
  [
    'additionalProperties',
    { a: 1 },
    { additionalProperties: false },
    'additional_property_not_allowed',
    'Additional property a is not allowed',
  ],
  ['minProperties', {}, { minProperties: 1 }, 'array_min_properties', 'Must have at least 1 properties'],
  ['maxProperties', { a: 1 }, { maxProperties: 0 }, 'array_max_properties', 'Must have at most 0 properties'],
  ['dependencies', { a: 1 }, { dependencies: { a: ['b'] } }, 'missing_dependency', 'Has a dependency on b'],
  [
    'propertyNames',
    { ab: 1 },
    { propertyNames: { maxLength: 1 } },
    'invalid_property_name',
    'Property name of "ab" does not match',
  ],
  ['minItems', [], { minItems: 1 }, 'array_min_items', 'Array must have at least 1 items'],
  ['maxItems', [1], { maxItems: 0 }, 'array_max_items', 'Array must have at most 0 items'],
  ['uniqueItems: 1 and 1.0 are one', [1, 1], { uniqueItems: true }, 'unique', 'array items[0,1] must be unique'],
  [
    'additionalItems',
    [1, 2],
    { items: [{}], additionalItems: false },
    'array_no_additional_items',
    'No additional items allowed on array',
  ],
  ['contains', [1], { contains: { type: 'string' } }, 'contains', 'At least one of the items must match'],
  [
    'minLength counts characters',
    '😀',
    { minLength: 2 },
    'string_gte',
    'String length must be greater than or equal to 2',
  ],
  ['maxLength', 'abc', { maxLength: 2 }, 'string_lte', 'String length must be less than or equal to 2'],
  ['pattern is searched for', 'abc', { pattern: '^b' }, 'pattern', "Does not match pattern '^b'"],
  ['format', 'x', { format: 'ipv4' }, 'format', "Does not match format 'ipv4'"],
  ['minimum', 0, { minimum: 1_000_000 }, 'number_gte', 'Must be greater than or equal to 1e+06'],
  ['exclusiveMinimum', 1, { exclusiveMinimum: 1 }, 'number_gt', 'Must be greater than 1'],
  ['maximum', 2, { maximum: 1.5 }, 'number_lte', 'Must be less than or equal to 1.5'],
  ['exclusiveMaximum as a boolean', 1, { maximum: 1, exclusiveMaximum: true }, 'number_lt', 'Must be less than 1'],
  ['multipleOf is exact', 0.35, { multipleOf: 0.1 }, 'multiple_of', 'Must be a multiple of 0.1'],
  ['const', 1, { const: 2 }, 'const', '(Root) does not match: 2'],
  ['enum', 'c', { enum: ['a', '<'] }, 'enum', String.raw`(Root) must be one of the following: "a", "\u003c"`],
  ['not', 1, { not: {} }, 'number_not', 'Must not validate the schema (not)'],
  ['false', 1, false, 'false', 'False always fails validation'],
  ['anyOf', 1, { anyOf: [false] }, 'number_any_of', 'Must validate at least one schema (anyOf)'],
  ['oneOf', 1, { oneOf: [{}, {}] }, 'number_one_of', 'Must validate one and only one schema (oneOf)'],
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  ['if and then', 1, { if: {}, then: false }, 'condition_then', 'Must validate "then" as "if" was valid'],
  ['if and else', 1, { if: false, else: false }, 'condition_else', 'Must validate "else" as "if" was not valid'],
];

for (const [title, document, schema, type, desc] of FAILING) {
  test(`json.match_schema: ${title}`, () => {
    const [valid, mismatches] = match(document, schema);
    assert.equal(valid, false);
    assert.deepEqual(mismatches[0], { desc, error: `(Root): ${desc}`, field: '(Root)', type });
  });
}

test('a mismatch says where: keys and positions', () => {
  const schema = { properties: { a: { items: { type: 'string' } } } };
  assert.deepEqual(
    match({ a: ['x', 1] }, schema)[1].map(({ field }) => field),
    ['a.1'],
  );
});

test('references lead within the schema, by pointer and by address', () => {
  const schema = {
    definitions: { 'a/b': { $id: '#here', minimum: 2 } },
    items: [{ $ref: '#/definitions/a~1b' }, { $ref: '#here' }],
  };
  assert.equal(match([2, 2], schema)[0], true);
  assert.equal(match([1, 1], schema)[1].length, 2);
  const tree = { properties: { child: { $ref: '#' } }, additionalProperties: false };
  assert.equal(match({ child: { child: {} } }, tree)[0], true);
  assert.equal(match({ child: { child: { x: 1 } } }, tree)[0], false);
});

test('json.verify_schema says what is wrong with a schema, and fetches nothing', () => {
  const refused: readonly (readonly [unknown, string])[] = [
    [
      { type: 'strin' },
      'has a primitive type that is NOT VALID -- given: /strin/ Expected valid values are:[array boolean integer number null object string]',
    ],
    [{ minLength: 1.5 }, 'minLength must be of an integer'],
    [{ minLength: -1 }, 'minLength must be greater than or equal to 0'],
    [{ minLength: 2, maxLength: 1 }, 'minLength cannot be greater than maxLength'],
    [{ multipleOf: 0 }, 'multipleOf must be strictly greater than 0'],
    [{ pattern: '(?=a)' }, 'pattern must be a valid regex'],
    [{ required: ['a', 'a'] }, 'required items must be unique'],
    [{ enum: [1, 1] }, 'enum items must be unique'],
    [{ $ref: '#/definitions/a' }, "Object has no key 'definitions'"],
    [{ $ref: 'https://example.org/schema.json' }, 'remote reference loading disabled: https://example.org/schema.json'],
    [{ $ref: 'file:///etc/passwd' }, 'Reference file:///etc/passwd must be canonical'],
    [
      { $schema: 'http://json-schema.org/draft-04/schema#', items: true },
      'Expected: Valid Schema, given: Invalid JSON',
    ],
    [1, 'schema is invalid'],
  ];
  for (const [schema, message] of refused) assert.deepEqual(verify(schema), [false, `jsonschema: ${message}`]);
  assert.deepEqual(verify({ type: 'object' }), [true, null]);
  assert.equal(ask('json.verify_schema', '"{"'), '[false,"jsonschema: invalid JSON string"]');
  assert.throws(() => ask('json.match_schema', '1', '{}'), BuiltinError);
});

test('a schema that leads to itself is an error, not the end', () => {
  assert.throws(() => match(1, { $ref: '#' }), /nested too deeply/);
  assert.throws(() => match(1, { allOf: [{ $ref: '#' }] }), /nested too deeply/);
  const chain = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, at) => [`d${at}`, { $ref: `#/definitions/d${at + 1}` }]),
  );
  assert.throws(() => match(1, { definitions: chain, $ref: '#/definitions/d0' }), /nested too deeply/);
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  assert.throws(() => ask('json.match_schema', JSON.stringify(deep), '"{}"'), /too deeply/);
});

test('branches of branches are paid for', () => {
  let schema: unknown = { type: 'string' };
  for (let at = 0; at < 40; at += 1) schema = { definitions: { d: schema }, anyOf: [{ $ref: '#/x' }] };
  const doubling = Object.fromEntries(
    Array.from({ length: 40 }, (_, at) => [
      `d${at}`,
      { allOf: [{ $ref: `#/definitions/d${at + 1}` }, { $ref: `#/definitions/d${at + 1}` }] },
    ]),
  );
  const text = str(JSON.stringify({ definitions: { ...doubling, d40: {} }, $ref: '#/definitions/d0' }));
  assert.throws(() => call('json.match_schema', [str('1'), text], limited(200_000_000)), EvaluationHalt);
  assert.equal(verify(schema)[0], false);
});

test('a pattern takes linear time', () => {
  const context = { ...FREE };
  const answer = call(
    'json.match_schema',
    [str(JSON.stringify(`${'a'.repeat(5_000)}b`)), str('{"pattern": "^(a+)+$"}')],
    context,
  );
  assert.ok(answer.kind === 'array');
  assert.deepEqual(answer.items[0], { kind: 'boolean', value: false });
});

test('a value matches the schema that describes it, and its negation never does', () => {
  const describe = (value: unknown): unknown => {
    if (Array.isArray(value))
      return { type: 'array', items: value.map(describe), additionalItems: false, minItems: value.length };
    if (typeof value === 'object' && value !== null)
      return {
        type: 'object',
        properties: Object.fromEntries(Object.entries(value).map(([key, one]) => [key, describe(one)])),
        required: Object.keys(value),
        additionalProperties: false,
      };
    return { const: value };
  };
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      assert.deepEqual(match(value, describe(value)), [true, []]);
      assert.equal(match(value, { not: describe(value) })[0], false);
    }),
  );
});
