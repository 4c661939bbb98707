import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

import { replaceFile, tempFolder, writeFiles } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const REGO = 'package p\n\nallow if input.n == 1\n';
const TESTS = 'package p_test\n\ntest_one if data.p.allow with input as {"n": 1}\n';

test(
  'policy test --watch: a change runs the tests again, in a process that stays; the end is the last verdict',
  { timeout: 90_000 },
  async (context) => {
    const folder = await tempFolder(context);
    await writeFiles(folder, { 'p.rego': REGO, 'sub/p_test.rego': TESTS });
    const child = spawn(process.execPath, [MAIN, 'policy', 'test', folder, '--watch'], { cwd: folder });
    context.after(() => child.kill('SIGKILL'));
    const ended = new Promise<number | null>((resolved) => child.once('close', resolved));
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));

    await until('the first run', () => /^1 passed; /m.test(said));
    await replaceFile(join(folder, 'p.rego'), REGO.replace('1', '2'));
    await until(`a failure: ${said}`, () => /^1 failed; /m.test(said));
    await replaceFile(join(folder, 'p.rego'), `${REGO}x := nothing\n`);
    await replaceFile(join(folder, 'sub/p_test.rego'), `${TESTS}\ntest_two if data.p.allow\n`);
    said = '';
    await replaceFile(join(folder, 'p.rego'), REGO);
    await until(`one of each: ${said}`, () => /^1 passed, 1 failed; /m.test(said));
    child.kill('SIGINT');
    assert.equal(await ended, 1);
  },
);
