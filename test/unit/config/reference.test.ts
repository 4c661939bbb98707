import assert from 'node:assert/strict';
import { test } from 'node:test';

import { configJsonSchema } from '../../../src/core/config/json-schema.ts';
import { configReference, referenceRows } from '../../../src/core/config/reference.ts';
import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';

import type { JsonSchema } from '../../../src/core/config/json-schema.ts';

test('the reference has every key of the contract', () => {
  const paths = new Set(referenceRows().map((row) => row.path));
  const contract = [
    'identity.source',
    'identity.certificate',
    'identity.privateKey',
    'identity.trustBundles',
    'identity.revocationLists',
    'inbound[].listen',
    'inbound[].upstream',
    'outbound[].listen',
    'outbound[].destinations.NAME.address',
    'outbound[].destinations.NAME.id',
    'policy.bundle',
    'policy.decision',
    'policy.mode',
    'journal',
    'admin.listen',
  ];
  for (const path of contract) assert.ok(paths.has(path), path);
});

test('the reference has one row for each limit there is', () => {
  const rows = referenceRows().filter((row) => row.path.startsWith('inbound[].limits.'));
  assert.equal(rows.length, Object.keys(DEFAULT_LIMITS).length);
  assert.ok(rows.every((row) => row.fallback !== undefined && row.meaning !== ''));
});

function row(path: string) {
  return referenceRows().find((candidate) => candidate.path === path);
}

test('rows say form, default and need', () => {
  assert.deepEqual(
    [row('inbound[].listen')?.required, row('policy.mode')?.form, row('policy.mode')?.fallback],
    [true, '`enforce`, `shadow`', '"enforce"'],
  );
  assert.deepEqual([row('shutdown.grace')?.form, row('shutdown.grace')?.fallback], ['duration', '"30s"']);
  assert.deepEqual([row('policy.memory')?.form, row('policy.memory')?.fallback], ['size', '"16MiB"']);
  assert.equal(row('inbound[].limits.headerCount')?.form, '8 to 1000');
  assert.equal(row('inbound[].tls.minVersion')?.form, '`1.3`, `1.2`');
});

test('the Markdown table has four columns in every row', () => {
  const lines = configReference().trimEnd().split('\n');
  assert.ok(lines.length > 50);
  for (const line of lines) assert.equal(line.replaceAll('\\|', '').split('|').length, 6, line);
});

test('the JSON Schema refuses unknown keys in every map of settings', () => {
  let maps = 0;
  const walk = (schema: JsonSchema): void => {
    if (schema.properties !== undefined) {
      maps += 1;
      assert.equal(schema.additionalProperties, false);
    }
    const inner = [...Object.values(schema.properties ?? {}), ...(schema.anyOf ?? [])];
    if (schema.items !== undefined) inner.push(schema.items);
    if (typeof schema.additionalProperties === 'object') inner.push(schema.additionalProperties);
    for (const next of inner) walk(next);
  };
  walk(configJsonSchema());
  assert.ok(maps >= 10);
});

test('the JSON Schema gives forms that editors can check', () => {
  const listen = configJsonSchema().properties?.['inbound']?.items?.properties?.['listen'];
  const pattern = new RegExp(listen?.pattern ?? '^$');
  assert.ok(pattern.test('0.0.0.0:8443') && pattern.test('[::]:8443') && !pattern.test(':8443'));
  assert.deepEqual(configJsonSchema().required, ['identity', 'policy']);
});
