import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { compareNumbers } from '../number-text.ts';
import { str } from '../term.ts';
import type { Term } from '../term.ts';
import { bigFloatText, isMultiple, isWhole } from './json-number.ts';
import { plainJson } from './json-schema-compile.ts';
import { hasFormat } from './json-schema-format.ts';
import type { NumberKeyword, SchemaNode, SizeKeyword } from './json-schema-node.ts';
import { SchemaResult, fieldName } from './json-schema-result.ts';
import { members } from './json-term.ts';
import { weigh } from './term-weight.ts';

type Path = readonly string[];

/** Steps of one value against one schema, of each name that is looked up, and of each character of a value that is compared. */
const SCHEMA_STEPS = 40_000;
const NAME_STEPS = 2_000;
const CHARACTER_STEPS = 800;
/** Values within values and schemas within schemas. */
const MAX_DEPTH = 800;

const NUMBER_RULES: readonly (readonly [NumberKeyword, string, string, (order: number) => boolean])[] = [
  ['maximum', 'number_lte', 'Must be less than or equal to', (order) => order <= 0],
  ['exclusiveMaximum', 'number_lt', 'Must be less than', (order) => order < 0],
  ['minimum', 'number_gte', 'Must be greater than or equal to', (order) => order >= 0],
  ['exclusiveMinimum', 'number_gt', 'Must be greater than', (order) => order > 0],
];

/** Judges a document of JSON kinds by a schema, in the order and the words of OPA's library. */
export function validateSchema(schema: SchemaNode, document: Term, context: BuiltinContext): SchemaResult {
  const result = new SchemaResult();
  new Validator(context).check(schema, document, result, []);
  return result;
}

class Validator {
  readonly #context: BuiltinContext;
  #depth = 0;

  constructor(context: BuiltinContext) {
    this.#context = context;
  }

  check(schema: SchemaNode, value: Term, result: SchemaResult, path: Path): void {
    this.#context.charge(SCHEMA_STEPS);
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new BuiltinError('schema and document are nested too deeply');
    if (schema.allows !== undefined) {
      if (!schema.allows) result.add('false', path, 'False always fails validation');
    } else if (schema.target !== undefined) this.check(schema.target, value, result, path);
    else this.#own(schema, value, result, path);
    this.#depth -= 1;
  }

