import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import type { Term } from '../term.ts';
import { goJson } from './go-json.ts';
import { parseUrl, urlText } from './go-url.ts';
import { doubleText, isPositive, plainInteger } from './json-number.ts';
import { SchemaError, invalidType } from './json-schema-error.ts';
import { emptyNode } from './json-schema-node.ts';
import type { Draft, NumberKeyword, SchemaNode, SizeKeyword } from './json-schema-node.ts';
import { SchemaPool } from './json-schema-pool.ts';
import { members, record } from './json-term.ts';
import { Regex } from './re2.ts';

type Fields = ReadonlyMap<string, Term>;

/** Steps of one schema, and of each of its keywords. */
const SCHEMA_STEPS = 40_000;
const KEYWORD_STEPS = 4_000;
/** Schemas within schemas, `$ref` counted. */
const MAX_DEPTH = 300;
const TYPES: readonly string[] = ['array', 'boolean', 'integer', 'number', 'null', 'object', 'string'];
const DRAFTS: ReadonlyMap<string, Draft> = new Map<string, Draft>([
  ['http://json-schema.org/draft-04/schema', 4],
  ['http://json-schema.org/draft-06/schema', 6],
  ['http://json-schema.org/draft-07/schema', 7],
]);
const SIZE_PAIRS = [
  ['minLength', 'maxLength'],
  ['minProperties', 'maxProperties'],
  ['minItems', 'maxItems'],
] as const satisfies readonly (readonly [SizeKeyword, SizeKeyword])[];

/** Compiles a JSON Schema of draft 4, 6 or 7, as OPA's library does, keyword by keyword; SchemaError where it refuses. Schemas elsewhere are not fetched. */
export function compileSchema(document: Term, context: BuiltinContext): SchemaNode {
  const pool = new SchemaPool(document);
  return new Compiler(pool, draftOf(document), context).compile(pool.root, '(Root)', 0);
}

