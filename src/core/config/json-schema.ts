import * as z from 'zod';

import { authoritySchema } from './authority-schema.ts';
import { injectorSchema } from './injector-schema.ts';
import { configSchema } from './schema.ts';

/** The parts of JSON Schema (2020-12) that our schema uses. */
export type JsonSchema = {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly propertyNames?: JsonSchema;
};

const made = new WeakMap<z.ZodType, JsonSchema>();

/** The configuration file as JSON Schema 2020-12, for editors and charts: forms and ranges; what no single key shows is checked by `loadConfig` only. */
export function configJsonSchema(): JsonSchema {
  return jsonSchemaOf(configSchema);
}

/** The authority's configuration file likewise. */
export function authorityJsonSchema(): JsonSchema {
  return jsonSchemaOf(authoritySchema);
}

/** The injector's configuration file likewise. */
export function injectorJsonSchema(): JsonSchema {
  return jsonSchemaOf(injectorSchema);
}

/** A file of settings as JSON Schema 2020-12; made once. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const held = made.get(schema) ?? (z.toJSONSchema(schema, { io: 'input' }) as JsonSchema);
  made.set(schema, held);
  return held;
}
