import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { createKeyOpener } from '../../../src/io/keys/key-opener.ts';
import { hasCommand } from '../../support/commands.ts';
import { needsSoftHsm, providerPaths } from '../../support/softhsm.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../../..');
const PAGE = readFileSync(join(ROOT, 'docs/keys.md'), 'utf8');
const needsOpenssl = { skip: hasCommand('openssl') ? false : 'needs the openssl command' };

/** The commands below a heading, with this very Node in place of the installed command. */
function commandsBelow(heading: string): string {
  const [, section = ''] = PAGE.split(`\n## ${heading}\n`);
  const [own = ''] = section.split('\n## ');
  const sallyport = `'${process.execPath}' '${join(ROOT, 'src/cli/main.ts')}'`;
  const blocks = [...own.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block);
  return blocks.join('\n').replaceAll(/^sallyport /gm, `${sallyport} `);
}

test('docs/keys.md: encrypted files are made by what stands there', needsOpenssl, async (context) => {
  const folder = await tempFolder(context);
  await run('/bin/sh', ['-e', '-c', commandsBelow('Encrypted files')], { cwd: folder });
  const passphrase = join(folder, 'passphrase');
  const opener = createKeyOpener({ passphrase });
  const keys = (await readdir(join(folder, 'certs'))).filter((name) => name.endsWith('.key'));
  assert.equal(keys.length, 3, 'root, issuing, agent');
  for (const name of keys)
    assert.match(readFileSync(join(folder, 'certs', name), 'latin1'), /BEGIN ENCRYPTED PRIVATE KEY/);
  const opened = await opener.open('agent.p12', readFileSync(join(folder, 'agent.p12')));
  assert.ok(opened.ok, JSON.stringify(opened));
  assert.equal((await stat(join(folder, 'agent.p12'))).mode & 0o077, 0);
  const leaf = new X509Certificate(readFileSync(join(folder, 'certs/agent.pem')));
  assert.equal(
    createHash('sha256')
      .update(opened.value.chain[0] ?? '')
      .digest('hex'),
    createHash('sha256').update(leaf.raw).digest('hex'),
  );
});

test('docs/keys.md: an authority in a token is made by what stands there', needsSoftHsm, async (context) => {
  const folder = await tempFolder(context);
  const { provider, client } = providerPaths;
  // Where Debian 13 has them on its commonest machine; and the server ends with the shell.
  const script = commandsBelow('Keys in a token (PKCS#11)')
    .replace('/usr/lib/x86_64-linux-gnu/ossl-modules/pkcs11.so', provider)
    .replace('/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so', client)
    .replace(
      /^p11-kit server .* &$/m,
      '$& \nserver=$!; trap "kill $server" EXIT; until [ -S p11.sock ]; do sleep 0.02; done',
    );
  assert.match(script, /trap/);
  const copy = `cp '${join(ROOT, 'examples/pkcs11/openssl.cnf')}' openssl.cnf\n`;
  await run('/bin/sh', ['-e', '-c', copy + script], { cwd: folder });
  const written = await readdir(join(folder, 'certs'));
  assert.deepEqual(
    written.filter((name) => name.endsWith('.key')),
    ['agent.key'],
    'no key of the authority is in a file',
  );
  const [leaf, issuing] = readFileSync(join(folder, 'certs/agent.pem'), 'utf8')
    .split(/(?<=END CERTIFICATE-----\n)/)
    .map((pem) => new X509Certificate(pem));
  assert.ok(leaf !== undefined && issuing !== undefined && leaf.verify(issuing.publicKey));
});

test('docs/keys.md: says the bounds that the code has', () => {
  const code = readFileSync(join(ROOT, 'src/io/keys/derivation-cost.ts'), 'utf8');
  const pkcs12 = readFileSync(join(ROOT, 'src/io/keys/pkcs12-contents.ts'), 'utf8');
  assert.ok(code.includes('MAX_ROUNDS = 5_000_000') && PAGE.includes('5,000,000 rounds of PBKDF2'));
  assert.ok(pkcs12.includes('MAX_ITERATIONS = 300_000') && PAGE.includes('300,000 rounds in all parts'));
});