function draftOf(document: Term): Draft {
  if (document.kind === 'boolean') return 'hybrid';
  if (document.kind !== 'object') throw new SchemaError('schema is invalid');
  const url = members(document).get('$schema');
  if (url === undefined) return 'hybrid';
  if (url.kind !== 'string') throw new SchemaError('$schema must be of type string');
  return DRAFTS.get(urlText(parseReference(url.value)).replace(/#$/, '')) ?? 'hybrid';
}

function parseReference(text: string): ReturnType<typeof parseUrl> {
  try {
    return parseUrl(text);
  } catch (problem) {
    if (problem instanceof BuiltinError) throw new SchemaError(`parse "${text}": ${problem.message}`);
    throw problem;
  }
}

class Compiler {
  readonly #pool: SchemaPool;
  readonly #draft: Draft;
  readonly #context: BuiltinContext;
  readonly #references = new Map<string, SchemaNode>();

  constructor(pool: SchemaPool, draft: Draft, context: BuiltinContext) {
    this.#pool = pool;
    this.#draft = draft;
    this.#context = context;
  }

  compile(document: Term, property: string, depth: number): SchemaNode {
    return this.#fill(emptyNode(property), document, depth);
  }

  #fill(node: SchemaNode, document: Term, depth: number): SchemaNode {
    if (depth > MAX_DEPTH) throw new BuiltinError('a schema is nested too deeply');
    if (document.kind === 'boolean' && this.#draft !== 4) node.allows = document.value;
    else if (document.kind === 'object') this.#object(node, members(document), depth + 1);
    else throw new SchemaError('Expected: Valid Schema, given: Invalid JSON');
    return node;
  }

  #object(node: SchemaNode, fields: Fields, depth: number): void {
    this.#context.charge(SCHEMA_STEPS + fields.size * KEYWORD_STEPS);
    this.#identity(fields);
    this.#definitions(fields, depth);
    stringOf(fields, 'title');
    stringOf(fields, 'description');
    if (this.#reference(node, fields, depth)) return;
    typesOf(node, fields);
    this.#objects(node, fields, depth);
    this.#items(node, fields, depth);
    this.#numbers(node, fields);
    this.#sizesAndText(node, fields);
    if (this.#draft !== 4) node.contains = this.#optional(fields, 'contains', depth, () => undefined);
    this.#values(node, fields);
    this.#combined(node, fields, depth);
  }

  #identity(fields: Fields): void {
    const old = this.#draft === 4 || (this.#draft === 'hybrid' && fields.has('id'));
    const id = stringOf(fields, old ? 'id' : '$id');
    if (id !== undefined) parseReference(id);
  }

  #definitions(fields: Fields, depth: number): void {
    const definitions = fields.get('definitions');
    if (definitions === undefined) return;
    if (definitions.kind !== 'object') throw invalidType('Array Of Schemas', 'definitions');
    for (const definition of members(definitions).values()) {
      if (!isSchema(definition)) throw invalidType('Array Of Schemas', 'definitions');
      this.compile(definition, 'definitions', depth);
    }
  }

  /** True where `$ref` leads to a schema that is compiled now: the other keywords are not looked at. */
  #reference(node: SchemaNode, fields: Fields, depth: number): boolean {
    const reference = stringOf(fields, '$ref');
    if (reference === undefined) return false;
    parseReference(reference);
    const known = this.#references.get(reference);
    if (known !== undefined) {
      node.target = known;
      return false;
    }
    const target = emptyNode('$ref');
    this.#references.set(reference, target);
    const document = this.#pool.get(reference);
    if (!isSchema(document)) throw new SchemaError('Valid Schema must be of type object');
    node.target = this.#fill(target, document, depth);
    return true;
  }

  #objects(node: SchemaNode, fields: Fields, depth: number): void {
    const properties = fields.get('properties');
    if (properties !== undefined) {
      if (properties.kind !== 'object') throw new SchemaError('Properties must be of type object');
      node.properties = Array.from(members(properties), ([name, one]) => this.compile(one, name, depth));
    }
    node.additionalProperties = this.#booleanOrSchema(fields, 'additionalProperties', depth);
    this.#patternProperties(node, fields, depth);
    if (this.#draft !== 4)
      node.propertyNames = this.#optional(fields, 'propertyNames', depth, () =>
        invalidType('Valid Schema', 'patternProperties'),
      );
    this.#dependencies(node, fields, depth);
  }

  #patternProperties(node: SchemaNode, fields: Fields, depth: number): void {
    const patterns = fields.get('patternProperties');
    if (patterns === undefined) return;
    if (patterns.kind !== 'object') throw invalidType('Valid Schema', 'patternProperties');
    for (const [source, schema] of members(patterns)) {
      const pattern = this.#regex(source, `Invalid regex pattern '${source}'`);
      node.patternProperties.push({ pattern, schema: this.compile(schema, source, depth) });
    }
  }

  #regex(source: string, refusal: string): Regex {
    try {
      return Regex.of(source, this.#context);
    } catch (problem) {
      if (problem instanceof BuiltinError) throw new SchemaError(refusal);
      throw problem;
    }
  }

  #dependencies(node: SchemaNode, fields: Fields, depth: number): void {
    const dependencies = fields.get('dependencies');
    if (dependencies === undefined) return;
    if (dependencies.kind !== 'object') throw new SchemaError('dependencies must be of type object');
    for (const [name, one] of members(dependencies)) {
      if (isSchema(one)) node.dependencies.set(name, this.compile(one, name, depth));
      else node.dependencies.set(name, dependencyNames(one));
    }
  }

  #items(node: SchemaNode, fields: Fields, depth: number): void {
    const items = fields.get('items');
    if (items?.kind === 'array') node.items = items.items.map((item) => this.#item(item, depth));
    else if (items !== undefined) node.items = this.#item(items, depth);
    node.additionalItems = this.#booleanOrSchema(fields, 'additionalItems', depth);
  }

  #item(item: Term, depth: number): SchemaNode {
    if (!isSchema(item)) throw invalidType('Valid Schema/Array Of Schemas', 'items');
    return this.compile(item, 'items', depth);
  }

  #booleanOrSchema(fields: Fields, key: string, depth: number): boolean | SchemaNode | undefined {
    const value = fields.get(key);
    if (value === undefined) return undefined;
    if (value.kind === 'boolean') return value.value;
    if (value.kind !== 'object') throw invalidType('boolean/Valid Schema', key);
    return this.compile(value, key, depth);
  }

  /** A schema under a keyword; `refusal` gives the error for what is none, where that is not the one of schemas in general. */
  #optional(
    fields: Fields,
    key: string,
    depth: number,
    refusal: () => SchemaError | undefined,
  ): SchemaNode | undefined {
    const value = fields.get(key);
    if (value === undefined) return undefined;
    const error = isSchema(value) ? undefined : refusal();
    if (error !== undefined) throw error;
    return this.compile(value, key, depth);
  }

  #numbers(node: SchemaNode, fields: Fields): void {
    const multiple = fields.get('multipleOf');
    if (multiple !== undefined) {
      if (multiple.kind !== 'number') throw invalidType('Number', 'multipleOf');
      if (!isPositive(multiple.text)) throw new SchemaError('multipleOf must be strictly greater than 0');
      node.numbers.multipleOf = multiple.text;
    }
    this.#bound(node, fields, 'minimum', 'exclusiveMinimum');
    this.#bound(node, fields, 'maximum', 'exclusiveMaximum');
  }

  /** Draft 4's exclusive bounds are booleans that change the other bound, later drafts' are bounds; without a draft they may be either. */
  #bound(node: SchemaNode, fields: Fields, key: 'minimum' | 'maximum', exclusive: NumberKeyword): void {
    const bound = fields.get(key);
    if (bound !== undefined && bound.kind !== 'number') throw new SchemaError(`${key} must be of a Number`);
    if (bound !== undefined) node.numbers[key] = bound.text;
    const other = fields.get(exclusive);
    if (other === undefined) return;
    if (other.kind === 'number' && this.#draft !== 4) node.numbers[exclusive] = other.text;
    else if (other.kind === 'boolean' && (this.#draft === 4 || this.#draft === 'hybrid')) {
      if (bound === undefined) throw new SchemaError(`${exclusive} cannot be used without ${key}`);
      if (other.value) node.numbers[exclusive] = bound.text;
      if (other.value) delete node.numbers[key];
    } else {
      throw invalidType({ 4: 'boolean', 6: 'number', 7: 'number', hybrid: 'boolean/number' }[this.#draft], exclusive);
    }
  }

  #sizesAndText(node: SchemaNode, fields: Fields): void {
    const [lengths, properties, items] = SIZE_PAIRS;
    sizesOf(node, fields, lengths, 'minLength cannot be greater than maxLength');
    const pattern = stringOf(fields, 'pattern');
    if (pattern !== undefined)
      node.pattern = { source: pattern, regex: this.#regex(pattern, 'pattern must be a valid regex') };
    node.format = stringOf(fields, 'format');
    sizesOf(node, fields, properties, 'minProperties cannot be greater than maxProperties');
    node.required = requiredOf(fields);
    sizesOf(node, fields, items, undefined);
    const unique = fields.get('uniqueItems');
    if (unique !== undefined && unique.kind !== 'boolean') throw new SchemaError('uniqueItems must be of a boolean');
    node.uniqueItems = unique?.value === true;
  }

  #values(node: SchemaNode, fields: Fields): void {
    const constant = fields.get('const');
    if (constant !== undefined && this.#draft !== 4) node.constant = plainJson(constant);
    const values = listOf(fields, 'enum')?.map(plainJson);
    if (values !== undefined && new Set(values).size < values.length)
      throw new SchemaError('enum items must be unique');
    node.enumeration = values;
  }

  #combined(node: SchemaNode, fields: Fields, depth: number): void {
    for (const key of ['oneOf', 'anyOf', 'allOf'] as const) {
      node[key] = (listOf(fields, key) ?? []).map((one) => this.compile(one, key, depth));
    }
    const keys = this.#draft === 4 || this.#draft === 6 ? (['not'] as const) : (['not', 'if', 'then', 'else'] as const);
    for (const key of keys)
      node[key] = this.#optional(fields, key, depth, () => new SchemaError(`${key} must be of an object`));
  }
}

/** A value as JSON whose numbers are doubles, which is how OPA's library compares values: `1`, `1.0` and `1e0` are one. */
export function plainJson(value: Term): string {
  return goJson(withDoubles(value));
}

function withDoubles(value: Term): Term {
  if (value.kind === 'number') return { kind: 'number', text: doubleText(value.text) };
  if (value.kind === 'array') return { kind: 'array', items: value.items.map(withDoubles) };
  if (value.kind === 'object')
    return record(Array.from(members(value), ([key, one]) => [key, withDoubles(one)] as const));
  return value;
}

function isSchema(value: Term): boolean {
  return value.kind === 'object' || value.kind === 'boolean';
}

function stringOf(fields: Fields, key: string): string | undefined {
  const value = fields.get(key);
  if (value === undefined || value.kind === 'string') return value?.value;
  throw invalidType('string', key);
}

function listOf(fields: Fields, key: string): readonly Term[] | undefined {
  const value = fields.get(key);
  if (value === undefined || value.kind === 'array') return value?.items;
  throw new SchemaError(`${key} must be of an array`);
}

function typesOf(node: SchemaNode, fields: Fields): void {
  const type = fields.get('type');
  if (type === undefined) return;
  for (const one of type.kind === 'array' ? type.items : [type]) {
    if (one.kind !== 'string') throw invalidType('type', 'string/Array Of Strings');
    if (!TYPES.includes(one.value))
      throw new SchemaError(
        `has a primitive type that is NOT VALID -- given: /${one.value}/ Expected valid values are:[${TYPES.join(' ')}]`,
      );
    if (node.types.includes(one.value)) throw new SchemaError(`${one.value} type is duplicated`);
    node.types.push(one.value);
  }
}

function sizesOf(
  node: SchemaNode,
  fields: Fields,
  keys: readonly [SizeKeyword, SizeKeyword],
  crossed: string | undefined,
): void {
  for (const key of keys) {
    const value = fields.get(key);
    if (value === undefined) continue;
    const size = value.kind === 'number' ? plainInteger(value.text) : undefined;
    if (size === undefined) throw new SchemaError(`${key} must be of an integer`);
    if (size < 0) throw new SchemaError(`${key} must be greater than or equal to 0`);
    node.sizes[key] = size;
  }
  const [least = 0, most = Number.POSITIVE_INFINITY] = keys.map((key) => node.sizes[key]);
  if (crossed !== undefined && least > most) throw new SchemaError(crossed);
}

function requiredOf(fields: Fields): string[] {
  const names: string[] = [];
  for (const one of listOf(fields, 'required') ?? []) {
    if (one.kind !== 'string') throw invalidType('string', 'required');
    if (names.includes(one.value)) throw new SchemaError('required items must be unique');
    names.push(one.value);
  }
  return names;
}

function dependencyNames(value: Term): readonly string[] {
  if (value.kind === 'array' && value.items.every((item) => item.kind === 'string'))
    return value.items.flatMap((item) => (item.kind === 'string' ? [item.value] : []));
  throw new SchemaError('Dependency must be of type Schema Or Array Of Strings');
}
