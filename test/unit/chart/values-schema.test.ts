import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { RE2JS } from 're2js';

import { valuesSchemaText } from '../../../helm/values-schema-text.ts';
import { valuesSchema } from '../../../helm/values-schema.ts';
import { jsonSchemaOf } from '../../../src/core/config/json-schema.ts';
import { referenceRows } from '../../../src/core/config/reference.ts';
import { CHART, NO_HELM, chartFile, helmFault, valueArgs } from '../../support/chart.ts';

import type { JsonSchema } from '../../../src/core/config/json-schema.ts';

const schema = JSON.parse(valuesSchemaText()) as JsonSchema;

/** Every schema within, with its path. */
function* within(one: JsonSchema, path = ''): Generator<readonly [string, JsonSchema]> {
  yield [path, one];
  for (const [key, inner] of Object.entries(one.properties ?? {})) yield* within(inner, `${path}.${key}`);
  for (const inner of [...(one.anyOf ?? []), one.items, one.additionalProperties, one.propertyNames])
    if (typeof inner === 'object') yield* within(inner, `${path}[]`);
}

/** Keys of the values that hold something of ours, as paths; what is within lists and objects of Kubernetes is not ours. */
function* keysOf(
  value: unknown,
  known: JsonSchema | undefined,
  path: readonly string[] = [],
): Generator<readonly string[]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    if (known?.properties?.[key] === undefined) continue;
    yield [...path, key];
    yield* keysOf(inner, known.properties[key], [...path, key]);
  }
}

describe('values.schema.json', () => {
  test('is what the schemas of the programs give: `npm run chart:schema` writes it', () =>
    assert.equal(chartFile('values.schema.json').text, valuesSchemaText()));

  test('takes the settings of sidecars from the schema of the injector’s file', () => {
    const { sidecar } = schema.properties ?? {};
    const limits = [...within(sidecar ?? {})].map(([path]) => path);
    for (const path of ['.limits.bodyBytes', '.journalQueue.whenFull', '.outbound.capture', '.status.url'])
      assert.ok(limits.includes(path), path);
    // These follow from other values.
    assert.ok(!limits.includes('.trustDomain') && !limits.includes('.policy'));
  });

  test('has no pattern that Go cannot compile', () => {
    const patterns = [...within(schema)].flatMap(([path, { pattern }]) =>
      pattern === undefined ? [] : [[path, pattern]],
    );
    assert.ok(patterns.length > 50);
    for (const [path, pattern] of patterns) assert.doesNotThrow(() => RE2JS.compile(pattern ?? ''), path);
  });

  test('closes every map whose keys are ours', () => {
    const open = [...within(schema)].filter(
      ([, one]) => one.properties !== undefined && one.additionalProperties !== false,
    );
    assert.deepEqual(
      open.map(([path]) => path),
      [],
    );
  });

  test('says what every key means', () => {
    const silent = referenceRows(jsonSchemaOf(valuesSchema)).filter(({ meaning }) => meaning === '');
    assert.deepEqual(
      silent.filter(({ path }) => !/\.(requests|limits|name)$/.test(path)).map(({ path }) => path),
      [],
    );
  });
});

describe('values.yaml', () => {
  const { text, value } = chartFile('values.yaml');
  const lines = text.split('\n');

  test('satisfies the schema that its programs read it by', () => assert.ok(valuesSchema.safeParse(value).success));

  test('has every key that the chart knows at the top', () => {
    const known = Object.keys(schema.properties ?? {}).filter((key) => key !== 'global');
    assert.deepEqual(Object.keys(value as object).sort(), known.sort());
  });

  test('has a comment before every key', () => {
    const bare = lines.flatMap((line, index) => {
      const isKey = /^ *[A-Za-z]+:/.test(line);
      const isOfKubernetes = /^ *(requests|limits):/.test(line);
      return isKey && !isOfKubernetes && !/^ *#/.test(lines[index - 1] ?? '') ? [line] : [];
    });
    assert.deepEqual(bare, []);
  });

  test('says no other default than the program has', () => {
    const OURS = ['sidecar', 'injector.config', 'authority.config', 'policies', 'certificates.self'];
    // The chart's own choice, where the file of the program can know none.
    const CHOSEN = ['authority.config.kubernetes.namespaces'];
    let compared = 0;
    for (const path of keysOf(value, schema)) {
      const name = path.join('.');
      if (!OURS.some((section) => name.startsWith(`${section}.`)) || CHOSEN.includes(name)) continue;
      const known = path.reduce<JsonSchema | undefined>((one, key) => one?.properties?.[key], schema);
      if (known?.default === undefined || known.properties !== undefined) continue;
      const said = path.reduce<unknown>((one, key) => (one as Record<string, unknown>)[key], value);
      assert.deepEqual(said, known.default, name);
      compared++;
    }
    assert.ok(compared > 30, `${compared}`);
  });
});

describe('helm refuses by the schema', { skip: NO_HELM }, () => {
  const WRONG: readonly (readonly [path: string, value: unknown, said: RegExp])[] = [
    ['replicas', 3, /additional properties 'replicas' not allowed/],
    ['sidecar.captrue', 'plain', /additional properties 'captrue' not allowed/],
    ['injector.config.listen', 'x', /additional properties 'listen' not allowed/],
    ['authority.config.dir', '/x', /additional properties 'dir' not allowed/],
    ['sidecar.capture', 'both', /value must be one of 'redirect', 'plain'/],
    ['sidecar.limits', { bodyBytes: '1MB' }, /bodyBytes.*does not match pattern/s],
    ['sidecar.overrides', ['image'], /value must be one of 'ports'/],
    ['trustDomain', 'Example.org', /does not match pattern/],
    ['injector.replicas', 0, /minimum: got 0, want 1/],
    // Nothing that a policy is made of.
    ['policies.platform.files', { 'operators.txt': '{}' }, /does not match pattern/],
    ['certificates.source', 'files', /value must be one of 'self', 'cert-manager', 'secret'/],
  ];
  for (const [path, value, said] of WRONG)
    test(`${path}: ${JSON.stringify(value)}`, () =>
      assert.match(helmFault(['template', 'x', CHART, ...valueArgs(undefined, { [path]: value })]) ?? 'taken', said));
});
