import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { checkIdentity } from '../../../src/app/identity-check.ts';
import { createAuthority } from '../../support/pki.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { IdentitySettings } from '../../../src/core/config/identity-settings.ts';
import type { SpiffeId } from '../../../src/core/kernel/brand.ts';

const NOTHING = { federation: {}, revocationLists: [], revocationListUrls: [], requireRevocationLists: false } as const;

type Asked = { readonly settings: IdentitySettings; readonly folder: string; readonly connections: () => number };

/** An identity from an authority that counts who connects to it. */
async function fromAuthority(context: TestContext, files: Readonly<Record<string, string>> = {}): Promise<Asked> {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'roots.pem': createAuthority().bundlePem, token: 'sp1_token', ...files });
  await chmod(join(folder, 'token'), 0o600);
  let count = 0;
  const server = createServer((socket) => {
    count += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  context.after(() => server.close());
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const id = 'spiffe://example.org/ca' as SpiffeId;
  const paths = { trustBundle: join(folder, 'roots.pem'), token: join(folder, 'token') };
  const authority = { url, id, method: 'join-token', keyType: 'p256', ...paths } as const;
  const settings: IdentitySettings = {
    ...NOTHING,
    source: 'authority',
    trustBundles: {},
    authority,
    passphrase: undefined,
  };
  return { settings, folder, connections: () => count };
}

describe('source: authority', () => {
  test('roots that stand in the configuration itself are judged as those of a file', async (context) => {
    const { settings } = await fromAuthority(context);
    assert.ok(settings.source === 'authority');
    const { trustBundle: _, ...access } = settings.authority;
    const problems = async (trustBundlePem: string) =>
      (await checkIdentity({ ...settings, authority: { ...access, trustBundlePem } })).problems;
    const root = createAuthority();
    assert.deepEqual(await problems(root.bundlePem), []);
    assert.deepEqual(await problems('-----BEGIN CERTIFICATE-----\n'), [
      'identity.authority.trustBundle: line 1: a block without end',
    ]);
    const [leaf = ''] = await problems(root.issue({ id: 'spiffe://example.org/a' }).chainPem);
    assert.match(leaf, /^identity\.authority\.trustBundle: /);
  });

  test('is not asked: a token serves once', async (context) => {
    const { settings, connections } = await fromAuthority(context);
    const found = await checkIdentity(settings);
    assert.deepEqual([found.problems, found.warnings, connections()], [[], [], 0]);
    assert.match(found.from ?? '', /^the authority at https:\/\/127\.0\.0\.1:\d+\/$/);
  });

  test('roots that are none, a token that others read, files that are not there: each by its path', async (context) => {
    const { settings, folder } = await fromAuthority(context, { 'roots.pem': 'nothing' });
    await chmod(join(folder, 'token'), 0o644);
    const trustBundles = { 'b.org': join(folder, 'b.pem') };
    const { problems } = await checkIdentity({ ...settings, trustBundles });
    assert.equal(problems.length, 3);
    for (const [index, name] of ['token', 'roots.pem', 'b.pem'].entries())
      assert.ok(problems[index]?.startsWith(join(folder, name)), problems[index] ?? name);
    assert.ok(!problems.join().includes('sp1_token'));
  });
});

describe('source: workload-api', () => {
  const settings: IdentitySettings = { ...NOTHING, source: 'workload-api', trustBundles: {}, workloadApi: {} };

  test('the socket has to be named, and to be one', async () => {
    const unnamed = await checkIdentity(settings);
    assert.match(unnamed.problems.join(), /SPIFFE_ENDPOINT_SOCKET/);
    const odd = await checkIdentity({ ...settings, workloadApi: { socket: 'http://x' } });
    assert.equal(odd.problems.length, 1);
  });

  test('is not asked either', async () => {
    const found = await checkIdentity({ ...settings, workloadApi: { socket: 'unix:///does/not/exist.sock' } });
    assert.deepEqual([found.problems, found.from], [[], 'the Workload API at unix:///does/not/exist.sock']);
  });
});
