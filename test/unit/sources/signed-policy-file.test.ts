import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { createSigningKey } from '../../../src/core/bundle/signature-key.ts';
import { err, ok } from '../../../src/core/kernel/result.ts';
import { createPolicySource } from '../../../src/io/sources/policy-source.ts';
import { readVerification } from '../../../src/io/sources/verification-keys.ts';
import { snapshotArchive } from '../../support/policy-archives.ts';
import { replaceFile, tempFolder } from '../../support/temp-folder.ts';

import type { SigningKey } from '../../../src/core/bundle/signature-key.ts';
import type { Source } from '../../../src/io/sources/follower.ts';

const SECRET = 'a shared secret of thirty-two bytes and more';

type World = { readonly source: Source<unknown>; readonly put: (archive: Uint8Array) => Promise<void> };

/** A source over one archive; its value is the data of the policy in force. */
async function world(context: TestContext, first: Uint8Array, signed: boolean): Promise<World> {
  const bundle = join(await tempFolder(context), 'policy.tar.gz');
  await replaceFile(bundle, first);
  const settings = signed ? { keys: { k: { algorithm: 'HS256', secret: SECRET } as const } } : undefined;
  const source = createPolicySource<unknown>(
    { bundle, verification: () => readVerification(settings) },
    {
      pollMs: 3_600_000,
      settleMs: 3_600_000,
      compile: () => Promise.resolve(err(['no compiler'])),
      activate: ({ data }) => Promise.resolve(ok(data)),
    },
  );
  context.after(() => source.stop());
  await source.start();
  const put = async (archive: Uint8Array): Promise<void> => {
    await replaceFile(bundle, archive);
    await source.reload();
  };
  return { source, put };
}

function key(secret = SECRET): SigningKey {
  const made = createSigningKey('HS256', secret, { keyId: 'k' });
  assert.ok(made.ok);
  return made.value;
}

test('a file is verified as what a server gives: unsigned, or by another key, changes nothing', async (context) => {
  const { source, put } = await world(context, snapshotArchive({ data: { a: 1 }, key: key() }), true);
  assert.deepEqual(source.current, { a: 1 });
  for (const [archive, code] of [
    [snapshotArchive({ data: { a: 2 } }), /signature_missing/],
    [snapshotArchive({ data: { a: 2 }, key: key('another secret that is as long as the first') }), /signature_invalid/],
  ] as const) {
    await put(archive);
    assert.deepEqual(source.current, { a: 1 });
    assert.match(source.problem?.[0] ?? '', code);
  }
  await put(snapshotArchive({ data: { a: 2 }, key: key() }));
  assert.deepEqual([source.current, source.problem], [{ a: 2 }, undefined]);
});

test('a signed file without keys is refused', async (context) => {
  const { source } = await world(context, snapshotArchive({ key: key() }), false);
  assert.match(source.problem?.[0] ?? '', /signature_unexpected/);
  assert.equal(source.current, undefined);
});

test('a file with an older sequence than the one in force is refused', async (context) => {
  const { source, put } = await world(context, snapshotArchive({ data: { a: 5 }, sequence: 5 }), false);
  await put(snapshotArchive({ data: { a: 4 }, sequence: 4 }));
  assert.match(source.problem?.[0] ?? '', /sequence_older/);
  assert.deepEqual(source.current, { a: 5 });
  await put(snapshotArchive({ data: { a: 6 }, sequence: 6 }));
  assert.deepEqual([source.current, source.problem], [{ a: 6 }, undefined]);
});
