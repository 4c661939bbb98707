import assert from 'node:assert/strict';
import { test } from 'node:test';

import { programFaultText, runProgram } from '../../../src/io/programs/run-program.ts';
import { writeProgram } from '../../support/own-program.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { Program } from '../../../src/io/programs/run-program.ts';

/** Runs a program of this source. */
async function run(context: TestContext, source: string, wanted: Partial<Program> = {}) {
  const program = await writeProgram(await tempFolder(context), 'program', source);
  return runProgram({ program, args: [], env: {}, timeoutMs: 20_000, maxOutput: 100_000, ...wanted });
}

test('a program gets its arguments as they are, no input, and exactly the environment given', async (context) => {
  const source = `
    const input = require('node:fs').readFileSync(0, 'utf8');
    process.stdout.write(JSON.stringify([process.argv.slice(2), input, process.env.A, process.env.HOME]));`;
  const args = ['$(touch x)', '; exit 1', '*', '', 'two\nlines'];
  const ran = await run(context, source, { args, env: { A: 'b' } });
  assert.ok(ran.ok);
  assert.deepEqual(JSON.parse(ran.value), [args, '', 'b', null]);
});

test('a program that fails tells its code and the end of what it said', async (context) => {
  const source = "process.stderr.write('x'.repeat(10000) + ' at last\\n', () => process.exit(7));";
  const ran = await run(context, source);
  assert.ok(!ran.ok && ran.error.kind === 'failed');
  assert.equal(ran.error.code, 7);
  assert.equal(ran.error.detail.length <= 4096, true);
  assert.match(ran.error.detail, /x at last$/);
  assert.match(programFaultText(ran.error), /program: ended with 7: x+ at last$/);
});

test('a program that a signal ended failed', async (context) => {
  const ran = await run(context, "process.kill(process.pid, 'SIGTERM'); setInterval(() => undefined, 1000);");
  assert.ok(!ran.ok && ran.error.kind === 'failed');
  assert.equal(ran.error.code, 'SIGTERM');
});

test('a program that does not end is killed, also where a child of its own holds its output open', async (context) => {
  const source = `
    require('node:child_process').spawn(process.execPath, ['-e', 'setTimeout(() => undefined, 8000)'], { stdio: 'inherit' });
    setInterval(() => undefined, 1000);`;
  const ran = await run(context, source, { timeoutMs: 1000 });
  assert.ok(!ran.ok);
  assert.deepEqual({ ...ran.error, program: '' }, { kind: 'late', program: '', timeoutMs: 1000 });
  assert.match(programFaultText(ran.error), /did not end within 1 s/);
});

test('a program that says more than it may is killed', async (context) => {
  const source = "setInterval(() => process.stdout.write('x'.repeat(65536)), 1);";
  const ran = await run(context, source);
  assert.ok(!ran.ok);
  assert.equal(ran.error.kind, 'oversized');
});

test('no such program, and one that may not be run, are told apart', async (context) => {
  const folder = await tempFolder(context);
  const limits = { args: [], env: {}, timeoutMs: 1000, maxOutput: 10 };
  const missing = await runProgram({ program: `${folder}/none`, ...limits });
  assert.deepEqual(missing, { ok: false, error: { kind: 'missing', program: `${folder}/none` } });
  const folderItself = await runProgram({ program: folder, ...limits });
  assert.ok(!folderItself.ok && folderItself.error.kind === 'unstartable');
  assert.match(programFaultText(folderItself.error), /cannot be started \(EACCES\)/);
});