  #apart(schema: SchemaNode, value: Term, path: Path): SchemaResult {
    const result = new SchemaResult();
    this.check(schema, value, result, path);
    return result;
  }

  #own(schema: SchemaNode, value: Term, result: SchemaResult, path: Path): void {
    const given = typeOf(value);
    const accepted = schema.types.includes(given) || (given === 'integer' && schema.types.includes('number'));
    if (schema.types.length > 0 && !accepted) {
      const expected = schema.types.length > 1 ? `[${schema.types.join(',')}]` : schema.types[0];
      return result.add('invalid_type', path, `Invalid type. Expected: ${expected}, given: ${given}`);
    }
    this.#combined(schema, value, result, path);
    if (value.kind === 'number') this.#number(schema, value.text, result, path);
    if (value.kind === 'array') this.#array(schema, value.items, result, path);
    if (value.kind === 'object') this.#object(schema, value, result, path);
    this.#common(schema, value, result, path);
    if (value.kind === 'string') this.#string(schema, value.value, result, path);
    if (value.kind === 'object') this.#properties(schema, value, result, path);
    result.score += 1;
  }

  #properties(schema: SchemaNode, value: Term, result: SchemaResult, path: Path): void {
    const fields = members(value);
    for (const property of schema.properties) {
      const field = fields.get(property.property);
      if (field !== undefined) this.check(property, field, result, [...path, property.property]);
    }
  }

  #combined(schema: SchemaNode, value: Term, result: SchemaResult, path: Path): void {
    if (schema.anyOf.length > 0) this.#anyOf(schema.anyOf, value, result, path);
    if (schema.oneOf.length > 0) this.#oneOf(schema.oneOf, value, result, path);
    if (schema.allOf.length > 0) this.#allOf(schema.allOf, value, result, path);
    if (schema.not !== undefined && this.#apart(schema.not, value, path).valid)
      result.add('number_not', path, 'Must not validate the schema (not)');
    if (schema.dependencies.size > 0 && value.kind === 'object') this.#dependencies(schema, value, result, path);
    if (schema.if !== undefined) this.#condition(schema, schema.if, value, result, path);
    result.score += 1;
  }

  #anyOf(schemas: readonly SchemaNode[], value: Term, result: SchemaResult, path: Path): void {
    let best: SchemaResult | undefined;
    for (const schema of schemas) {
      const found = this.#apart(schema, value, path);
      if (found.valid) return;
      best = nearer(best, found);
    }
    result.add('number_any_of', path, 'Must validate at least one schema (anyOf)');
    if (best !== undefined) result.merge(best);
  }

  #oneOf(schemas: readonly SchemaNode[], value: Term, result: SchemaResult, path: Path): void {
    let best: SchemaResult | undefined;
    let matching = 0;
    for (const schema of schemas) {
      const found = this.#apart(schema, value, path);
      if (found.valid) matching += 1;
      else if (matching === 0) best = nearer(best, found);
    }
    if (matching === 1) return;
    result.add('number_one_of', path, 'Must validate one and only one schema (oneOf)');
    if (matching === 0 && best !== undefined) result.merge(best);
  }

  #allOf(schemas: readonly SchemaNode[], value: Term, result: SchemaResult, path: Path): void {
    const found = schemas.map((schema) => this.#apart(schema, value, path));
    for (const one of found) result.merge(one);
    if (found.some((one) => !one.valid)) result.add('number_all_of', path, 'Must validate all the schemas (allOf)');
  }

  #dependencies(schema: SchemaNode, value: Term, result: SchemaResult, path: Path): void {
    const fields = members(value);
    for (const name of fields.keys()) {
      const dependency = schema.dependencies.get(name);
      if (dependency === undefined) continue;
      if ('property' in dependency) this.check(dependency, value, result, path);
      else
        for (const other of dependency)
          if (!fields.has(other)) result.add('missing_dependency', path, `Has a dependency on ${other}`);
    }
  }

  #condition(schema: SchemaNode, condition: SchemaNode, value: Term, result: SchemaResult, path: Path): void {
    const holds = this.#apart(condition, value, path).valid;
    const branch = holds ? schema.then : schema.else;
    const found = branch === undefined ? undefined : this.#apart(branch, value, path);
    if (found === undefined || found.valid) return;
    if (holds) result.add('condition_then', path, 'Must validate "then" as "if" was valid');
    else result.add('condition_else', path, 'Must validate "else" as "if" was not valid');
    result.merge(found);
  }

  #common(schema: SchemaNode, value: Term, result: SchemaResult, path: Path): void {
    if (schema.constant !== undefined && this.#json(value) !== schema.constant)
      result.add('const', path, `${fieldName(path)} does not match: ${schema.constant}`);
    if (schema.enumeration !== undefined && !schema.enumeration.includes(this.#json(value)))
      result.add('enum', path, `${fieldName(path)} must be one of the following: ${schema.enumeration.join(', ')}`);
    if (schema.format !== undefined && value.kind === 'string' && !hasFormat(schema.format, value.value, this.#context))
      result.add('format', path, `Does not match format '${schema.format}'`);
    result.score += 1;
  }

  #json(value: Term): string {
    this.#context.charge(weigh(value).size * CHARACTER_STEPS);
    return plainJson(value);
  }

  #number(schema: SchemaNode, text: string, result: SchemaResult, path: Path): void {
    const { multipleOf } = schema.numbers;
    if (multipleOf !== undefined && !isMultiple(text, multipleOf))
      result.add('multiple_of', path, `Must be a multiple of ${bigFloatText(multipleOf)}`);
    for (const [key, type, sentence, holds] of NUMBER_RULES) {
      const bound = schema.numbers[key];
      if (bound !== undefined && !holds(compareNumbers(text, bound)))
        result.add(type, path, `${sentence} ${bigFloatText(bound)}`);
    }
    result.score += 1;
  }

  #string(schema: SchemaNode, text: string, result: SchemaResult, path: Path): void {
    const { minLength, maxLength } = schema.sizes;
    const length = Array.from(text).length;
    if (minLength !== undefined && length < minLength)
      result.add('string_gte', path, `String length must be greater than or equal to ${minLength}`);
    if (maxLength !== undefined && length > maxLength)
      result.add('string_lte', path, `String length must be less than or equal to ${maxLength}`);
    if (schema.pattern !== undefined && !schema.pattern.regex.test(text, this.#context))
      result.add('pattern', path, `Does not match pattern '${schema.pattern.source}'`);
    result.score += 1;
  }

  #array(schema: SchemaNode, items: readonly Term[], result: SchemaResult, path: Path): void {
    this.#items(schema, items, result, path);
    const { minItems, maxItems } = schema.sizes;
    if (minItems !== undefined && items.length < minItems)
      result.add('array_min_items', path, `Array must have at least ${minItems} items`);
    if (maxItems !== undefined && items.length > maxItems)
      result.add('array_max_items', path, `Array must have at most ${maxItems} items`);
    if (schema.uniqueItems) this.#unique(items, result, path);
    if (schema.contains !== undefined) this.#contains(schema.contains, items, result, path);
    result.score += 1;
  }

  #items(schema: SchemaNode, items: readonly Term[], result: SchemaResult, path: Path): void {
    const { items: own, additionalItems } = schema;
    if (own === undefined) return;
    const schemas = 'property' in own ? items.map(() => own) : own;
    if (schemas.length === 0) return;
    for (const [at, item] of items.entries()) {
      const one = schemas[at] ?? (typeof additionalItems === 'object' ? additionalItems : undefined);
      if (one !== undefined) result.merge(this.#apart(one, item, [...path, String(at)]));
    }
    if (additionalItems === false && schemas.length < items.length)
      result.add('array_no_additional_items', path, 'No additional items allowed on array');
  }

  #unique(items: readonly Term[], result: SchemaResult, path: Path): void {
    const seen = new Map<string, number>();
    for (const [at, item] of items.entries()) {
      const text = this.#json(item);
      const before = seen.get(text);
      if (before !== undefined) result.add('unique', path, `array items[${before},${at}] must be unique`);
      seen.set(text, at);
    }
  }

  #contains(schema: SchemaNode, items: readonly Term[], result: SchemaResult, path: Path): void {
    let best: SchemaResult | undefined;
    for (const [at, item] of items.entries()) {
      const found = this.#apart(schema, item, [...path, String(at)]);
      if (found.valid) return;
      best = nearer(best, found);
    }
    result.add('contains', path, 'At least one of the items must match');
    if (best !== undefined) result.merge(best);
  }

  #object(schema: SchemaNode, value: Term, result: SchemaResult, path: Path): void {
    const fields = members(value);
    this.#context.charge(fields.size * (1 + schema.properties.length) * NAME_STEPS);
    this.#sizes(schema.sizes, fields.size, result, path);
    for (const name of schema.required) {
      if (fields.has(name)) result.score += 1;
      else result.add('required', path, `${name} is required`);
    }
    for (const [name, field] of fields) this.#field(schema, name, field, result, path);
    if (schema.propertyNames !== undefined)
      for (const name of fields.keys()) this.#name(schema.propertyNames, name, result, path);
    result.score += 1;
  }

  #sizes(sizes: Partial<Record<SizeKeyword, number>>, count: number, result: SchemaResult, path: Path): void {
    const { minProperties, maxProperties } = sizes;
    if (minProperties !== undefined && count < minProperties)
      result.add('array_min_properties', path, `Must have at least ${minProperties} properties`);
    if (maxProperties !== undefined && count > maxProperties)
      result.add('array_max_properties', path, `Must have at most ${maxProperties} properties`);
  }

  #field(schema: SchemaNode, name: string, field: Term, result: SchemaResult, path: Path): void {
    const known = schema.properties.some((property) => property.property === name);
    const patterns = schema.patternProperties.filter(({ pattern }) => pattern.test(name, this.#context));
    for (const one of patterns) result.merge(this.#apart(one.schema, field, [...path, name]));
    if (patterns.length > 0) result.score += 1;
    if (known || patterns.length > 0) return;
    const { additionalProperties } = schema;
    if (additionalProperties === false)
      result.add('additional_property_not_allowed', path, `Additional property ${name} is not allowed`);
    else if (typeof additionalProperties === 'object')
      result.merge(this.#apart(additionalProperties, field, [...path, name]));
  }

  #name(schema: SchemaNode, name: string, result: SchemaResult, path: Path): void {
    const found = this.#apart(schema, str(name), path);
    if (found.valid) return;
    result.add('invalid_property_name', path, `Property name of "${name}" does not match`);
    result.merge(found);
  }
}

function nearer(best: SchemaResult | undefined, found: SchemaResult): SchemaResult {
  return best === undefined || found.score > best.score ? found : best;
}

function typeOf(value: Term): string {
  if (value.kind === 'number') return isWhole(value.text) ? 'integer' : 'number';
  return value.kind;
}
