import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { createAuthority } from '../support/pki.ts';
import { SidecarProcess, spawnSidecar } from '../support/sidecar-process.ts';
import { ALLOW_ALL, OWN_ID, policyBundle, systemConfig } from '../support/system.ts';
import { replaceFile, tempFolder, writeFiles } from '../support/temp-folder.ts';

/** Fourteen mistakes of different kinds. The numbers are the lines they are on. */
const WRONG = `identity:
  certificate: own.pem
  privateKey: 42
  trustBundles:
    Example.org: trust.pem
inbound:
  - listen: 127.0.0.1
    upstream: ftp://127.0.0.1:80
    limits:
      headTimeout: fast
      headerCount: 100000
      bodyByts: 1MiB
  - upstream: http://10.1.2.3:8080
    listen: 127.0.0.1:0
policy:
  decision: ../other
  mode: maybe
journal: []
admin:
  listen: 0.0.0.0:9901
unknown: true
`;

const EXPECTED: readonly (readonly [line: number, path: string])[] = [
  [3, 'identity.privateKey'],
  [5, 'identity.trustBundles["Example.org"]'],
  [7, 'inbound[0].listen'],
  [8, 'inbound[0].upstream'],
  [10, 'inbound[0].limits.headTimeout'],
  [11, 'inbound[0].limits.headerCount'],
  [12, 'inbound[0].limits.bodyByts'],
  [13, 'inbound[1].upstream'],
  [15, 'policy.bundle'],
  [16, 'policy.decision'],
  [17, 'policy.mode'],
  [18, 'journal'],
  [20, 'admin.listen'],
  [21, 'unknown'],
];

/** Runs the process on a file until it ends by itself. */
async function ended(sidecar: SidecarProcess): Promise<{ readonly code: unknown; readonly said: readonly string[] }> {
  const code = await sidecar.exited();
  assert.ok(!sidecar.log.some(({ msg }) => msg === 'listening' || msg === 'outbound listening'), 'it never listened');
  return { code, said: [...sidecar.complaints, ...sidecar.log.map(({ msg }) => msg)] };
}

async function runFile(context: TestContext, folder: string, text: string): ReturnType<typeof ended> {
  const path = join(folder, 'sallyport.yaml');
  await writeFile(path, text);
  const sidecar = new SidecarProcess(folder, path);
  context.after(() => sidecar.kill());
  return ended(sidecar);
}

test(
  'all mistakes are listed together, each with its line and path, and the exit code is 2',
  { timeout: 60_000 },
  async (context) => {
    const folder = await tempFolder(context);
    const { code, said } = await runFile(context, folder, WRONG);
    assert.equal(code, 2);
    const found = said.flatMap((line) => {
      const match = /sallyport\.yaml:(\d+):\d+: ([^ ]+): expected .+, found /.exec(line);
      return match === null ? [] : [[Number(match[1]), match[2]]];
    });
    assert.deepEqual(found, EXPECTED, said.join('\n'));
    assert.match(said.at(-1) ?? '', new RegExp(`${EXPECTED.length} mistakes`));
  },
);

test('a file that is no YAML says where it stops being one, exit 2', { timeout: 60_000 }, async (context) => {
  const folder = await tempFolder(context);
  const { code, said } = await runFile(context, folder, 'identity:\n  certificate: "own.pem\ninbound: [\n');
  assert.equal(code, 2);
  assert.match(said.join('\n'), /sallyport\.yaml:\d+:\d+: /);
});

test('a file that cannot be read is no mistake in it, exit 3', { timeout: 60_000 }, async (context) => {
  const folder = await tempFolder(context);
  const sidecar = new SidecarProcess(folder, join(folder, 'absent.yaml'));
  context.after(() => sidecar.kill());
  const { code, said } = await ended(sidecar);
  assert.equal(code, 3);
  assert.match(said.join('\n'), /absent\.yaml/);
});

type Broken = readonly [title: string, code: 2 | 3, sign: RegExp, files: Readonly<Record<string, string | undefined>>];

const GARBLED = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

/** What is left out (undefined) or put in place of a good file. */
const BROKEN: readonly Broken[] = [
  ['no certificate', 2, /own\.pem/, { 'own.pem': undefined }],
  ['a certificate that is none', 2, /own\.pem/, { 'own.pem': GARBLED }],
  ['no private key', 2, /own\.key/, { 'own.key': undefined }],
  ['no trust bundle', 2, /trust\.pem/, { 'trust.pem': undefined }],
  ['no policy', 2, /policy\.tar\.gz/, { 'policy.tar.gz': undefined }],
  ['a policy that is none', 2, /policy\.tar\.gz|bundle|gzip/, { 'policy.tar.gz': 'not a bundle' }],
  [
    'all three at once',
    2,
    /own\.pem[^]*policy|policy[^]*own\.pem/,
    { 'own.pem': undefined, 'policy.tar.gz': undefined },
  ],
];

test(
  'without certificate, key, trust or policy it does not start: exit 2 before anything listens',
  { timeout: 120_000 },
  async (context) => {
    const authority = createAuthority();
    const own = authority.issue({ id: OWN_ID });
    const bundle = await policyBundle(ALLOW_ALL);
    const config = {
      ...systemConfig({ upstream: 'http://127.0.0.1:1', policy: ALLOW_ALL }),
      journal: ['file:records.ndjson'],
      admin: { listen: '127.0.0.1:0' },
    };
    const good: Readonly<Record<string, string | Uint8Array>> = {
      'own.pem': own.chainPem,
      'trust.pem': authority.bundlePem,
      'policy.tar.gz': bundle,
    };
    for (const [title, code, sign, files] of BROKEN) {
      await context.test(title, async (context) => {
        const folder = await tempFolder(context);
        await writeFiles(folder, good);
        await replaceFile(join(folder, 'own.key'), own.keyPem);
        for (const [name, content] of Object.entries(files)) await replaceFile(join(folder, name), content ?? '');
        const gone = Object.entries(files).flatMap(([name, content]) => (content === undefined ? [name] : []));
        await Promise.all(gone.map((name) => rm(join(folder, name))));
        const { code: actual, said } = await ended(await spawnSidecar(context, folder, config));
        assert.equal(actual, code, said.join('\n'));
        assert.match(said.join('\n'), sign);
        assert.ok(!said.join('\n').includes('PRIVATE KEY'), 'and no key is in what it says');
      });
    }

    await context.test('an address that is taken: exit 3', async (context) => {
      const folder = await tempFolder(context);
      await writeFiles(folder, good);
      await replaceFile(join(folder, 'own.key'), own.keyPem);
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      context.after(() => server.close());
      const { port } = server.address() as AddressInfo;
      const taken = [{ listen: `127.0.0.1:${port}`, upstream: 'http://127.0.0.1:1' }];
      const { code, said } = await ended(await spawnSidecar(context, folder, { ...config, inbound: taken }));
      assert.equal(code, 3);
      assert.match(said.join('\n'), /EADDRINUSE/);
    });
  },
);
