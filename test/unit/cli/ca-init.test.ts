import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
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

test('ca init --if-missing: made where there is none, and then left as it is, as often as a container starts', async (context) => {
  const { dir, ca } = await emptyFolder(context);
  const first = await json(ca('init', '--if-missing', '--json'));
  assert.equal(first['present'], undefined);
  await done(ca('issue', '--id', ID));
  const before = await list(ca);
  await rm(join(dir, 'example.org.pem'));
  const again = await json(ca('init', '--if-missing', '--json'));
  const { trustDomain, trustBundle, rootKey, issuingKey } = first;
  assert.deepEqual(again, { trustDomain, trustBundle, rootKey, issuingKey, present: true });
  // A file that was lost with a crash is there again.
  assert.equal((await stat(String(trustBundle))).isFile(), true);
  assert.deepEqual(await list(ca), before);
  const told = await ca('init', '--if-missing');
  assert.deepEqual([told.code, told.out], [0, [trustBundle, rootKey, issuingKey]]);
  assert.match(told.err[0] ?? '', /the authority of example\.org is there already, and was left as it is/);
});

test('ca init --if-missing: that of another trust domain is an error, and stays', async (context) => {
  const { dir, ca } = await caFolder(context);
  const before = await readdir(dir);
  const other = await refusal(ca('init', '--if-missing', '--trust-domain', 'a.test'));
  assert.match(other, /^2 .*is the authority of example\.org, not of a\.test/);
  assert.match(await refusal(ca('init', '--if-missing', '--force')), /^2 .*exclude each other/);
  assert.deepEqual(await readdir(dir), before);
});

test('ca init: a root key as Kubernetes mounts a Secret is used: a link to a link, 0440 of root and our group', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only root can give a file to a group');
  const folder = await tempFolder(context);
  await mkdir(join(folder, '..2026_01_01'));
  const file = join(folder, '..2026_01_01', 'root.key');
  await writeFile(file, generateKeyPair('p256').privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await chmod(file, 0o440);
  await symlink('..2026_01_01', join(folder, '..data'));
  await symlink('..data/root.key', join(folder, 'root.key'));
  const { ca } = await emptyFolder(context);
  await chown(file, 0, 61_337);
  assert.match(await refusal(ca('init', '--root-key', join(folder, 'root.key'))), /^3 .*may be read by others/);
  const groups = process.getgroups?.() ?? [];
  process.setgroups?.([61_337]);
  context.after(() => process.setgroups?.(groups));
  await done(ca('init', '--if-missing', '--root-key', join(folder, 'root.key')));
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
