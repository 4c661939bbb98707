import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import fc from 'fast-check';
import forge from 'node-forge';

import { encodePem } from '../../../src/core/identity/pem.ts';
import { encodePrivateKey } from '../../../src/io/keys/encode-key.ts';
import { createKeyOpener } from '../../../src/io/keys/key-opener.ts';
import { context as tagged, derNull, integer, octetString, oid, sequence, tlv } from '../../support/der.ts';
import { createAuthority } from '../../support/pki.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';

const SECRET = 'correct horse';
const SALT = octetString(Buffer.from('saltsalt'));
const PBES2 = oid('1.2.840.113549.1.5.13');
const PBKDF2 = oid('1.2.840.113549.1.5.12');
const SCRYPT = oid('1.3.6.1.4.1.11591.4.11');
const PBE_3DES = oid('1.2.840.113549.1.12.1.3');
const SHA256 = oid('2.16.840.1.101.3.4.2.1');
const SHA224 = oid('2.16.840.1.101.3.4.2.4');
const DATA = oid('1.2.840.113549.1.7.1');
const ENCRYPTED_DATA = oid('1.2.840.113549.1.7.6');
const KEY_BAG = oid('1.2.840.113549.1.12.10.1.1');
const SHROUDED_KEY_BAG = oid('1.2.840.113549.1.12.10.1.2');
const CIPHER = sequence(oid('2.16.840.1.101.3.4.1.42'), octetString(Buffer.alloc(16)));
const CIPHERTEXT = Buffer.alloc(64, 7);

/** What becomes of a file, with the right passphrase at hand. */
async function refusal(test: TestContext, bytes: string | Uint8Array): Promise<string> {
  const passphrase = join(await tempFolder(test), 'passphrase');
  await writeFile(passphrase, SECRET, { mode: 0o600 });
  const opened = await createKeyOpener({ passphrase }).open('agent.key', Buffer.from(bytes));
  assert.ok(!opened.ok, 'it was opened');
  assert.ok(!opened.error.includes(SECRET));
  return opened.error;
}

const pbkdf2 = (rounds: number | bigint): Uint8Array => sequence(PBKDF2, sequence(SALT, integer(rounds)));
const scrypt = (n: number, r: number, p: number): Uint8Array =>
  sequence(SCRYPT, sequence(SALT, integer(n), integer(r), integer(p)));
const pbes2 = (derivation: Uint8Array): Uint8Array => sequence(PBES2, sequence(derivation, CIPHER));
const pbe = (rounds: number | bigint): Uint8Array => sequence(PBE_3DES, sequence(SALT, integer(rounds)));
const encryptedPem = (algorithm: Uint8Array): string =>
  encodePem('ENCRYPTED PRIVATE KEY', sequence(algorithm, octetString(CIPHERTEXT)));

const TOO_COSTLY = /times the work that is done for one; write it again with fewer iterations/;

