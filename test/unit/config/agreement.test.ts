import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as z from 'zod';

import { configJsonSchema } from '../../../src/core/config/json-schema.ts';
import { referenceRows } from '../../../src/core/config/reference.ts';
import { configOf, minimal, mistakesOf } from './sample.ts';

/** What an editor makes of our JSON Schema. */
const editor = z.fromJSONSchema(configJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);

function editorAccepts(value: unknown): boolean {
  return editor.safeParse(value).success;
}

/** The minimal file with `value` at a path of the reference such as `inbound[].limits.connections`. */
function fileWith(path: string, value: unknown): Record<string, unknown> {
  const root = minimal();
  const keys = path.split('.').flatMap((key) => (key.endsWith('[]') ? [key.slice(0, -2), '0'] : [key]));
  let inner = root;
  for (const key of keys.slice(0, -1)) inner = (inner[key] ??= {}) as Record<string, unknown>;
  inner[keys.at(-1) ?? ''] = value;
  return root;
}

const written = referenceRows().filter(
  (row) =>
    row.fallback !== undefined &&
    !/^(?:inbound$|outbound\[\]|identity\.authority|identity\.federation\.NAME|admin|probes|status|policy\.bundleServer|journal\[\])(?:\.|$)/.test(
      row.path,
    ),
);

for (const { path, fallback } of written) {
  test(`the documented default of ${path} means what leaving it out means, and editors accept it`, () => {
    const file = fileWith(path, JSON.parse(fallback ?? ''));
    assert.deepEqual(configOf(JSON.stringify(file)), configOf(JSON.stringify(minimal())));
    assert.ok(editorAccepts(file));
  });
}

const EDITOR_REFUSES: Readonly<Record<string, unknown>> = {
  'inbound[].listen': ':8443',
  'inbound[].upstream': 'https://127.0.0.1:1',
  'inbound[].limits.headTimeout': '30',
  'inbound[].limits.headerBytes': '64KB',
  'inbound[].limits.connections': 0,
  'inbound[].paths.doubleSlashes': 'yes',
  'inbound[].tls.minVersion': '1.1',
  'policy.mode': 'off',
  'policy.decision': 'data.x',
  'identity.trustBundles': { 'Example.org': 'x' },
  'inbound[].surprise': 1,
  journal: [],
};
for (const [path, value] of Object.entries(EDITOR_REFUSES)) {
  test(`${path} = ${JSON.stringify(value)} is refused by editors as it is by us`, () => {
    const file = fileWith(path, value);
    assert.ok(mistakesOf(JSON.stringify(file)).length > 0);
    assert.equal(editorAccepts(file), false);
  });
}

test('numbers and switches as text, which is what ${NAME} gives, are accepted by editors too', () => {
  assert.ok(editorAccepts(fileWith('inbound[].limits.connections', '100')));
  assert.ok(editorAccepts(fileWith('inbound[].paths.doubleSlashes', 'true')));
});
