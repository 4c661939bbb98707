import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { createAuthorityFolder } from '../../src/io/authority/authority-folder.ts';
import { systemClock, systemRandom } from '../support/system-clock.ts';
import { tempFolder } from '../support/temp-folder.ts';

import type { TestContext } from 'node:test';

const run = promisify(execFile);
const there = await run('openssl', ['version']).then(
  () => true,
  () => false,
);
const needsOpenssl = { skip: there ? false : 'this machine has no openssl command' };

/** An authority with one leaf that stands and one that is revoked. */
async function world(context: TestContext): Promise<(name: string) => string> {
  const folder = await tempFolder(context);
  const ca = createAuthorityFolder(folder, { clock: systemClock, random: systemRandom });
  await ca.init('example.org', 86_400_000, false);
  for (const name of ['good', 'bad'])
    await ca.issue({ id: `spiffe://example.org/${name}`, ttlMs: 3_600_000 }, { force: false });
  await ca.revoke('example.org', { id: 'spiffe://example.org/bad' });
  return (name) => join(folder, name);
}

async function openssl(...args: string[]): Promise<string> {
  return run('openssl', args).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }: { stdout: string; stderr: string }) => `${stdout}${stderr}`,
  );
}

test('openssl verify -x509_strict accepts leaf and root, as client and as server', needsOpenssl, async (context) => {
  const at = await world(context);
  for (const purpose of ['sslclient', 'sslserver']) {
    const told = await openssl(
      'verify',
      '-x509_strict',
      '-purpose',
      purpose,
      '-CAfile',
      at('example.org.pem'),
      at('good.pem'),
    );
    assert.equal(told.trim(), `${at('good.pem')}: OK`);
  }
});

test('openssl reads the revocation list, and refuses what is on it', needsOpenssl, async (context) => {
  const at = await world(context);
  const verify = (leaf: string) =>
    openssl('verify', '-crl_check', '-CAfile', at('example.org.pem'), '-CRLfile', at('example.org.crl.pem'), at(leaf));
  assert.match(await verify('good.pem'), /: OK/);
  assert.match(await verify('bad.pem'), /certificate revoked/);
  assert.match(
    await openssl('crl', '-in', at('example.org.crl.pem'), '-noout', '-CAfile', at('example.org.pem')),
    /verify OK|^$/,
  );
});

test('openssl reads the key, and it is that of the certificate', needsOpenssl, async (context) => {
  const at = await world(context);
  const ofKey = await openssl('pkey', '-in', at('good.key'), '-pubout');
  const ofCertificate = await openssl('x509', '-in', at('good.pem'), '-noout', '-pubkey');
  assert.match(ofKey, /^-----BEGIN PUBLIC KEY-----/);
  assert.equal(ofKey, ofCertificate);
});
