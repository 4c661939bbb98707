import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { err, ok } from '../../../src/core/kernel/result.ts';
import { createIdentityAssembly } from '../../../src/io/sources/identity-assembly.ts';
import { readCertificates } from '../../../src/io/sources/identity-files.ts';
import { createFilesPart, createIdentitySource } from '../../../src/io/sources/identity-source.ts';
import { createAuthority } from '../../support/pki.ts';
import { systemClock } from '../../support/system-clock.ts';
import { replaceFile, tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { IdentityPart, OpenKey } from '../../../src/io/sources/identity-part.ts';

const home = createAuthority();
const leaf = home.issue({ id: 'spiffe://example.org/agent' });
/** Looks happen when the test reloads and at no other time. */
const never = (): (() => void) => () => {};
const deps = { clock: systemClock, timer: never };

async function files(context: TestContext) {
  const folder = await tempFolder(context);
  const at = (name: string): string => join(folder, name);
  await replaceFile(at('agent.pem'), leaf.chainPem);
  await replaceFile(at('agent.key'), leaf.keyPem);
  await replaceFile(at('ca.pem'), home.bundlePem);
  await replaceFile(at('crl.pem'), home.crl().pem);
  const trust = { trustBundles: { 'example.org': at('ca.pem') }, revocationLists: [at('crl.pem')] };
  return { at, trust, paths: { ...trust, certificate: at('agent.pem'), privateKey: at('agent.key') } };
}

test('files are a part with certificate and key, or of trust alone', async (context) => {
  const { paths, trust } = await files(context);
  for (const [given, hasOwn] of [
    [paths, true],
    [trust, false],
  ] as const) {
    const part = createFilesPart(given, deps);
    await part.start();
    part.stop();
    assert.equal(part.problem, undefined);
    assert.equal(part.current?.own !== undefined, hasOwn);
    assert.deepEqual([...(part.current?.bundles.keys() ?? [])], ['example.org']);
    assert.equal(part.current?.crls.length, 1);
    assert.ok(Object.isFrozen(part.current));
  }
});

test('promise 7: a part of files changes whole, and what is wrong with one file leaves all of it as it was', async (context) => {
  const { paths, trust, at } = await files(context);
  const changes: IdentityPart[] = [];
  const part = createFilesPart(paths, { ...deps, onChange: (value) => changes.push(value) });
  await part.start();
  const before = part.current;
  await replaceFile(at('crl.pem'), home.crl({ revoked: [1n] }).pem);
  await replaceFile(at('agent.key'), home.issue().keyPem);
  await part.reload();
  assert.equal(part.current, before);
  assert.deepEqual(part.problem, [`${at('agent.pem')}: the private key is not that of the certificate`]);
  await replaceFile(at('agent.key'), leaf.keyPem);
  await part.reload();
  assert.equal(changes.length, 2);
  assert.equal(part.problem, undefined);
  part.stop();
  const alone = createFilesPart(trust, deps);
  await replaceFile(at('ca.pem'), leaf.certPem);
  await alone.start();
  alone.stop();
  assert.match(alone.problem?.[0] ?? '', /^trust bundle of example\.org, certificate 1: /);
});

test('files as a part and files as a source are the same identity', async (context) => {
  const { paths } = await files(context);
  const source = createIdentitySource(paths, deps);
  const assembly = createIdentityAssembly(
    [{ name: 'files', required: true, create: (watch) => createFilesPart(paths, { ...deps, ...watch }) }],
    deps,
  );
  for (const one of [source, assembly]) {
    await one.start();
    one.stop();
  }
  assert.deepEqual(
    { ...assembly.current, trust: assembly.current?.trust.revision },
    { ...source.current, trust: source.current?.trust.revision },
  );
});

test('keys are opened by the opener that is given: a key of a token keeps its name for TLS', async (context) => {
  const { paths, at } = await files(context);
  const tlsKey = '-----BEGIN PKCS#11 PROVIDER URI-----\nAA==\n-----END PKCS#11 PROVIDER URI-----\n';
  const asked: string[] = [];
  const openKey: OpenKey = (path, bytes) => {
    asked.push(path, Buffer.from(bytes).toString());
    return Promise.resolve(ok({ privateKey: leaf.privateKey, tlsKey, chain: [] }));
  };
  await replaceFile(at('agent.key'), 'pkcs11:token=agent;object=key');
  const source = createIdentitySource(paths, { ...deps, openKey });
  await source.start();
  source.stop();
  assert.deepEqual(asked, [at('agent.key'), 'pkcs11:token=agent;object=key']);
  assert.equal(source.current?.privateKey, tlsKey);
  assert.equal(source.current?.own.path, '/agent');
});

test('a file that holds certificate and key is read as both; where the opener finds no certificate in it, that is told', async (context) => {
  const { paths, at } = await files(context);
  let { chain } = leaf;
  const openKey: OpenKey = () => Promise.resolve(ok({ privateKey: leaf.privateKey, chain }));
  await replaceFile(at('agent.p12'), Buffer.from([0x30, 0x00]));
  const both = { ...paths, certificate: at('agent.p12'), privateKey: at('agent.p12') };
  const source = createIdentitySource(both, { ...deps, openKey });
  await source.start();
  assert.equal(source.current?.own.path, '/agent');
  chain = [];
  await replaceFile(at('agent.p12'), Buffer.from([0x30, 0x01, 0x00]));
  await source.reload();
  source.stop();
  assert.deepEqual(source.problem, [`${at('agent.p12')}: there is no certificate`]);
});

test('a key that others can read is refused before the opener sees it; what the opener refuses is told by path', async (context) => {
  const { paths, at } = await files(context);
  let opened = 0;
  const openKey: OpenKey = () => {
    opened += 1;
    return Promise.resolve(err('the passphrase is wrong'));
  };
  await chmod(at('agent.key'), 0o644);
  const source = createIdentitySource(paths, { ...deps, openKey });
  await source.start();
  assert.equal(opened, 0);
  assert.match(source.problem?.[0] ?? '', /can be read by everybody \(mode 0644\); chmod 600 it$/);
  await chmod(at('agent.key'), 0o600);
  await source.reload();
  source.stop();
  assert.deepEqual(source.problem, [`${at('agent.key')}: the passphrase is wrong`]);
});

test('certificates of a file are read alone too, and what is wrong begins with the path once', async (context) => {
  const { at } = await files(context);
  const read = await readCertificates(at('ca.pem'));
  assert.equal(read.ok && read.value.length, 1);
  assert.deepEqual(await readCertificates(at('agent.key')), {
    ok: false,
    error: `${at('agent.key')}: holds a block "PRIVATE KEY"; only "CERTIFICATE" belongs there`,
  });
  assert.deepEqual(await readCertificates(at('nothing')), {
    ok: false,
    error: `${at('nothing')}: there is no such file`,
  });
});
