import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { sallyport } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

import type { TestContext } from 'node:test';

const run = promisify(execFile);
const there = await run('openssl', ['version']).then(
  () => true,
  () => false,
);
const needsOpenssl = { skip: there ? false : 'this machine has no openssl command' };

/** An authority with one leaf that stands and one that is revoked, as the command line makes them. */
async function world(context: TestContext): Promise<(name: string) => string> {
  const dir = await tempFolder(context);
  const ca = async (...args: string[]): Promise<void> => {
    const { code, err } = await sallyport(['ca', ...args, '--dir', dir]);
    assert.equal(code, 0, err.join('\n'));
  };
  await ca('init');
  for (const name of ['good', 'bad']) await ca('issue', '--id', `spiffe://example.org/${name}`);
  await ca('revoke', '--id', 'spiffe://example.org/bad');
  return (name) => join(dir, name);
}

async function openssl(...args: string[]): Promise<string> {
  return run('openssl', args).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }: { stdout: string; stderr: string }) => `${stdout}${stderr}`,
  );
}

test(
  'openssl verify -x509_strict accepts leaf, issuing CA and root, as client and as server',
  needsOpenssl,
  async (context) => {
    const at = await world(context);
    const [root, leaf] = [at('example.org.pem'), at('good.pem')];
    for (const purpose of ['sslclient', 'sslserver']) {
      const told = await openssl(
        'verify',
        '-x509_strict',
        '-purpose',
        purpose,
        '-CAfile',
        root,
        '-untrusted',
        leaf,
        leaf,
      );
      assert.equal(told.trim(), `${leaf}: OK`);
      assert.match(await openssl('verify', '-purpose', purpose, '-CAfile', root, leaf), /unable to get local issuer/);
    }
  },
);

test(
  'openssl finds all lists that a chain needs in the one file, and refuses what is revoked',
  needsOpenssl,
  async (context) => {
    const at = await world(context);
    const [root, lists] = [at('example.org.pem'), at('example.org.crl.pem')];
    const verify = (leaf: string) =>
      openssl('verify', '-crl_check_all', '-CAfile', root, '-CRLfile', lists, '-untrusted', leaf, leaf);
    assert.match(await verify(at('good.pem')), /: OK/);
    assert.match(await verify(at('bad.pem')), /certificate revoked/);
  },
);

test('openssl reads the key, and it is that of the certificate', needsOpenssl, async (context) => {
  const at = await world(context);
  const ofKey = await openssl('pkey', '-in', at('good.key'), '-pubout');
  const ofCertificate = await openssl('x509', '-in', at('good.pem'), '-noout', '-pubkey');
  assert.match(ofKey, /^-----BEGIN PUBLIC KEY-----/);
  assert.equal(ofKey, ofCertificate);
});
