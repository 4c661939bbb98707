import { jsonSchemaOf } from './json-schema.ts';
import { nearest } from '../kernel/nearest.ts';

import type { JsonSchema } from './json-schema.ts';
import type { ConfigPath, Finding } from './mistake.ts';
import type { core, ZodType } from 'zod';

/** What `schema` found wrong, in our words. */
export function schemaFindings(issues: readonly core.$ZodIssue[], schema: ZodType): readonly Finding[] {
  return issues.flatMap((issue) => findings(issue, [], schema));
}

function findings(issue: core.$ZodIssue, base: ConfigPath, schema: ZodType): readonly Finding[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, schema));
  if (issue.code === 'invalid_union') return unionFindings(issue, path, schema);
  if (issue.code === 'invalid_key') {
    return [{ path, expected: issue.issues[0]?.message ?? issue.message, found: JSON.stringify(path.at(-1)) }];
  }
  return [{ path, expected: issue.message }];
}

/** Of several forms, the one that the writer was closest to: the one whose mistakes lie deepest. */
function unionFindings(issue: core.$ZodIssueInvalidUnion, path: ConfigPath, schema: ZodType): readonly Finding[] {
  const deepest = issue.errors.find((branch) =>
    branch.some((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'),
  );
  if (deepest === undefined) return [{ path, expected: issue.message }];
  return deepest.flatMap((inner) => findings(inner, path, schema));
}

function unknownKey(path: ConfigPath, key: string, schema: ZodType): Finding {
  const known = knownKeys(path, jsonSchemaOf(schema));
  const meant = nearest(key, known);
  const finding = {
    path: [...path, key],
    expected: `one of ${known.join(', ')}`,
    found: `the unknown key ${JSON.stringify(key)}`,
  };
  return meant === undefined ? finding : { ...finding, hint: `did you mean ${meant}?` };
}

/** The keys that a schema knows at `path`. */
function knownKeys(path: ConfigPath, root: JsonSchema): readonly string[] {
  let schema: JsonSchema | undefined = root;
  for (const part of path) {
    const forms: readonly JsonSchema[] = [schema, ...(schema?.anyOf ?? [])].filter((form) => form !== undefined);
    schema = forms.map((form) => child(form, part)).find((form) => form !== undefined);
  }
  return [schema, ...(schema?.anyOf ?? [])].flatMap((form) => Object.keys(form?.properties ?? {}));
}

function child(schema: JsonSchema, part: string | number): JsonSchema | undefined {
  if (typeof part === 'number') return schema.items;
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, part)) return schema.properties[part];
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}
