import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { formatSpiffeBundle } from '../../../src/core/identity/spiffe-bundle.ts';
import { createTrustPollStore, type TrustPollStore } from '../../../src/io/sources/trust-poll-copy.ts';
import { createAuthority } from '../../support/pki.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { pollWorld, type PollWorld } from './trust-poll-world.ts';

import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { TrustPollSettings } from '../../../src/io/sources/trust-poll-source.ts';

const bytes = Buffer.from('content\nwith lines\0');

/** The one file in the folder. */
async function onlyFile(folder: string): Promise<string> {
  const [name, ...others] = await readdir(folder);
  assert.deepEqual(others, []);
  return join(folder, name ?? '');
}

describe('the store', () => {
  test('what is saved is loaded, byte for byte, by whoever has the same configuration', async (context) => {
    const folder = join(await tempFolder(context), 'keep');
    const sequence = (1n << 64n) - 1n;
    assert.deepEqual(await createTrustPollStore(folder, ['url', 'a']).load(), { ok: true, value: undefined });
    assert.deepEqual(await createTrustPollStore(folder, ['url', 'a']).save({ bytes, sequence }), {
      ok: true,
      value: undefined,
    });
    const loaded = await createTrustPollStore(folder, ['url', 'a']).load();
    assert.ok(loaded.ok && loaded.value !== undefined);
    assert.deepEqual([Buffer.from(loaded.value.bytes), loaded.value.sequence], [bytes, sequence]);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.equal((await stat(await onlyFile(folder))).mode & 0o777, 0o600);
  });

  test('many addresses share a folder, and none takes what is another’s', async (context) => {
    const folder = await tempFolder(context);
    const stores = [['url'], ['url', ''], ['ur', 'l'], ['url', Buffer.from('x')]].map((about) =>
      createTrustPollStore(folder, about),
    );
    for (const [index, store] of stores.entries())
      await store.save({ bytes: Buffer.from([index]), sequence: undefined });
    for (const [index, store] of stores.entries()) {
      const loaded = await store.load();
      assert.deepEqual(loaded.ok && loaded.value && [...loaded.value.bytes], [index]);
    }
    assert.equal((await readdir(folder)).length, stores.length);
  });

  test('a file that was changed in any byte, cut or emptied is not used', async (context) => {
    const folder = await tempFolder(context);
    const store = createTrustPollStore(folder, ['url']);
    await store.save({ bytes, sequence: 5n });
    const path = await onlyFile(folder);
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at += 1) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await writeFile(path, changed);
      const loaded = await store.load();
      assert.ok(!loaded.ok, `byte ${at}`);
    }
    for (const cut of [0, 1, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, cut));
      const loaded = await store.load();
      assert.match(loaded.ok ? '' : loaded.error, /was changed or damaged; it is not used/);
    }
  });

  test('a folder that others can write to is not believed', async (context) => {
    const folder = join(await tempFolder(context), 'open');
    await mkdir(folder);
    await chmod(folder, 0o777);
    const store = createTrustPollStore(folder, ['url']);
    for (const done of [await store.load(), await store.save({ bytes, sequence: undefined })])
      assert.match(done.ok ? '' : done.error, /others can write to it \(mode 777\)/);
  });

  test('more than 16 MiB are not kept', async (context) => {
    const saved = await createTrustPollStore(await tempFolder(context), ['url']).save({
      bytes: new Uint8Array(16_777_217),
      sequence: undefined,
    });
    assert.match(saved.ok ? '' : saved.error, /more than 16777216 bytes are not kept/);
  });
});

const trustDomain = 'partner.test' as TrustDomain;
const root = createAuthority({ trustDomain });
const second = createAuthority({ trustDomain });
const federation: TrustPollSettings = { kind: 'federation', url: 'https://x.test/', trustDomain };
const revocation: TrustPollSettings = { kind: 'revocation-list', url: 'http://x.test/' };

const bundleOf = (sequence: number, authority = root): string =>
  formatSpiffeBundle(authority.bundle, { sequence, refreshHintSeconds: 60 });

