import assert from 'node:assert/strict';
import { createPublicKey, sign, verify } from 'node:crypto';
import { chmod, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { keyPath, keyRightsProblem, plainKeyFiles, writeKeyFile } from '../../../src/io/authority/key-files.ts';
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

const OURS = [61_337, 1_000, 0];
const RIGHTS: readonly (readonly [
  title: string,
  rights: readonly [mode: number, uid: number, gid: number],
  isFit: boolean,
])[] = [
  ['our own, as it was written', [0o600, 1_000, 1_000], true],
  ['our own, read only', [0o400, 1_000, 1_000], true],
  ['of root alone (no fsGroup, and we are root)', [0o400, 0, 0], true],
  ['a Secret with defaultMode 0400 and fsGroup', [0o440, 0, 61_337], true],
  ['a Secret with defaultMode 0600 and fsGroup', [0o640, 0, 61_337], true],
  ['with bits of its type', [0o100440, 0, 61_337], true],
  ['a Secret with the default mode 0644: everybody in the container reads it', [0o644, 0, 61_337], false],
  ['a Secret for a group that is not ours', [0o440, 0, 5], false],
  ['of root and its own group: a slip', [0o640, 0, 0], false],
  ['our own, that a group may read: a slip', [0o440, 1_000, 61_337], false],
  ['of root, that our group may write', [0o660, 0, 61_337], false],
  ['of root, that our group may run', [0o450, 0, 61_337], false],
  ['of root, that others may read', [0o444, 0, 61_337], false],
  ['of root, that others may write', [0o442, 0, 61_337], false],
];
for (const [title, [mode, uid, gid], isFit] of RIGHTS)
  test(`rights on the file of a CA's key: ${title} (${(mode & 0o777).toString(8).padStart(4, '0')})`, () => {
    assert.equal(keyRightsProblem('a.key', { mode, uid, gid }, OURS) === undefined, isFit);
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