describe('encrypted PEM that asks for more work than a passphrase is worth', () => {
  for (const [name, algorithm] of [
    ['PBKDF2, 2^31 - 1 rounds', pbes2(pbkdf2(0x7fffffff))],
    ['PBKDF2, 2^200 rounds', pbes2(pbkdf2(1n << 200n))],
    ['PBKDF2, one round too many', pbes2(pbkdf2(5_000_001))],
    ['PKCS#12 scheme', pbe(0x7fffffff)],
    ['scrypt, little memory and a year of time', pbes2(scrypt(2, 8, 0x3fffffff))],
    ['scrypt, much memory', pbes2(scrypt(2 ** 30, 8, 1))],
  ] as const)
    test(name, async (context) => assert.match(await refusal(context, encryptedPem(algorithm)), TOO_COSTLY));

  test('as much as is allowed is tried', async (context) => {
    for (const algorithm of [pbes2(pbkdf2(5_000)), pbes2(scrypt(1_024, 8, 1)), pbe(1)])
      assert.match(await refusal(context, encryptedPem(algorithm)), /the passphrase is wrong/);
  });

  test('a block that only a lenient reader would find is not counted, and so not tried', async (context) => {
    const lenient = encryptedPem(pbes2(pbkdf2(0x7fffffff))).replace('\n', '\nX-Header: y\n\n');
    assert.match(await refusal(context, lenient), /no PEM that can be read/);
  });

  test('property: no parameters make it throw', async (context) => {
    const parameters = fc.uint8Array({ maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(parameters, async (bytes) => {
        await refusal(context, encryptedPem(sequence(PBES2, tlv(0x30, bytes))));
      }),
      { numRuns: 100 },
    );
  });
});

type Pkcs12Options = { readonly macRounds?: number | bigint; readonly mac?: 'none' | Uint8Array };

/** A PKCS#12 file whose MAC is right for one round, whatever else it says. `infos`: ContentInfo each. */
function pkcs12(infos: readonly Uint8Array[], { macRounds = 1, mac = SHA256 }: Pkcs12Options = {}): Uint8Array {
  const authSafe = sequence(...infos);
  const content = sequence(DATA, tagged(0, octetString(authSafe)));
  if (mac === 'none') return sequence(integer(3), content);
  const salt = forge.util.createBuffer('saltsalt');
  const generate = forge.pkcs12.generateKey as unknown as (...all: unknown[]) => { getBytes(): string };
  const key = generate(SECRET, salt, 3, 1, 32, forge.md.sha256.create());
  const digest = createHmac('sha256', Buffer.from(key.getBytes(), 'latin1')).update(authSafe).digest();
  const info = sequence(sequence(mac, derNull()), octetString(digest));
  return sequence(integer(3), content, sequence(info, SALT, integer(macRounds)));
}

const plain = (...bags: readonly Uint8Array[]): Uint8Array => sequence(DATA, tagged(0, octetString(sequence(...bags))));
const encrypted = (algorithm: Uint8Array): Uint8Array =>
  sequence(ENCRYPTED_DATA, tagged(0, sequence(integer(0), sequence(DATA, algorithm, tlv(0x80, CIPHERTEXT)))));
const shrouded = (algorithm: Uint8Array): Uint8Array =>
  sequence(SHROUDED_KEY_BAG, tagged(0, sequence(algorithm, octetString(CIPHERTEXT))));
const keyBag = (): Uint8Array => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return sequence(KEY_BAG, tagged(0, privateKey.export({ type: 'pkcs8', format: 'der' })));
};

describe('PKCS#12 that asks for more work than a passphrase is worth', () => {
  for (const [name, bytes] of [
    ['in its MAC', pkcs12([], { macRounds: 0x7fffffff })],
    ['in its MAC, 2^200 rounds', pkcs12([], { macRounds: 1n << 200n })],
    ['in encrypted contents', pkcs12([encrypted(pbes2(pbkdf2(0x7fffffff)))])],
    ['in encrypted contents, PKCS#12 scheme', pkcs12([encrypted(pbe(0x7fffffff))])],
    ['in a key', pkcs12([plain(shrouded(pbe(0x7fffffff)))])],
    ['in a key, whose scheme derives twice', pkcs12([plain(shrouded(pbe(150_000)))])],
    ['in all parts together, one round too many', pkcs12([plain(shrouded(pbes2(pbkdf2(300_000))))])],
  ] as const)
    test(name, async (context) => assert.match(await refusal(context, bytes), TOO_COSTLY));
});