async function world(
  context: TestContext,
  settings: TrustPollSettings,
  store: TrustPollStore,
  offer?: Uint8Array | string,
): Promise<PollWorld> {
  const made = pollWorld(context, settings, { store, issuers: () => root.bundle });
  if (offer !== undefined) made.offer(offer);
  await made.poll.start();
  return made;
}

describe('a restart without the server', () => {
  test('the last good bundle is in force again, and its sequence counts', async (context) => {
    const store = createTrustPollStore(await tempFolder(context), ['url']);
    await world(context, federation, store, bundleOf(7));
    const again = await world(context, { ...federation, first: second.bundle }, store);
    assert.deepEqual(
      again.poll.current?.bundles.get(trustDomain)?.map((der) => Buffer.from(der)),
      [Buffer.from(root.certificate.der)],
    );
    assert.deepEqual(again.poll.problem, ['https://x.test/: silent']);
    again.offer(bundleOf(6, second));
    await again.poll.reload();
    assert.match(again.poll.problem?.[0] ?? '', /its sequence 6 is older than 7/);
  });

  test('the newest sequence is remembered when a later bundle said none', async (context) => {
    const store = createTrustPollStore(await tempFolder(context), ['url']);
    const first = await world(context, federation, store, bundleOf(7));
    first.offer(bundleOf(0, second).replace(/,"spiffe_sequence":0/, ''));
    await first.poll.reload();
    const again = await world(context, federation, store, bundleOf(6));
    assert.match(again.poll.problem?.[0] ?? '', /its sequence 6 is older than 7/);
  });

  test('the last good lists are in force again, and no older one takes their place', async (context) => {
    const store = createTrustPollStore(await tempFolder(context), ['url']);
    const list = root.crl({ number: 5n, revoked: [7n] }).der;
    await world(context, revocation, store, list);
    const again = await world(context, revocation, store, root.crl({ number: 4n }).der);
    assert.deepEqual(
      again.poll.current?.crls.map((der) => Buffer.from(der)),
      [Buffer.from(list)],
    );
    assert.match(again.poll.problem?.[0] ?? '', /is older than the one in force/);
  });

  test('lists that were signed when they came are in force again before their issuer is known', async (context) => {
    const store = createTrustPollStore(await tempFolder(context), ['url']);
    await world(context, revocation, store, root.crl({ number: 5n }).der);
    const again = pollWorld(context, revocation, { store });
    await again.poll.start();
    assert.equal(again.poll.current?.crls.length, 1);
    assert.deepEqual(again.poll.problem, ['https://x.test/: silent']);
  });

  test('what is kept is judged again', async (context) => {
    const store = createTrustPollStore(await tempFolder(context), ['url']);
    await store.save({ bytes: Buffer.from('{}'), sequence: undefined });
    const again = await world(context, { ...federation, first: second.bundle }, store);
    assert.match(
      again.poll.problem?.join('\n') ?? '',
      /the copy that was kept of https:\/\/x\.test\/ is not used: SPIFFE bundle: keys/,
    );
    assert.deepEqual(again.poll.current?.bundles.get(trustDomain)?.length, 1, 'the bundle that the operator gave');
    again.offer(bundleOf(1));
    await again.poll.reload();
    assert.equal(again.poll.problem, undefined);
    assert.ok((await store.load()).ok);
  });

  test('a copy that cannot be kept is told and hinders nothing, and is tried again', async (context) => {
    const folder = join(await tempFolder(context), 'open');
    await mkdir(folder);
    await chmod(folder, 0o777);
    const store = createTrustPollStore(folder, ['url']);
    const made = await world(context, federation, store, bundleOf(1));
    assert.equal(made.poll.current?.bundles.size, 1);
    assert.match(made.poll.problem?.join('\n') ?? '', /could not be kept for a restart: .*others can write to it/);
    await chmod(folder, 0o700);
    await made.poll.reload();
    assert.equal(made.poll.problem, undefined);
    assert.equal((await readdir(folder)).length, 1);
  });
});
