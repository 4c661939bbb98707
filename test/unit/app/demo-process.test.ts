import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { OwnedProcess, ProcessFault } from '../../../src/app/demo-process.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const LONG_MS = 30_000;
const STAY = 'setInterval(() => {}, 1000);';

async function start(context: TestContext, script: string, env: Record<string, string> = {}): Promise<OwnedProcess> {
  const path = join(await tempFolder(context), 'program.mjs');
  await writeFile(path, script);
  const owned = new OwnedProcess({ name: 'the program', args: [path], env });
  context.after(() => owned.kill());
  return owned;
}

const word = (wanted: string) => (line: string) => (line.includes(wanted) ? line : undefined);

test('a line is found on stdout and on stderr, also when it came before anyone asked', async (context) => {
  const owned = await start(context, `console.log('one ' + process.env.GIVEN); console.error('two'); ${STAY}`, {
    GIVEN: 'given',
  });
  assert.equal(await owned.line(word('two'), LONG_MS), 'two');
  assert.equal(await owned.line(word('one'), LONG_MS), 'one given');
  assert.equal(await owned.line(word('two'), LONG_MS), 'two');
});

test('a process that ends before it is ready is a fault that shows its last lines', async (context) => {
  const owned = await start(
    context,
    `for (let i = 0; i < 99; i += 1) console.error('line ' + i); process.exitCode = 7;`,
  );
  await assert.rejects(owned.line(word('never'), LONG_MS), (fault: Error) => {
    assert.ok(fault instanceof ProcessFault);
    const [first, ...lines] = fault.message.split('\n');
    assert.equal(first, 'the program ended with code 7');
    assert.deepEqual([lines.length, lines.at(-1)], [12, '  | line 98']);
    return true;
  });
  assert.match((await owned.ended()).message, /^the program ended with code 7\n/);
});

test('a process that is not ready in time is a fault, and still runs', async (context) => {
  const owned = await start(context, STAY);
  await assert.rejects(owned.line(word('never'), 1), /^ProcessFault: the program was not ready after 1 ms$/);
  await owned.stop(LONG_MS);
  assert.match((await owned.ended()).message, /ended by SIGTERM/);
});

test('stop waits for a process that ends in its own way', async (context) => {
  const owned = await start(
    context,
    `process.on('SIGTERM', () => { console.log('drained'); process.exit(0); }); console.log('up'); ${STAY}`,
  );
  await owned.line(word('up'), LONG_MS);
  await owned.stop(LONG_MS);
  assert.equal((await owned.ended()).message, 'the program ended with code 0\n  | up\n  | drained');
});

test('a process that will not end is killed after its grace', async (context) => {
  const owned = await start(context, `process.on('SIGTERM', () => {}); console.log('up'); ${STAY}`);
  await owned.line(word('up'), LONG_MS);
  await owned.stop(1);
  assert.match((await owned.ended()).message, /^the program ended by SIGKILL/);
});

test('stopping what has ended resolves', async (context) => {
  const owned = await start(context, '');
  await owned.ended();
  await owned.stop(LONG_MS);
});

test('it is in a group of its own, so that Ctrl-C in a terminal does not reach it', async (context) => {
  const owned = await start(context, `console.log('pid ' + process.pid); ${STAY}`);
  const pid = Number((await owned.line(word('pid '), LONG_MS)).slice(4));
  // Signalling a group that is led by this process succeeds only where there is one.
  assert.equal(process.kill(-pid, 0), true);
});