describe('PKCS#12 of the wrong form', () => {
  test('RFC 7292 4: without a MAC nothing says that it is whole', async (context) => {
    assert.match(await refusal(context, pkcs12([plain(keyBag())], { mac: 'none' })), /has no MAC/);
  });

  test('a MAC by a digest that is not known is told from a wrong passphrase', async (context) => {
    const said = await refusal(context, pkcs12([plain(keyBag())], { mac: SHA224 }));
    assert.match(said, /a MAC of a kind that is not known \(2\.16\.840\.1\.101\.3\.4\.2\.4\)/);
  });

  test('iterations that are no positive number', async (context) => {
    const zero = pkcs12([plain(keyBag())], { macRounds: 0 });
    const negative = pkcs12([plain(keyBag())], { macRounds: -1 });
    for (const bytes of [zero, negative]) assert.match(await refusal(context, bytes), /no PKCS#12 file/);
  });

  test('nesting without end, at the top and below the MAC', async (context) => {
    let nested: Uint8Array = sequence();
    for (let depth = 0; depth < 3_000; depth += 1) nested = sequence(nested);
    assert.match(await refusal(context, nested), /no PKCS#12 file/);
    assert.match(await refusal(context, pkcs12([plain(nested)])), /no PKCS#12 file/);
    assert.match(await refusal(context, pkcs12([nested])), /no PKCS#12 file/);
  });

  test('more bags, keys or certificates than one identity has', async (context) => {
    const bags = Array.from({ length: 65 }, () => sequence(oid('1.2.3'), tagged(0, sequence())));
    assert.match(await refusal(context, pkcs12([plain(...bags)])), /more than 64 bags/);
    assert.match(await refusal(context, pkcs12([plain(keyBag(), keyBag())])), /holds 2 private keys/);
    const { der } = createAuthority().issue();
    const certificate = sequence(
      oid('1.2.840.113549.1.12.10.1.3'),
      tagged(0, sequence(oid('1.2.840.113549.1.9.22.1'), tagged(0, octetString(der)))),
    );
    const many = Array.from({ length: 17 }, () => certificate);
    assert.match(await refusal(context, pkcs12([plain(keyBag(), ...many)])), /17 certificates; at most 16/);
    assert.match(await refusal(context, pkcs12([plain(keyBag(), certificate)])), /no certificate for its private key/);
  });

  test('a key alone in DER is told what it is', async (context) => {
    const der = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' });
    assert.match(await refusal(context, der), /a key alone has to be in PEM/);
  });

  test('property: a MAC that is right protects from nothing that stands below it', async (context) => {
    const content = fc.uint8Array({ maxLength: 80 }).map((bytes) => sequence(DATA, tagged(0, octetString(bytes))));
    await fc.assert(
      fc.asyncProperty(fc.array(content, { maxLength: 3 }), async (infos) => {
        await refusal(context, pkcs12(infos));
      }),
      { numRuns: 100 },
    );
  });
});

describe('a reference to a token', () => {
  const KEY = encodePrivateKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, undefined);
  const REFERENCE = '-----BEGIN PKCS#11 PROVIDER URI-----\nMAA=\n-----END PKCS#11 PROVIDER URI-----\n';

  test('with a key behind or before it is refused: without the provider OpenSSL would take that', async (context) => {
    assert.match(await refusal(context, REFERENCE + KEY), /holds 2 private keys/);
    assert.match(await refusal(context, KEY + REFERENCE), /holds 2 private keys/);
  });

  test('has to stand alone, and whole', async (context) => {
    assert.match(await refusal(context, `# of the CA\n${REFERENCE}`), /has to be all that the file holds/);
    assert.match(await refusal(context, REFERENCE.replace('MAA=', 'M!')), /has to be all that the file holds/);
    assert.match(await refusal(context, REFERENCE), /cannot be opened/);
  });

  test('RFC 7512 2.3: names a key, not the first of its token', async (context) => {
    for (const uri of ['pkcs11:token=ca', 'pkcs11:token=ca;type=private', 'pkcs11:token=object=x', 'pkcs11:object='])
      assert.match(await refusal(context, uri), /names no key of its token/);
    for (const uri of ['pkcs11:id=%01', 'pkcs11:token=ca;object=a?pin-value=1'])
      assert.match(await refusal(context, uri), /cannot be opened/);
  });

  test('never tells a PIN that stands in it', async (context) => {
    assert.ok(!(await refusal(context, 'pkcs11:token=ca;object=a?pin-value=86753')).includes('86753'));
  });
});

describe('the passphrase file', () => {
  const LOCKED = encodePrivateKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, SECRET);
  const open = (passphrase: string) => createKeyOpener({ passphrase }).open('agent.key', Buffer.from(LOCKED));

  test('is no pipe, which would be waited for', async (context) => {
    const path = join(await tempFolder(context), 'pipe');
    execFileSync('mkfifo', [path]);
    const opened = await open(path);
    assert.match(opened.ok ? '' : opened.error, /has to stand in a regular file/);
  });

  test('is refused where others can write it', async (context) => {
    const path = join(await tempFolder(context), 'passphrase');
    await writeFile(path, SECRET);
    await chmod(path, 0o620);
    const opened = await open(path);
    assert.match(opened.ok ? '' : opened.error, /written by others \(mode 0620\); chmod 600 it/);
  });
});
