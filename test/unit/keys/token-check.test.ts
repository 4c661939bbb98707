import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';

import { encodePem } from '../../../src/core/identity/pem.ts';
import { encodePrivateKey } from '../../../src/io/keys/encode-key.ts';
import { createTokenCheck } from '../../../src/io/keys/token-check.ts';

test('a key in memory is there, and is not asked', async () => {
  const check = createTokenCheck();
  const key = encodePrivateKey(generateKeyPairSync('ed25519').privateKey, undefined);
  assert.equal(await check(key), undefined);
  assert.equal(await check('no key at all'), undefined);
});

test('a key in a token that cannot be reached is told each time, by what to do', async () => {
  const check = createTokenCheck();
  const reference = encodePem('PKCS#11 PROVIDER URI', Buffer.from('3000', 'hex'));
  for (let times = 0; times < 2; times += 1)
    assert.match((await check(reference)) ?? '', /does not sign, .*restart this process/);
});
