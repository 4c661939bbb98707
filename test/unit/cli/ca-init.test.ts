import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { test } from 'node:test';

import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { createIdentitySource } from '../../../src/io/sources/identity-source.ts';
import { caFolder, done, emptyFolder, ID, json, list, modeOf, refusal } from '../../support/ca-commands.ts';
import { sallyport } from '../../support/cli.ts';
import { systemClock } from '../../support/system-clock.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

test('ca init: bundle, keys and lists by path on stdout, what to do with the keys on stderr', async (context) => {
  const { dir, ca } = await emptyFolder(context);
  const { code, out, err } = await ca('init', '--trust-domain', 'a.test');
  assert.equal(code, 0);
  const names = out.map((path) => basename(path).replace(/-[0-9a-f]{8}/, ''));
  assert.deepEqual(names, ['a.test.pem', 'a.test.root.key', 'a.test.issuing.key', 'a.test.crl.pem']);
  assert.deepEqual(await Promise.all(out.map(modeOf)), ['644', '600', '600', '644']);
  assert.match(err[0] ?? '', /a\.test\.root-.*move it to a safe place/);
  assert.match(err[1] ?? '', /a\.test\.issuing-.*is not encrypted: whoever reads it can be anyone in a\.test/);
  assert.equal(await modeOf(join(dir, 'authority.db')), '600');
});

test('what init and issue write is what a sidecar that requires lists reads, without a warning', async (context) => {
  const { dir, ca } = await caFolder(context);
  const [certificate = '', privateKey = ''] = await done(
    ca('issue', '--id', ID, '--dns', 'localhost', '--ip', '127.0.0.1', '--ttl', '1h'),
  );
  assert.deepEqual([certificate, privateKey], [join(dir, 'planner.pem'), join(dir, 'planner.key')]);
  assert.deepEqual([await modeOf(certificate), await modeOf(privateKey)], ['644', '600']);
  const pem = await readFile(certificate, 'utf8');
  const blocks = pemBlocks(pem);
  assert.equal(blocks.ok && blocks.value.length, 2);
  const leaf = new X509Certificate(pem);
  assert.equal(leaf.subjectAltName, `URI:${ID}, DNS:localhost, IP Address:127.0.0.1`);
  assert.equal(leaf.checkPrivateKey(createPrivateKey(await readFile(privateKey))), true);
  const source = createIdentitySource(
    {
      certificate,
      privateKey,
      trustBundles: { 'example.org': join(dir, 'example.org.pem') },
      revocationLists: [join(dir, 'example.org.crl.pem')],
    },
    { clock: systemClock },
  );
  await source.start();
  source.stop();
  assert.deepEqual([source.problem, source.current?.own.spiffeId, source.current?.warnings], [undefined, ID, []]);
  assert.equal(source.current?.trust.crls.length, 2);
});

test('ca init: keys that are there already are used and none is made; else the root key is written where it is named', async (context) => {
  const folder = await tempFolder(context);
  const keyFile = async (name: string, key = generateKeyPair('ed25519').privateKey): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    return path;
  };
  const [root, issuing] = [await keyFile('root.key'), await keyFile('issuing.key', generateKeyPair('p256').privateKey)];
  const ofRoot = createPublicKey(await readFile(root));
  const { dir, ca } = await caFolder(context, '--root-key', root, '--issuing-key', issuing);
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.endsWith('.key')),
    [],
  );
  const { publicKey } = new X509Certificate(await readFile(join(dir, 'example.org.pem')));
  assert.equal(publicKey.equals(ofRoot), true);
  await done(ca('issue', '--id', ID));
  const fresh = relative(process.cwd(), join(folder, 'fresh.key'));
  const made = await json(ca('init', '--force', '--root-key', fresh, '--json'));
  assert.deepEqual([made['rootKey'], await modeOf(fresh)], [join(folder, 'fresh.key'), '600']);
});

test('ca init: an authority is not replaced by accident; --force puts it aside, whole', async (context) => {
  const { dir, ca } = await caFolder(context);
  await done(ca('issue', '--id', ID));
  const before = await readdir(dir);
  assert.match(await refusal(ca('init')), /^2 .*is the authority of example\.org already/);
  assert.deepEqual(await readdir(dir), before);
  const { code, err } = await ca('init', '--force');
  assert.equal(code, 0);
  assert.match(err[0] ?? '', /the authority that was there is in .*replaced-20/);
  const aside = (await readdir(dir)).find((name) => name.startsWith('replaced-')) ?? '';
  const own = before.filter((name) => !/^(?:planner\.|authority\.db-)/.test(name));
  assert.deepEqual((await readdir(join(dir, aside))).sort(), own.sort());
  assert.equal(await modeOf(join(dir, aside)), '700');
  assert.deepEqual((await list(ca)).certificates, []);
  assert.equal((await sallyport(['ca', 'list', '--dir', join(dir, aside)])).code, 0);
});

test('ca init --force: where another cannot be made, the one that is there stays', async (context) => {
  const { dir, ca } = await caFolder(context);
  const before = await readdir(dir);
  await writeFiles(dir, { 'no.key': 'none' });
  for (const args of [
    ['--passphrase', join(dir, 'none')],
    ['--root-key', join(dir, 'none/root.key')],
    ['--root-key', join(dir, 'no.key')],
    ['--issuing-key', join(dir, 'none')],
  ]) {
    assert.match(await refusal(ca('init', '--force', ...args)), /^3 /, args.join(' '));
    assert.deepEqual((await readdir(dir)).toSorted(), [...before, 'no.key'].toSorted());
  }
  for (const domain of ['Example.org', '..'])
    assert.match(await refusal(ca('init', '--force', '--trust-domain', domain)), /^2 /);
  await done(ca('issue', '--id', ID));
});

test('what is refused is exit 2, what the system refuses is exit 3', async (context) => {
  const { dir, ca } = await emptyFolder(context);
  for (const args of [['list'], ['crl'], ['renew'], ['issue', '--id', ID], ['token', '--id', ID]])
    assert.match(await refusal(ca(...args)), /^2 .*no authority in .*ca init/, args.join(' '));
  await assert.rejects(stat(dir));
  for (const domain of ['..', '../x', 'a/b', '', 'Example.org'])
    assert.match(await refusal(ca('init', '--trust-domain', domain)), /^2 /, domain);
  await writeFiles(dir, { file: '', 'b.test.pem': 'a bundle' });
  assert.match(await refusal(sallyport(['ca', 'init', '--dir', join(dir, 'file')])), /^3 /);
  assert.match(await refusal(ca('init', '--trust-domain', 'b.test')), /^2 .*b\.test\.pem is there already/);
  assert.match(await refusal(ca('init', '--passphrase', join(dir, 'none'))), /^3 .*passphrase cannot be read/);
});
