import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, readdir, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { tempFolder, writeFiles } from '../support/temp-folder.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

/** What `npm pack` needs of a clone; built in a copy, because a test must not leave a `dist` behind. */
const SOURCES = [
  'package.json',
  'src',
  'docs',
  'policies',
  'CHANGELOG.md',
  'SECURITY.md',
  'README.md',
  'LICENSE',
  'tsconfig.json',
  'tsconfig.build.json',
];

/** Packs a copy of this clone and gives the path of the tarball. */
async function pack(folder: string): Promise<string> {
  const clone = join(folder, 'clone');
  await mkdir(clone);
  const there = new Set(await readdir(root));
  for (const name of SOURCES) if (there.has(name)) await cp(join(root, name), join(clone, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(clone, 'node_modules'));
  // The clone's own Node runs the build, as it does after `npm ci`; `prepare` would write into the shared node_modules.
  const path = `${join(root, 'node_modules/.bin')}:${process.env['PATH']}`;
  await run('npm', ['run', 'build'], { cwd: clone, env: { ...process.env, PATH: path } });
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: clone });
  const [{ filename, files }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
  const paths = files.map((file) => file.path);
  for (const path of [
    'dist/cli/main.js',
    'dist/io/rego/rego.wasm.br',
    'dist/app/identity-library.d.ts',
    'docs/keys.md',
  ])
    assert.ok(paths.includes(path), path);
  assert.deepEqual(
    paths.filter((path) => /\.(?:key|pem)$|(?<!\.d)\.ts$|^test\//.test(path)),
    [],
  );
  return join(folder, filename);
}

test(
  'the package installs into an empty folder, and runs there on the pinned Node',
  { timeout: 180_000 },
  async (context) => {
    const folder = await tempFolder(context);
    const tarball = await pack(folder);
    const elsewhere = join(folder, 'elsewhere');
    await writeFiles(elsewhere, {
      'package.json': '{"name":"elsewhere","private":true}',
      'bad.yaml': 'policy: {mode: off}\ninbound: 3\n',
    });
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], { cwd: elsewhere });
    const sallyport = (...args: string[]) => run('npx', ['--no-install', 'sallyport', ...args], { cwd: elsewhere });

    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    const told = JSON.parse((await sallyport('version', '--json')).stdout) as { sallyport: string; node: string };
    assert.equal(told.sallyport, version);
    assert.match(told.node, /^26\./);

    const refused = await sallyport('run', '--config', 'bad.yaml').then(
      () => assert.fail('it ran'),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
    assert.deepEqual([refused.code, refused.stdout], [2, '']);
    for (const path of ['identity', 'inbound', 'policy.bundle', 'policy.mode']) {
      assert.match(refused.stderr, new RegExp(`bad\\.yaml:\\d+:\\d+: ${path.replace('.', '\\.')}: expected `));
    }

    await sallyport('ca', 'init');
    await sallyport('ca', 'issue', '--id', 'spiffe://example.org/agent');
    await writeFiles(elsewhere, {
      'policies/authz.rego': 'package sallyport.authz\n\ndecision := input.attributes.request.http.method == "GET"\n',
      'sallyport.yaml': [
        'identity: {certificate: certs/agent.pem, privateKey: certs/agent.key, trustBundles: {example.org: certs/example.org.pem}}',
        'inbound: [{listen: "127.0.0.1:0", upstream: "http://127.0.0.1:1"}]',
        'policy: {bundle: policies}',
      ].join('\n'),
    });
    const checked = await sallyport('check', '--config', 'sallyport.yaml', '--json');
    assert.equal((JSON.parse(checked.stdout) as { ok: boolean }).ok, true);

    assert.equal(await ranFromThePage(elsewhere), 'spiffe://example.org/agents/mine\n');
  },
);

/** What the program of docs/library.md prints, run in a folder of its own below an installed package. */
async function ranFromThePage(elsewhere: string): Promise<string> {
  const page = await readFile(join(root, 'docs/library.md'), 'utf8');
  const program = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, block = '']) => block).join('\n');
  await writeFiles(join(elsewhere, 'own'), { 'program.mjs': program });
  return (await run(process.execPath, ['program.mjs'], { cwd: join(elsewhere, 'own') })).stdout;
}
