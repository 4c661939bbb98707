import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { createKeyOpener } from '../../../src/io/keys/key-opener.ts';
import { createAuthority } from '../../support/pki.ts';
import { hasCommand } from '../../support/commands.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const needsOpenssl = { skip: hasCommand('openssl') ? false : 'needs the openssl command' };
const KINDS = ['p256', 'ed25519', 'rsa2048'] as const;

/** Files as users make them with the openssl command; each is opened to the key and, in order, the chain. */
for (const kind of KINDS)
  test(
    `a PKCS#12 file that openssl wrote: ${kind}, with an intermediate and the root`,
    needsOpenssl,
    async (context) => {
      const folder = await tempFolder(context);
      const root = createAuthority();
      const issuing = root.intermediate();
      const leaf = issuing.issue({ keyKind: kind });
      const at = (name: string): string => join(folder, name);
      writeFileSync(at('key.pem'), leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      writeFileSync(at('leaf.pem'), leaf.certPem);
      writeFileSync(at('above.pem'), root.certificate.certPem + issuing.certificate.certPem);
      writeFileSync(at('pass'), 'geheim', { mode: 0o600 });
      const files = [
        '-inkey',
        at('key.pem'),
        '-in',
        at('leaf.pem'),
        '-certfile',
        at('above.pem'),
        '-out',
        at('agent.p12'),
      ];
      execFileSync('openssl', ['pkcs12', '-export', ...files, '-passout', `file:${at('pass')}`], { stdio: 'pipe' });
      const result = await createKeyOpener({ passphrase: at('pass') }).open('agent.p12', readFileSync(at('agent.p12')));
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(
        result.value.chain.map((der) => der.toHex()),
        leaf.chain.map((der) => Buffer.from(der).toHex()),
      );
      const digest = kind === 'ed25519' ? null : 'sha256';
      const signature = sign(digest, Buffer.from('x'), result.value.privateKey);
      assert.ok(verify(digest, Buffer.from('x'), new X509Certificate(leaf.der).publicKey, signature));
    },
  );

test('an encrypted PEM key that openssl wrote', needsOpenssl, async (context) => {
  const folder = await tempFolder(context);
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('pass'), 'geheim\n', { mode: 0o600 });
  const make = ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-aes256'];
  execFileSync('openssl', [...make, '-pass', `file:${at('pass')}`, '-out', at('key.pem')], { stdio: 'pipe' });
  const result = await createKeyOpener({ passphrase: at('pass') }).open('key.pem', readFileSync(at('key.pem')));
  assert.ok(result.ok, JSON.stringify(result));
  assert.equal(createPublicKey(result.value.privateKey).asymmetricKeyType, 'ec');
});

/** How tools of other times and places write the same file. */
const WAYS = [
  { name: 'more iterations than by default', passphrase: 'geheim', options: ['-iter', '20000'] },
  { name: 'MAC by SHA-1, as before OpenSSL 3', passphrase: 'geheim', options: ['-macalg', 'sha1'] },
  { name: 'MAC by SHA-512', passphrase: 'geheim', options: ['-macalg', 'sha512'] },
  {
    name: '3DES by the schemes of PKCS#12',
    passphrase: 'geheim',
    options: ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES'],
  },
  {
    name: 'nothing encrypted but all of it under the MAC',
    passphrase: 'geheim',
    options: ['-keypbe', 'NONE', '-certpbe', 'NONE'],
  },
  { name: 'a passphrase beyond ASCII: UTF-8 for PBES2, UTF-16 for the MAC', passphrase: 'Schlüssel–€', options: [] },
] as const;

for (const { name, passphrase, options } of WAYS)
  test(`a PKCS#12 file that openssl wrote: ${name}`, needsOpenssl, async (context) => {
    const folder = await tempFolder(context);
    const leaf = createAuthority().issue();
    const at = (file: string): string => join(folder, file);
    writeFileSync(at('key.pem'), leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(at('leaf.pem'), leaf.certPem);
    writeFileSync(at('pass'), passphrase, { mode: 0o600 });
    const files = [
      '-inkey',
      at('key.pem'),
      '-in',
      at('leaf.pem'),
      '-out',
      at('agent.p12'),
      '-passout',
      `file:${at('pass')}`,
    ];
    execFileSync('openssl', ['pkcs12', '-export', ...files, ...options], { stdio: 'pipe' });
    const result = await createKeyOpener({ passphrase: at('pass') }).open('agent.p12', readFileSync(at('agent.p12')));
    assert.ok(result.ok, JSON.stringify(result));
    assert.ok(result.value.privateKey.equals(leaf.privateKey));
    assert.deepEqual(
      result.value.chain.map((der) => der.toHex()),
      [Buffer.from(leaf.der).toString('hex')],
    );
  });

test('a PKCS#12 file without MAC that openssl wrote is refused by name', needsOpenssl, async (context) => {
  const folder = await tempFolder(context);
  const leaf = createAuthority().issue();
  const at = (file: string): string => join(folder, file);
  writeFileSync(at('key.pem'), leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(at('leaf.pem'), leaf.certPem);
  writeFileSync(at('pass'), 'geheim', { mode: 0o600 });
  const files = ['-inkey', at('key.pem'), '-in', at('leaf.pem'), '-out', at('agent.p12')];
  execFileSync('openssl', ['pkcs12', '-export', '-nomac', ...files, '-passout', `file:${at('pass')}`], {
    stdio: 'pipe',
  });
  const result = await createKeyOpener({ passphrase: at('pass') }).open('agent.p12', readFileSync(at('agent.p12')));
  assert.match(result.ok ? '' : result.error, /has no MAC/);
});

for (const options of [['-iter', '1000000'], ['-scrypt'], ['-v1', 'PBE-SHA1-3DES']] as const)
  test(
    `an encrypted PEM key as \`openssl pkcs8 -topk8 ${options.join(' ')}\` writes it`,
    needsOpenssl,
    async (context) => {
      const folder = await tempFolder(context);
      const at = (file: string): string => join(folder, file);
      const leaf = createAuthority().issue();
      writeFileSync(at('key.pem'), leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      writeFileSync(at('pass'), 'geheim', { mode: 0o600 });
      const make = ['pkcs8', '-topk8', ...options, '-in', at('key.pem'), '-passout', `file:${at('pass')}`];
      execFileSync('openssl', [...make, '-out', at('locked.pem')], { stdio: 'pipe' });
      const opened = await createKeyOpener({ passphrase: at('pass') }).open(
        'locked.pem',
        readFileSync(at('locked.pem')),
      );
      assert.ok(opened.ok, JSON.stringify(opened));
      assert.ok(opened.value.privateKey.equals(leaf.privateKey));
    },
  );
