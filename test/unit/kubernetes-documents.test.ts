import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { chartSettings } from '../../src/app/kube/chart-settings.ts';
import { checkPods } from '../../src/app/kube/check-pods.ts';
import { readManifests } from '../../src/app/kube/manifests.ts';
import { within } from '../../src/app/kube/objects.ts';
import { OVERRIDES } from '../../src/core/model/injection.ts';
import { createRegoCompiler } from '../../src/io/rego/compiler.ts';
import { sallyport } from '../support/cli.ts';

import type { Manifest } from '../../src/app/kube/manifests.ts';
import type { InjectionRefusal } from '../../src/core/model/injection.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'kubernetes');

function read(name: string): string {
  return readFileSync(join(FOLDER, name), 'utf8');
}

/** The YAML that a document shows, block by block. */
function shown(name: string): readonly Manifest[] {
  return [...read(name).matchAll(/```yaml\n([\s\S]*?)```/g)].flatMap(([, text = '']) => {
    const manifests = readManifests(text);
    assert.ok(manifests.ok, `${name}: ${JSON.stringify(manifests)}\n${text}`);
    return manifests.value;
  });
}

function settings() {
  const made = chartSettings({}, '0.1.0');
  assert.ok(made.ok);
  return made.value;
}

test('the pods that the documents show are let in as they stand, with the values of the chart', () => {
  const verdicts = readdirSync(FOLDER).flatMap((name) =>
    checkPods(shown(name), { settings: settings(), facts: { version: '0.1.0', roots: 'roots' }, namespace: 'agents' }),
  );
  assert.ok(verdicts.length > 0);
  for (const verdict of verdicts) assert.equal(verdict.verdict, 'injected', JSON.stringify(verdict));
});

test('the annotations that the documents show are let in', () => {
  const annotations = shown('wrap.md').flatMap(({ value }) => within(value, 'annotations') ?? []);
  assert.ok(annotations.length > 0);
  for (const one of annotations) {
    const pod = { kind: 'Pod', metadata: { name: 'p', annotations: one }, spec: { containers: [{ name: 'a' }] } };
    const facts = { version: '0.1.0', roots: 'roots' };
    const [verdict] = checkPods([{ line: 1, value: pod }], { settings: settings(), facts, namespace: 'agents' });
    assert.equal(verdict?.verdict, 'injected', JSON.stringify(verdict));
  }
});

test('every override is in the table of annotations, and those of the chart are the bold ones', () => {
  const rows = read('wrap.md')
    .split('\n')
    .filter((line) => line.startsWith('|'));
  for (const override of OVERRIDES) {
    const row = rows.find((line) => line.split('|')[2]?.trim() === `\`${override}\``);
    assert.ok(row !== undefined, override);
    assert.equal(row.startsWith('| **'), settings().overrides.includes(override), override);
  }
});

test('the Rego that the documents show compiles', async (context) => {
  const compiler = createRegoCompiler();
  context.after(() => compiler.stop());
  const inputSchema = JSON.parse(readFileSync(join(FOLDER, '../../policies/schemas/input.json'), 'utf8')) as unknown;
  const maps = shown('policies.md').flatMap(({ value }) => [
    within(value, 'data'),
    within(value, 'policies', 'platform', 'files'),
  ]);
  const sources = maps.flatMap((map) => Object.entries(map ?? {})).filter(([name]) => name.endsWith('.rego'));
  assert.ok(sources.length >= 2);
  for (const [name, text] of sources) {
    const files = { [name]: new TextEncoder().encode(String(text)) };
    assert.deepEqual(await compiler.check({ files, inputSchema }), [], name);
  }
});

test('values that the documents show are values of the chart', () => {
  const schema = JSON.parse(
    readFileSync(join(FOLDER, '..', '..', 'helm', 'sallyport', 'values.schema.json'), 'utf8'),
  ) as unknown;
  const named = readdirSync(FOLDER).flatMap((name) =>
    [
      ...read(name).matchAll(
        /`((?:sidecar|policies|authority|certificates|networkPolicy|admissionPolicy|webhook|priorityClass|trust)\.[A-Za-z.]+)(?::[^`]*)?`/g,
      ),
    ].map(([, path = '']) => `${name} ${path}`),
  );
  assert.ok(named.length > 20);
  for (const one of named) {
    const path = (one.split(' ')[1] ?? '').split('.');
    const place = path.flatMap((key) => ['properties', key]);
    assert.notEqual(within(schema, ...place), undefined, one);
  }
});

test('commands that the documents name are there', async () => {
  const lines = readdirSync(FOLDER).flatMap((name) =>
    [...read(name).matchAll(/sallyport ((?:kube|policy|ca|log) (?:root )?[a-z]+)/g)].map(([, words = '']) => words),
  );
  for (const words of new Set(lines)) {
    const { code, out } = await sallyport([...words.split(' '), '--help']);
    assert.equal(code, 0, words);
    assert.ok(out.join('\n').includes(`sallyport ${words}`), words);
  }
});

/** All there are: a kind that is missing here is an error of types. */
const KINDS: Readonly<Record<InjectionRefusal['kind'], true>> = {
  pod_malformed: true,
  annotation_unknown: true,
  annotation_malformed: true,
  annotation_forbidden: true,
  host_namespace: true,
  shared_process_namespace: true,
  name_taken: true,
  volume_taken: true,
  uid_taken: true,
  port_taken: true,
  privileged: true,
  other_mesh: true,
  unsupported_os: true,
  ports_too_many: true,
  not_ready: true,
};

test('every kind of refusal is in the table of what to do', () => {
  const rows = read('troubleshooting.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  for (const kind of Object.keys(KINDS))
    assert.ok(
      rows.some((row) => row.split('|')[1]?.includes(`\`${kind}\``)),
      kind,
    );
});
