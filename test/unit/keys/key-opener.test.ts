import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import fc from 'fast-check';
import forge from 'node-forge';

import { encodePrivateKey } from '../../../src/io/keys/encode-key.ts';
import { createKeyOpener, type OpenedKey } from '../../../src/io/keys/key-opener.ts';
import { createAuthority } from '../../support/pki.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { KeyObject } from 'node:crypto';
import type { TestContext } from 'node:test';

const SECRET = 'correct horse';
const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

const plain = (): string => encodePrivateKey(KEY, undefined);

async function opened(bytes: string | Uint8Array, passphrase?: string) {
  return createKeyOpener({ passphrase }).open('agent.key', typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
}

async function passphraseFile(context: TestContext, text = `${SECRET}\n`, mode = 0o600): Promise<string> {
  const path = join(await tempFolder(context), 'passphrase');
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

async function fits(result: Awaited<ReturnType<typeof opened>>, key: KeyObject = KEY): Promise<OpenedKey> {
  assert.ok(result.ok, JSON.stringify(result));
  const signature = sign('sha256', Buffer.from('x'), result.value.privateKey);
  assert.ok(verify('sha256', Buffer.from('x'), createPublicKey(key), signature));
  return result.value;
}

async function refused(result: Awaited<ReturnType<typeof opened>>, reason: RegExp): Promise<void> {
  assert.ok(!result.ok);
  assert.match(result.error, reason);
  assert.ok(!result.error.includes(SECRET));
}

describe('PEM', () => {
  test('PKCS#8, SEC1 and PKCS#1', async () => {
    const { tlsKey, chain } = await fits(await opened(plain()));
    assert.equal(tlsKey, plain());
    assert.deepEqual(chain, []);
    await fits(await opened(KEY.export({ type: 'sec1', format: 'pem' })));
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    await fits(await opened(rsa.export({ type: 'pkcs1', format: 'pem' })), rsa);
  });

  test('encrypted, PKCS#8 and as OpenSSL once did', async (context) => {
    const file = await passphraseFile(context);
    const { tlsKey } = await fits(await opened(encodePrivateKey(KEY, SECRET), file));
    assert.equal(tlsKey, plain());
    const legacy = KEY.export({ type: 'sec1', format: 'pem', cipher: 'aes-128-cbc', passphrase: SECRET });
    assert.match(legacy, /Proc-Type: 4,ENCRYPTED/);
    await fits(await opened(legacy, file));
  });

  test('what is written encrypted holds nothing of the plain key', () => {
    const body = plain().split('\n').slice(1, -2).join('');
    assert.ok(!encodePrivateKey(KEY, SECRET).replaceAll('\n', '').includes(body.slice(0, 40)));
  });

  test('refused by name', async (context) => {
    const wrong = await passphraseFile(context, 'wrong');
    await refused(await opened(encodePrivateKey(KEY, SECRET)), /is encrypted; `passphrase` must name a file/);
    await refused(await opened(encodePrivateKey(KEY, SECRET), wrong), /passphrase is wrong/);
    await refused(await opened(''), /holds 0 private keys/);
    await refused(await opened(plain() + plain()), /holds 2 private keys/);
    await refused(await opened(plain().replace(/\n.{8}/, '\nAAAAAAAA')), /cannot be read/);
    await refused(await opened(createPublicKey(KEY).export({ type: 'spki', format: 'pem' })), /holds 0 private keys/);
  });
});

describe('the passphrase file', () => {
  test('its line end does not count, all else does', async (context) => {
    for (const text of [SECRET, `${SECRET}\n`, `${SECRET}\r\n`])
      await fits(await opened(encodePrivateKey(KEY, SECRET), await passphraseFile(context, text)));
    await refused(await opened(encodePrivateKey(KEY, SECRET), await passphraseFile(context, ` ${SECRET}`)), /wrong/);
  });

  test('is refused where everybody can read it, or nothing stands there', async (context) => {
    const encrypted = encodePrivateKey(KEY, SECRET);
    await refused(
      await opened(encrypted, await passphraseFile(context, SECRET, 0o644)),
      /read by everybody \(mode 0644\)/,
    );
    await refused(await opened(encrypted, await passphraseFile(context, '\n')), /holds no passphrase/);
    await refused(await opened(encrypted, await passphraseFile(context, 'x'.repeat(5_000))), /more than 4096 bytes/);
    await refused(await opened(encrypted, '/does/not/exist'), /ENOENT/);
  });
});

/** A PKCS#12 file with an RSA key and a certificate signed by RSA: forge writes no other keys, and other certificates not as they were. */
function pkcs12(algorithm: 'aes256' | '3des', passphrase: string, withKey = true) {
  const root = createAuthority({ keyKind: 'rsa2048' });
  const leaf = root.issue({ keyKind: 'rsa2048' });
  const key = forge.pki.privateKeyFromPem(leaf.privateKey.export({ type: 'pkcs1', format: 'pem' }));
  const certificate = forge.pki.certificateFromPem(leaf.certPem);
  const asn1 = forge.pkcs12.toPkcs12Asn1(withKey ? key : null, [certificate], passphrase, { algorithm });
  return { bytes: Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'binary'), leaf };
}

describe('PKCS#12 (RFC 7292)', () => {
  for (const algorithm of ['aes256', '3des'] as const)
    test(`key and certificate, ${algorithm}`, async (context) => {
      const { bytes, leaf } = pkcs12(algorithm, SECRET);
      const { chain } = await fits(await opened(bytes, await passphraseFile(context)), leaf.privateKey);
      assert.deepEqual(
        chain.map((der) => der.toHex()),
        [Buffer.from(leaf.der).toString('hex')],
      );
    });

  test('refused by name', async (context) => {
    const file = await passphraseFile(context);
    await refused(await opened(pkcs12('aes256', SECRET).bytes), /is encrypted/);
    await refused(await opened(pkcs12('aes256', 'other').bytes, file), /passphrase is wrong, or the file is damaged/);
    await refused(await opened(pkcs12('aes256', SECRET, false).bytes, file), /holds 0 private keys/);
    await refused(await opened(Buffer.from('3003020101', 'hex'), file), /no PKCS#12 file/);
    await refused(
      await opened(Buffer.concat([Buffer.from('30', 'hex'), Buffer.alloc(2_000_000)]), file),
      /larger than/,
    );
  });

  test('one changed byte is seen: the MAC, or what it protects, no longer fits', async (context) => {
    const file = await passphraseFile(context);
    const { bytes, leaf } = pkcs12('aes256', SECRET);
    for (let at = 40; at < bytes.length; at += 97) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      const result = await opened(changed, file);
      if (result.ok) assert.ok(result.value.privateKey.equals(leaf.privateKey), `byte ${at}`);
    }
  });
});

describe('PKCS#11', () => {
  test('without the provider the reference cannot be opened, and says what to look at', async () => {
    await refused(await opened('pkcs11:token=ca;object=issuing;type=private\n'), /OPENSSL_CONF/);
    await refused(await opened('pkcs11:a\npkcs11:b'), /holds 0 private keys/);
  });
});

test('property: no bytes make it throw or tell what stands there', async (context) => {
  const file = await passphraseFile(context);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((rest) => Uint8Array.of(0x30, 0x82, 0x01, 0x00, ...rest)),
    fc.string().map((text) => Buffer.from(`-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----\n`)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (input) => void (await opened(input, file))),
    { numRuns: 300 },
  );
});
