import { authorityJsonSchema, configJsonSchema, injectorJsonSchema } from './json-schema.ts';

import type { JsonSchema } from './json-schema.ts';

/** One row of the reference. `path` has `[]` for list items and `.NAME` for keys that the writer chooses. */
export type ReferenceRow = {
  readonly path: string;
  readonly form: string;
  /** As JSON; undefined where the key has to be given, or is simply absent. */
  readonly fallback: string | undefined;
  readonly required: boolean;
  readonly meaning: string;
};

/** The reference documentation of the configuration file as a Markdown table, made from the schema. */
export function configReference(): string {
  return table(referenceRows());
}

/** The authority's configuration file likewise. */
export function authorityReference(): string {
  return table(referenceRows(authorityJsonSchema()));
}

/** The injector's configuration file likewise. */
export function injectorReference(): string {
  return table(referenceRows(injectorJsonSchema()));
}

function table(referenced: readonly ReferenceRow[]): string {
  const rows = referenced.map(({ path, form, fallback, required, meaning }) => {
    const standard = fallback === undefined ? (required ? 'required' : '') : `\`${fallback}\``;
    return `| \`${path}\` | ${cell(form)} | ${cell(standard)} | ${cell(meaning)} |`;
  });
  return ['| key | value | default | meaning |', '|---|---|---|---|', ...rows, ''].join('\n');
}

/** All keys in the order of the schema; of the sidecar's file without one. */
export function referenceRows(schema: JsonSchema = configJsonSchema()): readonly ReferenceRow[] {
  return below(schema, '');
}

function below(schema: JsonSchema, prefix: string): readonly ReferenceRow[] {
  const forms = (schema.anyOf ?? []).flatMap((form) => below(form, prefix));
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return [row(path, inner, schema.required?.includes(key) ?? false), ...below(inner, path)];
  });
  const item = schema.items === undefined ? [] : below(schema.items, `${prefix}[]`);
  const value =
    typeof schema.additionalProperties === 'object' ? below(schema.additionalProperties, `${prefix}.NAME`) : [];
  return [...own, ...forms, ...item, ...value];
}

function row(path: string, schema: JsonSchema, required: boolean): ReferenceRow {
  const fallback =
    schema.default === undefined || isEmptyMap(schema.default) ? undefined : JSON.stringify(schema.default);
  return { path, form: form(schema), fallback, required, meaning: schema.description ?? '' };
}

function form(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${String(word)}\``).join(', ');
  if (schema.properties !== undefined) return 'map';
  if (schema.items !== undefined) return schema.items.properties === undefined ? 'list' : 'list of maps';
  if (typeof schema.additionalProperties === 'object') return 'map of names';
  if (schema.anyOf !== undefined) return unionForm(schema.anyOf);
  return stringForm(schema);
}

function unionForm(forms: readonly JsonSchema[]): string {
  const number = forms.find((inner) => inner.type === 'integer');
  if (number !== undefined) return `${number.minimum} to ${number.maximum}`;
  if (forms.some((inner) => inner.type === 'boolean')) return '`true`, `false`';
  return (forms[0]?.enum ?? []).map((word) => `\`${String(word)}\``).join(', ');
}

const UNITS: readonly (readonly [ending: string, form: string])[] = [
  ['(ms|s|m|h|d)$', 'duration'],
  ['(B|KiB|MiB|GiB)$', 'size'],
];

function stringForm(schema: JsonSchema): string {
  return UNITS.find(([ending]) => schema.pattern?.endsWith(ending))?.[1] ?? 'text';
}

function isEmptyMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
