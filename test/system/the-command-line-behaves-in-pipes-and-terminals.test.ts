import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { createRecorder } from '../../src/core/record/recorder.ts';
import { sampleFacts } from '../support/record-facts.ts';
import { tempFolder, writeFiles } from '../support/temp-folder.ts';

import type { TestContext } from 'node:test';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const main = join(root, 'src/cli/main.ts');

/** Without what a test runner or a shell says about colours. */
const { NO_COLOR: _1, FORCE_COLOR: _2, NODE_DISABLE_COLORS: _3, CI: _4, ...plainEnv } = process.env;

/** A log of `count` chained records. */
async function logOf(context: TestContext, count: number): Promise<string> {
  const folder = await tempFolder(context);
  const recorder = createRecorder({ labels: { id: 'i' } });
  const lines = Array.from({ length: count }, () => `${recorder.record(sampleFacts())}\n`);
  await writeFiles(folder, { log: lines.join('') });
  return join(folder, 'log');
}

test('a reader that goes away ends the command quietly, with exit 0', async (context) => {
  const child = spawn(process.execPath, [main, 'log', 'show', '--json', await logOf(context, 5_000)]);
  let complaints = '';
  child.stderr.on('data', (chunk) => (complaints += String(chunk)));
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((ended) => child.on('exit', ended));
  assert.deepEqual([code, complaints], [0, '']);
});

test('stdin is read as a file where - is given', async (context) => {
  const log = await logOf(context, 3);
  const child = spawn('sh', ['-c', `cat '${log}' | '${process.execPath}' '${main}' log verify -`]);
  let told = '';
  child.stdout.on('data', (chunk) => (told += String(chunk)));
  const code = await new Promise((ended) => child.on('close', ended));
  assert.equal(code, 0);
  assert.match(told, /^sound: 3 records\n/);
});

test('in a pipe there is no colour', async (context) => {
  const { stdout } = await run(process.execPath, [main, 'log', 'show', await logOf(context, 1)], { env: plainEnv });
  assert.match(stdout, / allow /);
  assert.doesNotMatch(stdout, /\x1b/);
});

test('at a terminal there is colour, unless NO_COLOR is set', async (context) => {
  const log = await logOf(context, 1);
  const hasScript = await run('script', ['--version']).then(
    () => true,
    () => false,
  );
  if (!hasScript) return context.skip('there is no script(1) to make a terminal');
  const atTerminal = async (env: Record<string, string>): Promise<string> => {
    const args = ['-qec', `'${process.execPath}' '${main}' log show '${log}'`, '/dev/null'];
    return (await run('script', args, { env: { ...plainEnv, TERM: 'xterm-256color', ...env } })).stdout;
  };
  assert.match(await atTerminal({}), /\x1b\[32mallow/);
  assert.doesNotMatch(await atTerminal({ NO_COLOR: '1' }), /\x1b/);
});

/** Names of packages and of files of ours that a command line loads. */
async function loadedBy(context: TestContext, ...args: string[]): Promise<readonly string[]> {
  const folder = await tempFolder(context);
  const hook = [
    "import { registerHooks } from 'node:module';",
    "import { writeSync } from 'node:fs';",
    'registerHooks({ load(url, context, next) { writeSync(2, `LOADED ${url}\\n`); return next(url, context); } });',
  ].join('\n');
  await writeFiles(folder, { 'hook.mjs': hook });
  const { stderr } = await run(process.execPath, ['--import', join(folder, 'hook.mjs'), main, ...args]);
  const urls = [...stderr.matchAll(/^LOADED (\S+)$/gm)].map(([, url = '']) => url);
  return [
    ...new Set(
      urls.map(
        (url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? /src\/(\w+\/\w+)/.exec(url)?.[1] ?? 'node',
      ),
    ),
  ];
}

for (const args of [['version'], ['--help'], ['ca', 'issue', '--help']]) {
  test(`sallyport ${args.join(' ')} loads the command line and nothing else`, async (context) => {
    const loaded = await loadedBy(context, ...args);
    const wanted = [
      'app/own',
      'cli/ca',
      'cli/commands',
      'cli/define',
      'cli/exit',
      'cli/main',
      'cli/option',
      'cli/program',
      'cli/terminal',
      'commander',
      'core/kernel',
      'node',
    ];
    assert.ok(loaded.includes('commander'));
    assert.deepEqual(
      loaded.filter((name) => !wanted.includes(name)),
      [],
    );
  });
}
