import { BuiltinError } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { NULL, arr, bool, str } from '../term.ts';
import type { Term } from '../term.ts';
import { compileSchema } from './json-schema-compile.ts';
import { SchemaError } from './json-schema-error.ts';
import { mismatchTerms } from './json-schema-result.ts';
import { validateSchema } from './json-schema-validate.ts';
import { JsonError, jsonTerm, parseJson } from './json-term.ts';

/** A document or schema: JSON text, or an object or array. */
function documentOf(term: Term | undefined): Term {
  if (term?.kind === 'string') return parseJson(term.value);
  if (term?.kind === 'object' || term?.kind === 'array') return jsonTerm(term);
  throw new SchemaError('wrong type, expected string or object');
}

/** `json.verify_schema`: whether a schema is one, and if not, why. What is too large to be judged is an error. */
function verify([schema]: readonly Term[], context: BuiltinContext): Term {
  try {
    compileSchema(documentOf(schema), context);
    return arr([bool(true), NULL]);
  } catch (problem) {
    if (problem instanceof SchemaError || problem instanceof JsonError)
      return arr([bool(false), str(`jsonschema: ${problem.message}`)]);
    throw problem;
  }
}

function match([document, schema]: readonly Term[], context: BuiltinContext): Term {
  if (document === undefined || schema === undefined) throw new BuiltinError('an operand is missing');
  const value = documentOf(document);
  const result = validateSchema(compileSchema(documentOf(schema), context), value, context);
  return arr([bool(result.valid), mismatchTerms(result)]);
}

/** JSON Schema, drafts 4, 6 and 7. Nothing is fetched: a reference to a schema elsewhere is refused. */
export const JSON_SCHEMA_BUILTINS: Readonly<Record<string, Builtin>> = {
  'json.match_schema': { arity: 2, call: match },
  'json.verify_schema': { arity: 1, call: verify },
};
