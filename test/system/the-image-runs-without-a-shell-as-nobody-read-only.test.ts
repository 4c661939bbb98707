import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { POLICY_SERVICE_BUNDLE } from '../../helm/image/contents.ts';
import { hasCommand } from '../support/commands.ts';
import { tempFolder } from '../support/temp-folder.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const UNWANTED = ['sh', 'bash', 'dash', 'busybox', 'apt-get', 'dpkg', 'npm', 'npx'];
/** Modules that begin to work when they are loaded. */
const NOT_LOADED = /\/(?:cli\/main|app\/worker|rego\/worker|rego\/process)\.js$/;
/** As container engines start programs: devices, processes, a root that nobody can write. */
const CONTAINER = [
  'mount --bind "$0" "$0"',
  'mount -o remount,bind,ro "$0"',
  'mount --rbind /dev "$0/dev"',
  'mount -t proc proc "$0/proc"',
  'exec chroot --userspec="$1:$1" "$0" "${@:2}"',
].join(' && ');
const RULES =
  'table inet t { chain c { type nat hook output priority -100; meta skuid != 61337 tcp dport 80 redirect to :15001; }; }';

const needs = {
  skip:
    process.platform !== 'linux' || process.getuid?.() !== 0 || !hasCommand('unshare') || !existsSync('/usr/sbin/nft')
      ? 'needs root on Linux, unshare and nft, to run an image without a container engine'
      : false,
  timeout: 180_000,
} as const;

test('the image runs without a shell, as nobody in particular, with a read-only root', needs, async (context) => {
  const folder = await tempFolder(context);
  const archive = join(folder, 'image.tar');
  await run(process.execPath, [join(ROOT, 'helm/image/build.ts'), '--out', archive, '--tag', 'sallyport:test']);
  const root = await unpack(archive, folder);
  /** A program of the image on its own root that nobody can write, with a network of its own. */
  const inside = async (user: number, command: readonly string[], input = ''): Promise<string> => {
    const child = run('unshare', ['-m', '-n', '--', 'bash', '-c', CONTAINER, root, String(user), ...command], {
      env: { PATH: process.env['PATH'] ?? '', HOME: '/' },
      timeout: 60_000,
    });
    child.child.stdin?.end(input);
    return (await child).stdout;
  };
  const node = (...code: readonly string[]): Promise<string> =>
    inside(61337, ['/usr/bin/node', '--input-type=module', '-e', code.join('\n')]);

  await context.test('it tells its version', async () => {
    const told = await inside(61337, ['/usr/bin/node', '/app/dist/cli/main.js', 'version', '--json']);
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    assert.equal(JSON.parse(told).sallyport, version);
  });

  await context.test('every module of the product loads: no file that it reads was left out', async () => {
    const loaded = await node(
      `import { readdirSync } from 'node:fs';`,
      `const all = readdirSync('/app/dist', { recursive: true, withFileTypes: true }).filter((item) => item.name.endsWith('.js'));`,
      `const paths = all.map((item) => item.parentPath + '/' + item.name).filter((path) => !${String(NOT_LOADED)}.test(path));`,
      `for (const path of paths) await import(path);`,
      `console.log(paths.length); process.exit(0);`,
    );
    assert.ok(Number(loaded) > 50, loaded);
  });

  await context.test('it compiles policies', async () => {
    const told = await inside(61337, ['/usr/bin/node', '/app/dist/cli/main.js', 'policy', 'test', '/app/policies']);
    assert.match(told, /PASS|passed|ok/i);
  });

  await context.test('the policy before the policy service is compiled: its sidecar needs no compiler', async () => {
    const options = ['inspect', POLICY_SERVICE_BUNDLE, '--json'];
    const told = await inside(61337, ['/usr/bin/node', '/app/dist/cli/main.js', 'policy', ...options]);
    const { entrypoints, sizes } = JSON.parse(told);
    assert.deepEqual(
      entrypoints.map(({ path }: { readonly path: string }) => path),
      ['sallyport/policy_service/decision'],
    );
    assert.ok(sizes.module > 0);
  });

  await context.test('its nft takes rules', async () => {
    assert.equal(await inside(0, ['/usr/sbin/nft', '-c', '-f', '-'], RULES), '');
  });

  await context.test('there is no shell and no package manager, and nobody can write anything', async () => {
    const names = readdirSync(root, { recursive: true, withFileTypes: true }).filter((item) => !item.isDirectory());
    assert.deepEqual(
      names.filter((item) => UNWANTED.includes(item.name)).map((item) => item.name),
      [],
    );
    const writable = names.filter((item) => (statSync(join(item.parentPath, item.name)).mode & 0o022) !== 0);
    assert.deepEqual(writable, []);
    const fault = await node(
      `import { writeFileSync } from 'node:fs';`,
      `try { writeFileSync('/tmp/x', ''); } catch (error) { console.log(error.code); }`,
    );
    assert.equal(fault.trim(), 'EROFS');
  });

  await context.test('its users have names', async () => {
    const told = await node(
      `import { userInfo } from 'node:os';`,
      `console.log(userInfo().username, process.getuid());`,
    );
    assert.equal(told.trim(), 'sallyport 61337');
  });
});

async function unpack(archive: string, folder: string): Promise<string> {
  const root = join(folder, 'root');
  await mkdir(root);
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  const [image] = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as [{ Layers: string[] }];
  for (const layer of image.Layers) execFileSync('tar', ['-xpf', join(folder, layer), '-C', root]);
  return root;
}
