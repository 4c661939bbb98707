import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { Agent, request } from 'undici';

import { parseOciReference } from '../../src/core/kernel/oci-reference.ts';
import { packBundle } from '../../src/core/bundle/write-bundle.ts';
import { createRegistryBundleServer } from '../../src/io/control/registry.ts';
import { readBounded } from '../../src/io/sources/read-file.ts';
import { systemTimer } from '../../src/io/sources/timer.ts';
import { needsDockerRegistry, startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { needsNativeOpa, OPA } from '../support/native-opa.ts';
import { OCI_LAYER, OCI_MANIFEST, startRegistry } from '../support/scripted-registry.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

import type { BundleAnswer } from '../../src/io/control/bundle-server.ts';

const REPOSITORY = 'team/policies';

/** Our client of one reference. */
function client(context: TestContext, text: string): (etag?: string) => Promise<BundleAnswer> {
  const image = parseOciReference(text);
  assert.ok(image);
  const deps = { readFile: readBounded, timer: systemTimer, wallMs: () => Date.now() };
  const bundles = createRegistryBundleServer(image, { timeout: 20_000 }, 1_048_576, deps);
  context.after(() => bundles.stop());
  return (etag) => bundles.fetch({ etag, delta: false, waitMs: undefined });
}

test('a real registry: by tag, unchanged, moved, by digest, gone', needsDockerRegistry, async (context) => {
  const registry: DockerRegistry = await startDockerRegistry(context);
  const place = `oci://127.0.0.1:${registry.port}/${REPOSITORY}`;
  const fetch = client(context, `${place}:1`);
  const absent = await fetch();
  assert.ok(absent.kind === 'failed');
  assert.deepEqual([absent.httpCode, /it has no such tag/.test(absent.detail)], [404, true]);
  const [one, two] = [bundle(1), bundle(2)];
  const etag = await registry.push(REPOSITORY, '1', one);
  const first = await fetch();
  assert.ok(first.kind === 'archive', JSON.stringify(first));
  assert.deepEqual([first.etag, Buffer.compare(first.bytes, one)], [etag, 0]);
  assert.deepEqual(await fetch(etag), { kind: 'unchanged', etag, longPolling: false });
  const moved = await registry.push(REPOSITORY, '1', two);
  const second = await fetch(etag);
  assert.ok(second.kind === 'archive');
  assert.deepEqual([second.etag, Buffer.compare(second.bytes, two)], [moved, 0]);
  const pinned = await client(context, `${place}@${etag}`)();
  assert.ok(pinned.kind === 'archive');
  assert.deepEqual([pinned.etag, Buffer.compare(pinned.bytes, one)], [etag, 0]);
});

test(
  'OPA takes from it what we take',
  { skip: needsDockerRegistry.skip === false ? needsNativeOpa.skip : needsDockerRegistry.skip },
  async (context) => {
    const registry = await startDockerRegistry(context);
    await registry.push(REPOSITORY, '1', bundle(1));
    const decision = await runOpa(context, registry.port);
    await until('the first bundle', async () => (await decision()) === 1);
    await registry.push(REPOSITORY, '1', bundle(2));
    await until('the tag that moved', async () => (await decision()) === 2);
  },
);

/** Our double would prove nothing if it spoke something else than registries do. */
test(
  'OPA is a client of our scripted registry; of two bundles it takes the first, and we none',
  needsNativeOpa,
  async (context) => {
    const registry = await startRegistry(context, { plain: true });
    const { port } = new URL(registry.origin);
    registry.push('1', bundle(1));
    const decision = await runOpa(context, Number(port));
    await until('the first bundle', async () => (await decision()) === 1);
    const layers = [registry.put(bundle(2), OCI_LAYER), registry.put(bundle(3), OCI_LAYER)];
    registry.tag('1', registry.manifest(layers), OCI_MANIFEST);
    await until('the first of two', async () => (await decision()) === 2);
    const ours = await client(context, `oci://127.0.0.1:${port}/${REPOSITORY}:1`)();
    assert.ok(ours.kind === 'failed' && /has 2 layers of type/.test(ours.detail), JSON.stringify(ours));
  },
);

/** Starts OPA with tag `1` as its bundle; gives what asks it for its number. */
async function runOpa(context: TestContext, port: number): Promise<() => Promise<unknown>> {
  const folder = await tempFolder(context);
  const config = {
    services: { registry: { url: `http://127.0.0.1:${port}`, type: 'oci' } },
    bundles: {
      agents: {
        service: 'registry',
        resource: `127.0.0.1:${port}/${REPOSITORY}:1`,
        polling: { min_delay_seconds: 1, max_delay_seconds: 1 },
      },
    },
    persistence_directory: folder,
  };
  const path = join(folder, 'opa.json');
  await writeFile(path, JSON.stringify(config));
  const socketPath = join(folder, 'opa.sock');
  const args = ['run', '--server', '--addr', `unix://${socketPath}`, '--config-file', path, '--disable-telemetry'];
  const child = spawn(OPA, [...args, '--log-level', 'error'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const dispatcher = new Agent({ connect: { socketPath } });
  context.after(async () => {
    await dispatcher.destroy();
    child.kill('SIGKILL');
    await ended;
  });
  return async () => {
    const answer = await request('http://opa/v1/data/number', { dispatcher }).catch(() => undefined);
    return ((await answer?.body.json()) as { readonly result?: unknown } | undefined)?.result;
  };
}

/** A bundle of data alone. */
function bundle(number: number): Uint8Array {
  return packBundle(
    new Map([
      ['.manifest', new TextEncoder().encode('{"roots": ["number"]}')],
      ['data.json', new TextEncoder().encode(JSON.stringify({ number }))],
    ]),
  );
}
