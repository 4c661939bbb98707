import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { startDemo, type DemoRun } from '../support/demo-run.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');

/** Runs a command that the demo printed, word by word, where it says to. */
async function paste(demo: DemoRun, line: string): Promise<{ readonly code: unknown; readonly out: string }> {
  const [program = '', ...args] = line.trim().split(' ');
  const cwd = /^ {2}cd (.*)$/m.exec(demo.out)?.[1];
  return run(program, [...args, '--silent', '--show-error', '--write-out', '\n%{http_code}'], { cwd }).then(
    ({ stdout }) => ({ code: 0, out: stdout }),
    (error: { code: unknown; stdout: string }) => ({ code: error.code, out: error.stdout }),
  );
}

test('without --once: what it prints can be pasted, rights can be added, and Ctrl-C leaves nothing', async (context) => {
  const demo = await startDemo(context, []);
  await demo.isUp();
  const [weekly = '', salaries = '', stranger = ''] = demo.out.split('\n').filter((line) => line.startsWith('  curl '));

  if (await hasCurl()) {
    assert.match((await paste(demo, weekly)).out, /Weekly report.*\n200$/);
    assert.match((await paste(demo, salaries)).out, /"Forbidden".*\n403$/);
    assert.notEqual((await paste(demo, stranger)).code, 0);
    const folder = /^ {2}cd (.*)$/m.exec(demo.out)?.[1] ?? '';
    const data = join(folder, 'policy/data.json');
    const rights = JSON.parse(await readFile(data, 'utf8'));
    rights.http.readers['reports/salaries'] = ['GET'];
    await writeFile(data, JSON.stringify(rights));
    for (let answer = ''; !answer.endsWith('\n200');) answer = (await paste(demo, salaries)).out;
  }

  const [, journal = ''] = /npx sallyport log show (\S+)/.exec(demo.out) ?? [];
  const shown = await run(process.execPath, [join(ROOT, 'src/cli/main.ts'), 'log', 'show', journal]);
  assert.match(shown.stdout, /deny .*GET \/reports\/salaries policy_denied/);

  demo.signal('SIGINT');
  assert.equal(await demo.ended(), 0, demo.err);
  assert.deepEqual(await demo.remains(), []);
});

async function hasCurl(): Promise<boolean> {
  return run('curl', ['--version']).then(
    () => true,
    () => false,
  );
}

test('a sidecar that dies while it is up ends the demo with 3, and the others with it', async (context) => {
  const demo = await startDemo(context, []);
  await demo.isUp();
  const sidecar = demo.processes().find(({ command }) => command.includes('http.yaml'));
  process.kill(sidecar?.pid ?? 0, 'SIGKILL');
  assert.equal(await demo.ended(), 3);
  assert.match(demo.err, /the sidecar of http ended by SIGKILL/);
  assert.deepEqual(await demo.remains(), []);
});

test('a parent that dies without a word takes the demo along', async (context) => {
  const demo = await startDemo(context, [], { shell: true });
  await demo.isUp();
  demo.signal('SIGKILL');
  assert.equal(await demo.ended(), 'SIGKILL');
  await until('everything to be gone', () => demo.processes().length === 0);
  assert.deepEqual(await demo.remains(), []);
});

test('interrupted while it starts, it leaves nothing and ends with 3', async (context) => {
  const demo = await startDemo(context, []);
  await until('the first agent', () => demo.processes().some(({ command }) => command.includes('http-agent')));
  demo.signal('SIGTERM');
  assert.equal(await demo.ended(), 3);
  assert.match(demo.err, /^interrupted$/m);
  assert.deepEqual(await demo.remains(), []);
});

test('what keeps it from starting is told, and ends the demo with 3', async (context) => {
  const demo = await startDemo(context, ['--once'], { folder: `/tmp/sp-${'long-'.repeat(20)}` });
  assert.equal(await demo.ended(), 3);
  assert.match(demo.err, /mcp\.sock is too long for a unix socket; set TMPDIR to a shorter path/);
  assert.deepEqual(await demo.remains(), []);
});
