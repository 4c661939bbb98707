import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';

import { tempFolder, writeFiles } from '../../support/temp-folder.ts';
import { buildGo, digestOfModule, goMissing } from './go-build.ts';

const run = promisify(execFile);
const MODULE = 'module sallyport/made-up\n\ngo 1.26.0\n';

function saying(word: string): string {
  return `package main\n\nimport "os"\n\nfunc main() { _, _ = os.Stdout.WriteString("${word}") }\n`;
}

async function moduleWith(context: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await tempFolder(context);
  await writeFiles(folder, files);
  return folder;
}

/** Sets variables of the environment until the test ends. */
function withEnvironment(context: TestContext, values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    process.env[name] = value;
    context.after(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
}

describe('what a module is made from', () => {
  const files = { 'go.mod': MODULE, 'go.sum': '', 'cmd/a/main.go': saying('a') };
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, boolean])[] = [
    ['another source', { 'cmd/a/main.go': saying('b') }, true],
    ['one more source', { 'internal/b/b.go': 'package b\n' }, true],
    ['another go.mod', { 'go.mod': `${MODULE}\n` }, true],
    ['another go.sum', { 'go.sum': 'x\n' }, true],
    ['a test', { 'cmd/a/main_test.go': 'package main\n' }, false],
    ['a text', { 'README.md': 'x\n' }, false],
  ];
  for (const [name, change, differs] of cases) {
    test(`${name} ${differs ? 'is' : 'is no'} reason to build again`, async (context) => {
      const folder = await moduleWith(context, files);
      const before = await digestOfModule(folder);
      await writeFiles(folder, change);
      assert.equal((await digestOfModule(folder)) !== before, differs);
    });
  }

  test('a line moved from one file to the next is another digest', async (context) => {
    const one = await moduleWith(context, { 'a.go': 'xb.go\n1\ny', 'b.go': '' });
    const other = await moduleWith(context, { 'a.go': 'x', 'b.go': 'y' });
    assert.notEqual(await digestOfModule(one), await digestOfModule(other));
  });
});

describe('without Go', () => {
  test('building fails with what to install', async (context) => {
    const folder = await moduleWith(context, { 'go.mod': MODULE, 'main.go': saying('a') });
    withEnvironment(context, { PATH: folder });
    assert.match(goMissing() ?? '', /install Go 1\.26 or later/);
    await assert.rejects(buildGo(folder, 'a'), /cmd\/a cannot be built: .*on the PATH: install Go/);
  });
});

describe('with Go', { skip: goMissing() ?? false }, () => {
  test('a program is built once, and again when its sources change', async (context) => {
    const folder = await moduleWith(context, { 'go.mod': MODULE, 'cmd/a/main.go': saying('first') });
    // Go's own cache stays where it is.
    const cache = execFileSync('go', ['env', 'GOCACHE', 'GOPATH'], { encoding: 'utf8' }).split('\n');
    withEnvironment(context, {
      GOCACHE: cache[0] ?? '',
      GOPATH: cache[1] ?? '',
      XDG_CACHE_HOME: await tempFolder(context),
    });
    const first = await buildGo(folder, 'a');
    assert.equal((await run(first)).stdout, 'first');
    assert.equal(await buildGo(folder, 'a'), first);
    await writeFiles(folder, { 'cmd/a/main.go': saying('second') });
    const second = await buildGo(folder, 'a');
    assert.notEqual(second, first);
    assert.equal((await run(second)).stdout, 'second');
    assert.deepEqual((await readdir(join(first, '..'))).length, 2);

    await writeFiles(folder, { 'main.go': saying('of the module itself') });
    assert.equal((await run(await buildGo(folder, 'whole'))).stdout, 'of the module itself');
    await writeFiles(folder, { 'cmd/a/main.go': 'package main\n\nfunc main() { nothing() }\n' });
    await assert.rejects(buildGo(folder, 'a'), /undefined: nothing/);
  });
});
