import assert from 'node:assert/strict';
import { createPublicKey, sign, verify } from 'node:crypto';
import { chmod, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { keyPath, plainKeyFiles, writeKeyFile } from '../../../src/io/authority/key-files.ts';
import { valueOf } from '../../support/authority-world.ts';
import { tempFolder } from '../../support/temp-folder.ts';

test('a key that was written is opened again, by its name in the folder or by its whole path', async (context) => {
  const folder = await tempFolder(context);
  const { privateKey, publicKey } = generateKeyPair('ed25519');
  const path = keyPath(folder, 'a.key');
  await writeKeyFile(path, privateKey);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  for (const reference of ['a.key', path]) {
    const opened = valueOf(await plainKeyFiles(folder)(reference));
    assert.equal(verify(null, Buffer.from('x'), publicKey, sign(null, Buffer.from('x'), opened)), true);
    assert.equal(createPublicKey(opened).equals(publicKey), true);
  }
});

test('a key that others may read is refused, with what mends it', async (context) => {
  const folder = await tempFolder(context);
  const path = join(folder, 'a.key');
  await writeKeyFile(path, generateKeyPair('p256').privateKey);
  for (const mode of [0o640, 0o604, 0o644, 0o620]) {
    await chmod(path, mode);
    const opened = await plainKeyFiles(folder)('a.key');
    assert.equal(
      opened.ok ? 'opened' : opened.error,
      `${path} may be read by others than its owner; \`chmod 0600 ${path}\` mends it`,
    );
  }
});

test('what is no key is refused, and nothing of the file is said', async (context) => {
  const folder = await tempFolder(context);
  const path = join(folder, 'a.key');
  await writeFile(path, '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n', { mode: 0o600 });
  const opened = await plainKeyFiles(folder)('a.key');
  assert.equal(opened.ok ? '' : opened.error, `${path} holds no unencrypted private key in PEM`);
  const missing = await plainKeyFiles(folder)('b.key');
  assert.match(missing.ok ? '' : missing.error, /ENOENT/);
});
