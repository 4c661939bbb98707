import assert from 'node:assert/strict';
import { chmod, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { createIdentitySource } from '../../../src/io/sources/identity-source.ts';
import { createAuthority } from '../../support/pki.ts';
import { replaceFile, tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { Source } from '../../../src/io/sources/follower.ts';
import type { IdentityPaths } from '../../../src/io/sources/identity-files.ts';
import type { IdentitySnapshot } from '../../../src/io/sources/identity-source.ts';
import type { Authority, Issued } from '../../support/pki.ts';

interface World {
  readonly folder: string;
  readonly paths: IdentityPaths;
  readonly authority: Authority;
  readonly leaf: Issued;
  readonly source: Source<IdentitySnapshot>;
  /** Resolves with the next value that comes in force. */
  readonly next: () => Promise<IdentitySnapshot>;
}

const NOW = { clock: { wallMs: () => Date.now(), monotonicMs: () => 0 } };

/** Sound files on disk and a source over them; `pollMs` beyond the test leaves only events. */
async function world(context: TestContext, pollMs = 3_600_000): Promise<World> {
  const folder = await tempFolder(context);
  const authority = createAuthority();
  const leaf = authority.issue({ id: 'spiffe://example.org/agent' });
  const paths = {
    certificate: join(folder, 'agent.pem'),
    privateKey: join(folder, 'agent.key'),
    trustBundles: { 'example.org': join(folder, 'example.org.pem') },
    revocationLists: [join(folder, 'example.org.crl.pem')],
  };
  await replaceFile(paths.certificate, leaf.chainPem);
  await replaceFile(paths.privateKey, leaf.keyPem);
  await replaceFile(paths.trustBundles['example.org'], authority.bundlePem);
  await replaceFile(paths.revocationLists[0] ?? '', authority.crl().pem);
  let changed = Promise.withResolvers<IdentitySnapshot>();
  const onChange = (value: IdentitySnapshot): void => {
    changed.resolve(value);
    changed = Promise.withResolvers();
  };
  const source = createIdentitySource(paths, { ...NOW, pollMs, settleMs: 5, onChange });
  context.after(() => source.stop());
  return { folder, paths, authority, leaf, source, next: () => changed.promise };
}

test('sound files are one snapshot: own identity, trust, and PEM for the TLS library', async (context) => {
  const { source, leaf, authority } = await world(context);
  await source.start();
  const snapshot = source.current;
  assert.equal(source.problem, undefined);
  assert.equal(snapshot?.own.spiffeId, 'spiffe://example.org/agent');
  assert.deepEqual([...snapshot.trust.anchors.keys()], ['example.org']);
  assert.equal(snapshot.trust.crls.length, 1);
  assert.equal(snapshot.certificateChain, leaf.chainPem);
  assert.deepEqual(snapshot.trustAnchors, [authority.bundlePem]);
  assert.deepEqual(snapshot.warnings, []);
  assert.ok(Object.isFrozen(snapshot));
});

test('a certificate and key that are renamed into place go in force by the event alone', async (context) => {
  const { source, authority, paths, next } = await world(context);
  await source.start();
  const renewed = authority.issue({ id: 'spiffe://example.org/renewed' });
  const change = next();
  await replaceFile(paths.privateKey, renewed.keyPem);
  await replaceFile(paths.certificate, renewed.chainPem);
  assert.equal((await change).own.spiffeId, 'spiffe://example.org/renewed');
  assert.equal(source.problem, undefined);
});

test('a file written in place is followed as well', async (context) => {
  const { source, paths, authority, next } = await world(context);
  await source.start();
  const change = next();
  await writeFile(paths.revocationLists[0] ?? '', authority.crl({ revoked: [7n, 8n] }).pem);
  assert.equal((await change).trust.crls[0]?.entries, 2);
});

test('what events miss the regular look finds', async (context) => {
  const { source, paths, authority, next } = await world(context, 10);
  await source.start();
  const change = next();
  const other = createAuthority();
  await replaceFile(paths.trustBundles['example.org'] ?? '', authority.bundlePem + other.bundlePem);
  assert.equal((await change).trustAnchors.length, 2);
});

test('Kubernetes: a mount swapped by its ..data link changes key and certificate together', async (context) => {
  const { folder, authority } = await world(context);
  const mount = join(folder, 'mount');
  const write = async (version: string, leaf: Issued): Promise<void> => {
    await mkdir(join(mount, version), { recursive: true });
    await writeFile(join(mount, version, 'agent.pem'), leaf.chainPem);
    await writeFile(join(mount, version, 'agent.key'), leaf.keyPem, { mode: 0o600 });
    await writeFile(join(mount, version, 'ca.pem'), authority.bundlePem);
  };
  await write('..1', authority.issue({ id: 'spiffe://example.org/one' }));
  await symlink('..1', join(mount, '..data'));
  for (const name of ['agent.pem', 'agent.key', 'ca.pem']) await symlink(join('..data', name), join(mount, name));
  const changed = Promise.withResolvers<IdentitySnapshot>();
  let first = true;
  const source = createIdentitySource(
    {
      certificate: join(mount, 'agent.pem'),
      privateKey: join(mount, 'agent.key'),
      trustBundles: { 'example.org': join(mount, 'ca.pem') },
      revocationLists: [],
    },
    {
      ...NOW,
      pollMs: 3_600_000,
      settleMs: 5,
      onChange: (value) => {
        if (!first) changed.resolve(value);
        first = false;
      },
      onProblem: (problem) => changed.reject(new Error(problem?.join())),
    },
  );
  context.after(() => source.stop());
  await source.start();
  assert.equal(source.current?.own.path, '/one');
  await write('..2', authority.issue({ id: 'spiffe://example.org/two' }));
  await symlink('..2', join(mount, '..data_tmp'));
  await rename(join(mount, '..data_tmp'), join(mount, '..data'));
  assert.equal((await changed.promise).own.path, '/two');
});

test('promise 7: a key that is not that of the certificate leaves the old pair in force and is told', async (context) => {
  const { source, authority, paths } = await world(context);
  await source.start();
  await replaceFile(paths.privateKey, authority.issue().keyPem);
  await source.reload();
  assert.equal(source.current?.own.spiffeId, 'spiffe://example.org/agent');
  assert.deepEqual(source.problem, [`${paths.certificate}: the private key is not that of the certificate`]);
});

test('touching a file changes nothing', async (context) => {
  const { source, paths } = await world(context);
  await source.start();
  const before = source.current;
  await utimes(paths.certificate, new Date(), new Date(Date.now() + 5_000));
  await source.reload();
  assert.equal(source.current, before);
});

test('a key that everybody can read is refused, also when only its mode changes', async (context) => {
  const { source, paths } = await world(context);
  await source.start();
  await chmod(paths.privateKey, 0o644);
  await source.reload();
  assert.deepEqual(source.problem, [
    `${paths.privateKey}: the private key can be read by everybody (mode 0644); chmod 600 it`,
  ]);
  await chmod(paths.privateKey, 0o400);
  await source.reload();
  assert.equal(source.problem, undefined);
});

test('a key that others can write is refused; one that its group can read is warned of', async (context) => {
  const { source, paths } = await world(context);
  await chmod(paths.privateKey, 0o620);
  await source.start();
  assert.match(source.problem?.[0] ?? '', /can be written by others \(mode 0620\)/);
  await chmod(paths.privateKey, 0o640);
  await source.reload();
  assert.deepEqual(source.current?.warnings, [
    `${paths.privateKey}: the private key can be read by its group (mode 0640)`,
  ]);
});

test('a certificate that is not yet valid goes in force when it is, without a change of files', async (context) => {
  const { folder, authority, paths } = await world(context);
  let now = Date.now() - 30 * 86_400_000;
  const leaf = authority.issue({ notBefore: new Date(now + 1_000) });
  const early = createAuthority({ notBefore: new Date(now - 1_000) });
  await replaceFile(paths.certificate, leaf.chainPem);
  await replaceFile(paths.privateKey, leaf.keyPem);
  await replaceFile(join(folder, 'ca.pem'), early.bundlePem);
  const valid = Promise.withResolvers<IdentitySnapshot>();
  const source = createIdentitySource(
    { ...paths, trustBundles: { 'example.org': join(folder, 'ca.pem') }, revocationLists: [] },
    { clock: { wallMs: () => now, monotonicMs: () => 0 }, pollMs: 5, onChange: valid.resolve },
  );
  context.after(() => source.stop());
  await source.start();
  assert.match(source.problem?.[0] ?? '', /not valid before/);
  now += 2_000;
  assert.equal((await valid.promise).own.path, '/agent');
});

test('revocation lists may be DER', async (context) => {
  const { source, authority, paths } = await world(context);
  await replaceFile(paths.revocationLists[0] ?? '', authority.crl({ revoked: [1n] }).der);
  await source.start();
  assert.equal(source.current?.trust.crls[0]?.entries, 1);
});

test('everything that is wrong is told together, by path', async (context) => {
  const { source, authority, leaf, paths } = await world(context);
  await replaceFile(paths.certificate, leaf.chainPem + leaf.keyPem);
  await replaceFile(paths.privateKey, 'no key');
  await replaceFile(paths.trustBundles['example.org'] ?? '', '');
  await replaceFile(paths.revocationLists[0] ?? '', authority.bundlePem);
  await source.start();
  assert.deepEqual(source.problem, [
    `${paths.certificate}: holds a block "PRIVATE KEY"; only "CERTIFICATE" belongs there`,
    `${paths.privateKey}: holds 0 private keys; one is needed`,
    `${paths.trustBundles['example.org']}: holds no PEM block "CERTIFICATE"`,
    `${paths.revocationLists[0]}: holds a block "CERTIFICATE"; only "X509 CRL" belongs there`,
  ]);
});

test('a leaf in the place of a CA certificate is refused by the trust store', async (context) => {
  const { source, leaf, paths } = await world(context);
  await replaceFile(paths.trustBundles['example.org'] ?? '', leaf.certPem);
  await source.start();
  assert.match(source.problem?.[0] ?? '', /trust bundle of example\.org, certificate 1: /);
});

test('promise 10: no problem holds anything of a private key', async (context) => {
  const { source, leaf, paths } = await world(context);
  const base64 = leaf.keyPem.split('\n').slice(1, -2);
  const broken = [
    leaf.keyPem.replace('-----END PRIVATE KEY-----', ''),
    leaf.keyPem.replace(base64[0] ?? '', `!${base64[0]}`),
    leaf.keyPem + leaf.keyPem,
    leaf.keyPem.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY'),
    leaf.keyPem.replace(base64[1] ?? '', ''),
  ];
  for (const text of broken) {
    await replaceFile(paths.privateKey, text);
    await source.reload();
    assert.equal(source.problem?.length, 1, text);
    for (const line of base64) assert.equal(source.problem.join().includes(line), false);
  }
});

test('a file that is gone, a folder in its place and a pipe are told, and nothing waits', async (context) => {
  const { source, paths, folder } = await world(context);
  await rm(paths.certificate);
  await rm(paths.privateKey);
  await mkdir(paths.privateKey);
  await source.start();
  assert.deepEqual(source.problem, [
    `${paths.certificate}: there is no such file`,
    `${paths.privateKey}: is no regular file`,
  ]);
  const { execFileSync } = await import('node:child_process');
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const pipe = createIdentitySource({ ...paths, certificate: join(folder, 'pipe') }, { ...NOW, pollMs: 3_600_000 });
  await pipe.start();
  pipe.stop();
  assert.equal(pipe.problem?.[0], `${join(folder, 'pipe')}: is no regular file`);
});
