import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { Processes } from '../../../src/app/demo-processes.ts';
import { processesWith } from '../../support/processes-with.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

const STAY = 'setInterval(() => {}, 1000); console.log("up");';
const up = (line: string) => line === 'up' || undefined;

async function program(context: TestContext, name: string, script: string) {
  const path = join(await tempFolder(context), 'program.mjs');
  await writeFile(path, script);
  return { name, args: [path] };
}

test('stop ends them all, and none of that is a fault', async (context) => {
  const processes = new Processes();
  const first = processes.start(await program(context, 'first', STAY));
  const second = processes.start(await program(context, 'second', STAY));
  await Promise.all([first.line(up, 30_000), second.line(up, 30_000)]);
  let fault: Error | undefined;
  void processes.fault.then((found) => (fault = found));
  await processes.stop();
  assert.match((await first.ended()).message, /ended by SIGTERM/);
  assert.match((await second.ended()).message, /ended by SIGTERM/);
  assert.equal(fault, undefined);
});

test('one that ends by itself is a fault, and the others still run', async (context) => {
  const processes = new Processes();
  context.after(() => processes.kill());
  const stays = processes.start(await program(context, 'stays', STAY));
  await stays.line(up, 30_000);
  processes.start(await program(context, 'fails', 'console.error("no port"); process.exit(3)'));
  assert.equal((await processes.fault).message, 'fails ended with code 3\n  | no port');
  await processes.stop();
  assert.match((await stays.ended()).message, /^stays ended by SIGTERM/);
});

test('nothing is started any more once stopped', async (context) => {
  const processes = new Processes();
  await processes.stop();
  assert.throws(() => processes.start({ name: 'late', args: [] }), /^Error: the demo is ending$/);
  await tempFolder(context);
});

test('stop leaves no listener behind', async () => {
  const before = process.listenerCount('exit');
  await new Processes().stop();
  assert.equal(process.listenerCount('exit'), before);
});

test('a process that ends without stopping them takes them along', async (context) => {
  const child = await program(context, 'child', STAY);
  const source = JSON.stringify(join(import.meta.dirname, '../../../src/app/demo-processes.ts'));
  const parent = await program(
    context,
    'parent',
    `const { Processes } = await import(${source});
     await new Processes().start(${JSON.stringify(child)}).line((line) => line === 'up' || undefined, 30000);
     console.log('started');
     process.stdin.once('data', () => { throw new Error('a bug'); });`,
  );
  const mark = `SALLYPORT_TEST=${crypto.randomUUID()}`;
  const env = { ...process.env, SALLYPORT_TEST: mark.slice('SALLYPORT_TEST='.length) };
  const running = spawn(process.execPath, [...parent.args], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  context.after(() => running.kill('SIGKILL'));
  await once(running.stdout, 'data');
  assert.equal(processesWith(mark).length, 2);
  running.stdin.write('fail');
  const [code] = await once(running, 'exit');
  assert.notEqual(code, 0);
  await until('the child to be gone', () => processesWith(mark).length === 0);
});
