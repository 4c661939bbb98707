import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { bundleProduct, ENTRIES } from '../../../helm/image/bundle.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

/** A product of a few modules, with what the real one does: packages, built-in modules, scripts that are started by their path. */
const PRODUCT: Readonly<Record<string, string>> = {
  'cli/main.js': `import { here } from '../app/place.js';
    import { Agent as HttpAgent, createServer } from 'node:http';
    import { Pool, Client, Agent, buildConnector } from 'undici';
    import { z } from 'zod';
    // A comment with a character beyond Latin-1: …
    const late = await import('../app/late.js');
    const { error } = z.object({ port: z.number() }).safeParse({ port: 'x' });
    console.log(JSON.stringify({
      here, late: late.here, mistake: error.issues[0].message,
      asked: [new Client('http://localhost'), new Pool('http://localhost'), new Agent()].map((one) => typeof one.request),
      kinds: [HttpAgent, createServer, Pool, Client, Agent, buildConnector].map((one) => typeof one),
      loaded: process.moduleLoadList.filter((name) => name.includes('deps/undici')),
    }));`,
  'app/place.js': `export const here = new URL('../../package.json', import.meta.url).pathname;`,
  'app/late.js': `import { here as place } from './place.js'; export const here = [place, import.meta.url];`,
  'app/worker.js': `import { here } from './place.js'; console.log(here);`,
  'io/rego/worker.js': `export const here = new URL('./rego.wasm.br', import.meta.url).pathname; console.log(here);`,
  'io/rego/process.js': `import { here } from '../../app/place.js'; console.log(here);`,
};

describe('the product in few files', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
    for (const [path, text] of Object.entries(PRODUCT)) {
      await mkdir(dirname(join(folder, 'compiled', path)), { recursive: true });
      await writeFile(join(folder, 'compiled', path), text);
    }
    await bundleProduct(ROOT, join(folder, 'compiled'), join(folder, 'dist'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const told = (path: string): string =>
    execFileSync(process.execPath, [join(folder, 'dist', path)], { encoding: 'utf8', cwd: tmpdir() }).trim();

  test('what is started by its path stands where it stood', () => {
    for (const path of ENTRIES) assert.ok(existsSync(join(folder, 'dist', path)), path);
  });

  test('a module is told the place that it had, wherever its code went', () => {
    const { here, late } = JSON.parse(told('cli/main.js'));
    assert.equal(here, join(folder, 'package.json'));
    assert.deepEqual(late, [here, `file://${join(folder, 'dist/app/late.js')}`]);
    assert.equal(told('app/worker.js'), here);
    assert.equal(told('io/rego/process.js'), here);
    assert.equal(told('io/rego/worker.js'), join(folder, 'dist/io/rego/rego.wasm.br'));
  });

  test('packages and built-in modules are there, without packages installed beside', () => {
    const { kinds, mistake } = JSON.parse(told('cli/main.js'));
    assert.deepEqual(kinds, Array(6).fill('function'));
    assert.match(mistake, /expected number, received string/);
  });

  test('dispatchers of undici can be asked for a request, which only its main file teaches them', () => {
    assert.deepEqual(JSON.parse(told('cli/main.js')).asked, Array(3).fill('function'));
  });

  test('the undici that is built into Node is not loaded', () => {
    assert.deepEqual(JSON.parse(told('cli/main.js')).loaded, []);
  });

  test('no character takes two bytes of memory, lines are short', () => {
    const files = readdirSync(join(folder, 'dist'), { recursive: true, withFileTypes: true }).filter((one) =>
      one.isFile(),
    );
    assert.ok(files.length > ENTRIES.length);
    for (const { parentPath, name } of files) {
      const text = readFileSync(join(parentPath, name), 'utf8');
      // oxlint-disable-next-line no-control-regex
      assert.match(text, /^[\x00-\xff]*$/, name);
      assert.ok(text.split('\n').length > text.length / 2_000, name);
    }
  });

  test('a name of undici that is not in the table ends the build', async () => {
    const compiled = join(folder, 'other');
    for (const path of ENTRIES) {
      await mkdir(dirname(join(compiled, path)), { recursive: true });
      await writeFile(join(compiled, path), `import { fetch } from 'undici'; fetch('');`);
    }
    await assert.rejects(bundleProduct(ROOT, compiled, join(folder, 'none')), /No matching export .* "fetch"/);
  });
});

test('each script that the sources start by its path is an entry', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true });
  const started = sources
    .filter((one) => one.isFile() && one.name.endsWith('.ts'))
    .flatMap(({ parentPath, name }) => {
      const text = readFileSync(join(parentPath, name), 'utf8');
      const found = text.matchAll(/new URL\(`\.\/([a-z-]+)\.\$\{extension\}`/g);
      return [...found].map(([, script = '']) => join(parentPath, `${script}.js`).slice(join(ROOT, 'src/').length));
    });
  assert.deepEqual(started.toSorted(), ENTRIES.filter((path) => path !== 'cli/main.js').toSorted());
});
