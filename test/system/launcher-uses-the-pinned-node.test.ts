import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { copyFile, symlink } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { tempFolder, writeFiles } from '../support/temp-folder.ts';

import type { TestContext } from 'node:test';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const launcher = join(root, 'src/cli/launcher.js');
const older = await olderNode();
const needsOlder = { skip: older === undefined ? 'this machine has no Node but the pinned one' : false };

/** A Node of the machine's own, of another major version than ours. */
async function olderNode(): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  for (const folder of folders) {
    const { stdout } = await run(join(folder, 'node'), ['--version']).catch(() => ({ stdout: '' }));
    if (stdout.startsWith('v') && !stdout.startsWith('v26.')) return join(folder, 'node');
  }
  return undefined;
}

/** The launcher alone in a folder, before a program of the test's own. */
async function launcherBefore(context: TestContext, program: string): Promise<{ folder: string; launcher: string }> {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'package.json': '{"type":"module"}', 'src/cli/main.ts': program });
  for (const name of ['launcher.js', 'pinned-node.js']) {
    await copyFile(join(root, 'src/cli', name), join(folder, 'src/cli', name));
  }
  return { folder, launcher: join(folder, 'src/cli/launcher.js') };
}

/** Exit code and stderr of a command that ends with another code than 0. */
async function failure(node: string, args: readonly string[]): Promise<{ code: number; stderr: string }> {
  return run(node, args).then(
    () => assert.fail('it ended with 0'),
    (error: { code: number; stderr: string }) => error,
  );
}

test('started by an older Node it hands over to the pinned one', needsOlder, async () => {
  const { stdout } = await run(older ?? '', [launcher, 'version', '--json']);
  assert.match((JSON.parse(stdout) as { node: string }).node, /^26\./);
});

test('npx sallyport in a clone runs on the pinned Node', async () => {
  const { stdout } = await run('npx', ['--no-install', 'sallyport', 'version'], { cwd: root });
  assert.match(stdout, /^sallyport \d+\.\d+\.\d+ \(Node 26\./);
});

test('the exit code of the command is that of the launcher, on any Node', async () => {
  for (const node of [older ?? process.execPath, process.execPath]) {
    const { code, stderr } = await failure(node, [launcher, 'nothing']);
    assert.equal(code, 2);
    assert.match(stderr, /unknown command/);
  }
});

test('without a pinned Node it says so and is exit 3', needsOlder, async (context) => {
  const alone = await launcherBefore(context, '');
  const { code, stderr } = await failure(older ?? '', [alone.launcher, 'version']);
  assert.equal(code, 3);
  assert.match(stderr, /needs Node 26, this is v\d+\.\d+\.\d+, and no pinned Node was installed/);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(
    `${signal} to the launcher reaches the command, and the launcher ends with its code`,
    needsOlder,
    async (context) => {
      const program = `process.on('${signal}', () => process.exit(7)); setInterval(() => {}, 1000); console.log('up');`;
      const { folder, launcher } = await launcherBefore(context, program);
      await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
      const child = spawn(older ?? '', [launcher], { stdio: ['ignore', 'pipe', 'pipe'] });
      child.stdout.once('data', () => child.kill(signal));
      const code = await new Promise((ended) => child.on('exit', ended));
      assert.equal(code, 7);
    },
  );
}

test(
  'Ctrl-C at a terminal reaches the command once: a second SIGINT would end it without a drain',
  needsOlder,
  async (context) => {
    const hasScript = await run('script', ['--version']).then(
      () => true,
      () => false,
    );
    if (!hasScript) return context.skip('there is no script(1) to make a terminal');
    const program = [
      'let count = 0;',
      "process.on('SIGINT', () => { count += 1; if (count === 1) setTimeout(() => { console.log('interrupted', count); process.exit(0); }, 300); });",
      "setInterval(() => {}, 1000); console.log('up');",
    ].join('\n');
    const { folder, launcher } = await launcherBefore(context, program);
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    const terminal = spawn('script', ['-qfec', `${older} ${launcher}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let said = '';
    for await (const chunk of terminal.stdout) {
      said += String(chunk);
      if (said === 'up\r\n') terminal.stdin.write('\x03');
    }
    assert.match(said.replaceAll(/\x1b\[\d+m/g, ''), /interrupted 1\r\n/);
  },
);
