import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import {
  allowing,
  ready,
  startControlledSystem,
  statusOf,
  TOKEN,
  type ControlledSystem,
} from '../support/controlled-system.ts';
import { sequenced } from '../support/policy-archives.ts';
import { startSidecar, type SidecarProcess } from '../support/sidecar-process.ts';
import { policyBundle, type System } from '../support/system.ts';

const PATH = '/bundles/agents';

async function bundle(word: string, sequence: number): Promise<Uint8Array> {
  return sequenced(await policyBundle(allowing(word, `r${sequence}`)), sequence);
}

/** A sidecar that has a bundle in force and kept, then ended. */
async function ended(context: TestContext): Promise<ControlledSystem> {
  const at = await startControlledSystem(context, {
    first: await bundle('a', 7),
    config: (server) => ({
      bundle: server.url(PATH),
      bundleServer: { trustBundle: 'control.pem', token: TOKEN, persist: 'keep', minDelay: '100ms', maxDelay: '200ms' },
    }),
  });
  assert.equal(await at.get('/a'), 200);
  assert.equal(await at.system.sidecar.stop(), 0);
  return at;
}

/** Starts it again in the same folder. */
async function again(
  context: TestContext,
  { system }: ControlledSystem,
): Promise<System & { readonly sidecar: SidecarProcess }> {
  const config = JSON.parse(await readFile(join(system.folder, 'sallyport.json'), 'utf8')) as Record<string, unknown>;
  return { ...system, sidecar: await startSidecar(context, system.folder, config) };
}

test('without the server the last good copy decides; it is ready, and the problem stays visible until the server is back', async (context) => {
  const at = await ended(context);
  await at.server.stop();
  const system = await again(context, at);
  assert.deepEqual([await statusOf(context, system, '/a'), await statusOf(context, system, '/b')], [200, 403]);
  assert.equal((await ready(system.sidecar)).status, 200);
  assert.equal(await system.sidecar.metric('sallyport_source_problem{kind="policy"}'), 1);
  await system.sidecar.logged('the last good copy of the policy is in force');
  at.server.offer(await bundle('b', 8));
  await at.server.start();
  await system.sidecar.logged('the source is good again');
  assert.equal(await statusOf(context, system, '/b'), 200);
});

test('an unchanged bundle is not downloaded again: 304', async (context) => {
  const at = await ended(context);
  const before = at.server.received.length;
  const system = await again(context, at);
  assert.equal(await statusOf(context, system, '/a'), 200);
  assert.match(String(at.server.received[before]?.headers['if-none-match']), /^"[0-9a-f]{64}"$/);
});

test('an older bundle is refused after a restart as before it', async (context) => {
  const at = await ended(context);
  at.server.offer(await bundle('b', 6));
  const system = await again(context, at);
  await system.sidecar.logged(/sequence_older/);
  assert.deepEqual([await statusOf(context, system, '/a'), await statusOf(context, system, '/b')], [200, 403]);
});

test('a copy that was changed is told and not used: nothing is allowed until the server gives a bundle, and no older one', async (context) => {
  const at = await ended(context);
  await at.server.stop();
  const keep = join(at.system.folder, 'keep');
  const archive = (await readdir(keep)).find((name) => name.endsWith('.tar.gz')) ?? '';
  const bytes = await readFile(join(keep, archive));
  bytes[bytes.length - 9] = (bytes.at(-9) ?? 0) ^ 1;
  await writeFile(join(keep, archive), bytes);
  const system = await again(context, at);
  await system.sidecar.logged(/was changed or damaged; it is not used/);
  assert.equal(await statusOf(context, system, '/a'), 503);
  assert.equal((await ready(system.sidecar)).status, 503);
  at.server.offer(await bundle('b', 6));
  await at.server.start();
  await system.sidecar.logged(/sequence_older/);
  assert.equal(await statusOf(context, system, '/b'), 503);
  at.server.offer(await bundle('b', 8));
  await system.sidecar.logged('the source is good again');
  assert.equal(await statusOf(context, system, '/b'), 200);
});
