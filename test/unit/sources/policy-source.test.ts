import assert from 'node:assert/strict';
import { mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { manifestJson, tiedManifest, writeBundle } from '../../../src/core/bundle/write-bundle.ts';
import { err, ok } from '../../../src/core/kernel/result.ts';
import { createPolicySource } from '../../../src/io/sources/policy-source.ts';
import { replaceFile, tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { Source } from '../../../src/io/sources/follower.ts';
import type { CompileRego, PolicyRevision } from '../../../src/io/sources/policy-revision.ts';

const WASM = Buffer.from('\0asm\x01\0\0\0', 'latin1');

interface World {
  readonly folder: string;
  readonly source: Source<PolicyRevision>;
  readonly compiled: string[][];
  readonly next: () => Promise<PolicyRevision>;
}

const double: CompileRego = (files) => {
  const rego = [...files].find(([path]) => path.endsWith('.rego'))?.[1] ?? Buffer.of();
  const text = Buffer.from(rego).toString();
  if (text.includes('broken')) return Promise.resolve(err(['policy.rego:1:1: rego_parse_error: broken']));
  return Promise.resolve(
    ok({ policyWasm: Buffer.from(`compiled ${text}`), planJson: '{"plan":1}', dataJson: '{"compiled":true}' }),
  );
};

/** A source over `bundle` below a folder; a module with the text `refused` does not become active. */
async function world(
  context: TestContext,
  files: Readonly<Record<string, string | Uint8Array>>,
  bundle = 'policies',
  protoDescriptors?: string,
): Promise<World> {
  const folder = await tempFolder(context);
  await writeFiles(folder, files);
  const compiled: string[][] = [];
  let changed = Promise.withResolvers<PolicyRevision>();
  const source = createPolicySource<PolicyRevision>(
    { bundle: join(folder, bundle), protoDescriptors: protoDescriptors && join(folder, protoDescriptors) },
    {
      pollMs: 3_600_000,
      settleMs: 5,
      compile: (all) => {
        compiled.push([...all.keys()].sort());
        return double(all);
      },
      activate: (revision) => {
        const refused = Buffer.from(revision.wasm).includes('refused');
        return Promise.resolve(refused ? err(['the policy has no entrypoint a/allow']) : ok(revision));
      },
      onChange: (value) => {
        changed.resolve(value);
        changed = Promise.withResolvers();
      },
    },
  );
  context.after(() => source.stop());
  return { folder, source, compiled, next: () => changed.promise };
}

const MANIFEST = manifestJson('r1', ['a/allow']);
const UNTIED = {
  'policies/policy.wasm': WASM,
  'policies/.manifest': MANIFEST,
  'policies/data.json': '{"roles":{"n":12345678901234567890}}',
  'policies/plan.json': '{"plan":{}}',
};
const SOUND = {
  ...UNTIED,
  'policies/.manifest': tiedManifest({ manifestJson: MANIFEST, policyWasm: WASM, planJson: '{"plan":{}}' }),
};

test('a folder with policy.wasm is taken as it is, without a compiler', async (context) => {
  const { source, compiled } = await world(context, { ...SOUND, 'policies/policy.rego': 'package a' });
  await source.start();
  const revision = source.current;
  assert.deepEqual(Buffer.from(revision?.wasm ?? []), WASM);
  assert.deepEqual(revision?.bundles, { policies: { revision: 'r1' } });
  assert.deepEqual(revision?.plan, { plan: {} });
  assert.equal(JSON.stringify(revision?.data), '{"roles":{"n":12345678901234567890}}');
  assert.deepEqual([compiled, revision?.descriptors], [[], undefined]);
});

test('a plan that the manifest does not tie to the module is not believed', async (context) => {
  const { source } = await world(context, UNTIED);
  await source.start();
  assert.deepEqual([Buffer.from(source.current?.wasm ?? []), source.current?.plan], [WASM, undefined]);
});

test('a folder of Rego is compiled, with its data and manifest; other files and hidden folders are not part of it', async (context) => {
  const { source, compiled } = await world(context, {
    'policies/policy.rego': 'package a',
    'policies/lib/more.rego': 'package b',
    'policies/lib/data.yaml': 'x: 1',
    'policies/.manifest': '{"revision":"r2"}',
    'policies/README.md': '#',
    'policies/.git/config.rego': 'not ours',
    'policies/values.json': '{}',
  });
  await source.start();
  assert.deepEqual(compiled, [['.manifest', 'data.json', 'lib/more.rego', 'policy.rego']]);
  assert.deepEqual([source.current?.plan, source.current?.data], [{ plan: 1 }, { compiled: true }]);
  assert.deepEqual(source.current?.bundles, { policies: { revision: 'r2' } });
});

test('a bundle is named after its file and has its digest as revision where it names none', async (context) => {
  const archive = writeBundle({ manifestJson: manifestJson(undefined, []), policyWasm: WASM });
  const { source } = await world(context, { 'agents.tar.gz': archive }, 'agents.tar.gz');
  await source.start();
  assert.match(source.current?.bundles['agents']?.revision ?? '', /^sha256:[0-9a-f]{64}$/);
});

test('a bundle of Rego without a module is compiled', async (context) => {
  const archive = writeBundle({ manifestJson: '{}', files: new Map([['policy.rego', Buffer.from('package a')]]) });
  const { source, compiled } = await world(context, { 'b.tar.gz': archive }, 'b.tar.gz');
  await source.start();
  assert.deepEqual(compiled, [['.manifest', 'data.json', 'policy.rego']]);
  assert.equal(Buffer.from(source.current?.wasm ?? []).toString(), 'compiled package a');
});

test('a policy that is renamed into place is followed by the event alone', async (context) => {
  const { source, folder, next } = await world(context, SOUND);
  await source.start();
  const change = next();
  await replaceFile(join(folder, 'policies/.manifest'), manifestJson('r9', ['a/allow']));
  assert.deepEqual((await change).bundles, { policies: { revision: 'r9' } });
});

test('a file that appears in a folder below is followed as well', async (context) => {
  const { source, folder, next } = await world(context, { 'policies/sub/policy.rego': 'package a' });
  await source.start();
  const change = next();
  await writeFiles(folder, { 'policies/sub/data.json': '{"a":1}' });
  await change;
  assert.equal(source.problem, undefined);
});

test('Kubernetes: a ConfigMap is read through its links once, and followed when ..data moves', async (context) => {
  const { source, folder, compiled, next } = await world(context, { 'policies/..1/policy.rego': 'package a' });
  await symlink('..1', join(folder, 'policies/..data'));
  await symlink('..data/policy.rego', join(folder, 'policies/policy.rego'));
  await source.start();
  assert.deepEqual(compiled, [['data.json', 'policy.rego']]);
  const change = next();
  await writeFiles(folder, { 'policies/..2/policy.rego': 'package b' });
  await symlink('..2', join(folder, 'policies/..tmp'));
  await rename(join(folder, 'policies/..tmp'), join(folder, 'policies/..data'));
  assert.equal(Buffer.from((await change).wasm).toString(), 'compiled package b');
});

const BROKEN: Readonly<Record<string, readonly [string, Uint8Array | string, RegExp]>> = {
  'Rego that does not compile': ['policies/policy.rego', 'broken', /^policy\.rego:1:1: rego_parse_error/],
  'a data file that is no JSON': ['policies/data.json', '{', /policies: data_invalid: data\.json/],
  'a manifest that is none': ['policies/.manifest', '[]', /manifest_invalid/],
  'a plan of another module': ['policies/plan.json', '{', /plan_not_of_module: plan\.json/],
  'a module that does not become active': ['policies/policy.wasm', 'refused', /has no entrypoint/],
  'a signature': ['policies/.signatures.json', '{}', /signature_unexpected/],
};
for (const [what, [path, content, problem]] of Object.entries(BROKEN)) {
  test(`promise 7: ${what} leaves the last good policy in force and is told`, async (context) => {
    const module = path.endsWith('.wasm') ? UNTIED : SOUND;
    const sound = path.endsWith('.rego') ? { 'policies/policy.rego': 'package a' } : module;
    const { source, folder } = await world(context, sound);
    await source.start();
    const before = source.current;
    assert.ok(before !== undefined);
    await writeFiles(folder, { [path]: content });
    await source.reload();
    assert.equal(source.current, before);
    assert.match(source.problem?.join() ?? '', problem);
  });
}

test('promise 7: a policy that is gone, or empty, leaves the last good one in force', async (context) => {
  const { source, folder } = await world(context, SOUND);
  await source.start();
  await rm(join(folder, 'policies'), { recursive: true });
  await source.reload();
  assert.deepEqual(source.problem, [`${join(folder, 'policies')}: there is no such file`]);
  await mkdir(join(folder, 'policies'));
  await source.reload();
  assert.deepEqual(source.problem, [`${join(folder, 'policies')}: holds neither policy.wasm nor Rego`]);
  assert.ok(source.current !== undefined);
});

test('a folder whose links lead in circles is refused, not followed for ever', async (context) => {
  const { source, folder } = await world(context, SOUND);
  await symlink('.', join(folder, 'policies/again'));
  await source.start();
  assert.match(source.problem?.join() ?? '', /nested deeper than 16/);
});

test('a descriptor set changes with the policy as one', async (context) => {
  const { source, folder, next } = await world(context, { ...SOUND, 'api.pb': 'one' }, 'policies', 'api.pb');
  await source.start();
  assert.equal(Buffer.from(source.current?.descriptors ?? []).toString(), 'one');
  const change = next();
  await replaceFile(join(folder, 'api.pb'), 'two');
  assert.equal(Buffer.from((await change).descriptors ?? []).toString(), 'two');
});
