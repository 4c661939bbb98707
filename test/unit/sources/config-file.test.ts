import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { readConfigFile } from '../../../src/io/sources/config-file.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

const TEXT = `
identity:
  certificate: certs/agent.pem
  privateKey: /run/agent.key
  trustBundles: {example.org: ../ca.pem}
  revocationLists: [./a.crl]
inbound: [{listen: "127.0.0.1:0", upstream: "http+unix:///run/agent.sock"}]
policy: {bundle: \${POLICY}, protoDescriptors: api.pb}
journal: [stdout, "file:logs/decisions.log"]
`;

test('relative paths count from the folder of the file, wherever the process stands', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'etc/sallyport.yaml': TEXT.replace('${POLICY}', '"${POLICY}"') });
  const config = await readConfigFile(join(folder, 'etc/sallyport.yaml'), { POLICY: 'policies' });
  assert.ok(config.ok, JSON.stringify(config));
  const { identity, policy, journal, inbound } = config.value;
  const at = (path: string): string => join(folder, path);
  assert.ok(identity.source === 'files');
  assert.deepEqual(
    [identity.certificate, identity.privateKey, identity.trustBundles, identity.revocationLists],
    [at('etc/certs/agent.pem'), '/run/agent.key', { 'example.org': at('ca.pem') }, [at('etc/a.crl')]],
  );
  assert.deepEqual(
    [policy.bundle, policy.protoDescriptors],
    [{ kind: 'path', path: at('etc/policies') }, at('etc/api.pb')],
  );
  assert.deepEqual(journal, [{ kind: 'stdout' }, { kind: 'file', path: at('etc/logs/decisions.log') }]);
  assert.deepEqual(inbound[0]?.upstream.address, { kind: 'unix', path: '/run/agent.sock' });
  for (const part of [config.value, identity, policy, policy.bundle, journal]) assert.ok(Object.isFrozen(part));
});

test('so do those of an authority and of bundle endpoints', async (context) => {
  const folder = await tempFolder(context);
  const authority = {
    url: 'https://ca:1',
    id: 'spiffe://example.org/ca',
    trustBundle: 'roots.pem',
    token: 'token',
    keep: 'kept',
  };
  const federation = { 'b.org': { url: 'https://b/bundle', profile: 'https_web', trustBundle: 'b.pem' } };
  const identity = { source: 'authority', authority, federation, revocationLists: ['http://crl.b/list', 'own.crl'] };
  const rest = { inbound: [{ listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:1' }], policy: { bundle: 'p' } };
  await writeFiles(folder, { 'sallyport.json': JSON.stringify({ identity, ...rest }) });
  const config = await readConfigFile(join(folder, 'sallyport.json'), {});
  assert.ok(config.ok, JSON.stringify(config));
  const read = config.value.identity;
  assert.ok(read.source === 'authority');
  const at = (path: string): string => join(folder, path);
  assert.deepEqual(
    [read.authority.trustBundle, read.authority.token, read.authority.keep, read.federation['b.org']?.trustBundle],
    [at('roots.pem'), at('token'), at('kept'), at('b.pem')],
  );
  assert.deepEqual([read.revocationLists, read.revocationListUrls], [[at('own.crl')], ['http://crl.b/list']]);
  for (const part of [read, read.authority, read.federation, read.revocationLists]) assert.ok(Object.isFrozen(part));
});

test('so do those of servers and keys', async (context) => {
  const folder = await tempFolder(context);
  const access = { tokenFile: 't', trustBundle: 'ca.pem', certificate: 'c.pem', privateKey: '/k.pem' };
  const file = {
    identity: { certificate: 'c', privateKey: 'k', trustBundles: { 'example.org': 'b' } },
    inbound: [{ listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:1' }],
    policy: {
      bundle: 'https://control.test/b',
      bundleServer: { ...access, persist: 'keep' },
      verification: { keys: { a: { algorithm: 'RS256', file: 'a.pem' }, b: { algorithm: 'HS256', secret: 's' } } },
    },
    journal: [{ url: 'https://control.test/logs', ...access }],
    status: { url: 'https://control.test/status', ...access },
  };
  await writeFiles(folder, { 'sallyport.json': JSON.stringify(file) });
  const config = await readConfigFile(join(folder, 'sallyport.json'), {});
  assert.ok(config.ok, JSON.stringify(config));
  const at = (path: string): string => join(folder, path);
  const paths = { tokenFile: at('t'), trustBundle: at('ca.pem'), certificate: at('c.pem'), privateKey: '/k.pem' };
  const { policy, journal, status } = config.value;
  for (const server of [policy.bundleServer, journal[0], status]) {
    assert.deepEqual({ ...server, ...paths }, server);
    assert.ok(Object.isFrozen(server));
  }
  assert.equal(policy.bundleServer.persist, at('keep'));
  assert.deepEqual(
    [policy.verification?.keys['a']?.file, policy.verification?.keys['b']?.file],
    [at('a.pem'), undefined],
  );
});

test('mistakes come as mistakes, a missing file as unreadable', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'bad.yaml': 'identity: 1' });
  const bad = await readConfigFile(join(folder, 'bad.yaml'), {});
  assert.ok(!bad.ok && bad.error.kind === 'mistakes' && bad.error.mistakes.length >= 3);
  const missing = join(folder, 'none.yaml');
  const none = await readConfigFile(missing, {});
  assert.deepEqual(none, { ok: false, error: { kind: 'unreadable', detail: `${missing}: there is no such file` } });
});
