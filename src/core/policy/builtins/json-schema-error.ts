import { BuiltinError } from '../builtin.ts';

/** A schema that cannot be used, in the words of OPA's JSON Schema library (internal/gojsonschema/locales.go), which `json.verify_schema` answers. */
export class SchemaError extends BuiltinError {}

/** The error for a keyword of the wrong type. */
export function invalidType(expected: string, given: string): SchemaError {
  return new SchemaError(`Invalid type. Expected: ${expected}, given: ${given}`);
}
