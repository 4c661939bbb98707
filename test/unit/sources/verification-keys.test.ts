import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { readVerification } from '../../../src/io/sources/verification-keys.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const SECRET = 'a shared secret of thirty-two bytes and more';

async function keyFile(context: TestContext, content: string, mode: number): Promise<string> {
  const path = join(await tempFolder(context), 'key');
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
}

function publicKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey.export({ type: 'spki', format: 'pem' });
}

test('nothing configured is nothing to verify with', async () => {
  assert.deepEqual(await readVerification(undefined), { ok: true, value: undefined });
});

test('keys of all kinds, with key id and scope', async (context) => {
  const file = await keyFile(context, publicKey(), 0o644);
  const read = await readVerification({
    keys: { a: { algorithm: 'ES256', file }, b: { algorithm: 'HS256', secret: SECRET } },
    keyId: 'a',
    scope: 'write',
  });
  assert.ok(read.ok && read.value !== undefined);
  assert.deepEqual([...read.value.keys.keys(), read.value.keyId, read.value.scope], ['a', 'b', 'a', 'write']);
});

test('a key that is changed counts at the next reading', async (context) => {
  const file = await keyFile(context, 'no key', 0o600);
  const settings = { keys: { a: { algorithm: 'ES256', file } } } as const;
  assert.equal((await readVerification(settings)).ok, false);
  await writeFile(file, publicKey());
  assert.equal((await readVerification(settings)).ok, true);
});

test('a secret that others can read, and any key that others can change, is refused; a public one may be read', async (context) => {
  const secret = await keyFile(context, SECRET, 0o644);
  const refused = await readVerification({ keys: { a: { algorithm: 'HS256', file: secret } } });
  assert.deepEqual(refused, { ok: false, error: [`${secret}: others can read the key (mode 644); chmod 600 it`] });
  for (const mode of [0o622, 0o602, 0o620]) {
    const file = await keyFile(context, publicKey(), mode);
    const changed = await readVerification({ keys: { a: { algorithm: 'ES256', file } } });
    assert.ok(!changed.ok);
    assert.match(changed.error[0] ?? '', /others can change the key/);
  }
});

test('promise 10: all problems are told together, and nothing of a key', async () => {
  const read = await readVerification({
    keys: { a: { algorithm: 'HS256', secret: 'hunter2' }, b: { algorithm: 'RS256', file: '/no/such/file' } },
  });
  assert.ok(!read.ok);
  assert.equal(read.error.length, 2);
  assert.match(read.error[0] ?? '', /^policy\.verification\.keys\.a: signature_key_refused/);
  assert.ok(!read.error.join().includes('hunter2'));
});
