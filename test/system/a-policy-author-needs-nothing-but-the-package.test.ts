import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { CALLER_ID, OWN_ID, startSystem } from '../support/system.ts';
import { replaceFile, tempFolder } from '../support/temp-folder.ts';

const LAUNCHER = resolve(import.meta.dirname, '../../src/cli/launcher.js');

type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** `sallyport` in a folder, with an empty home and a PATH on which Node is all there is. */
function sallyport(cwd: string, ...args: string[]): Promise<Ran> {
  const env = { HOME: join(cwd, 'home'), PATH: dirname(process.execPath) };
  const { promise, resolve: ended } = Promise.withResolvers<Ran>();
  execFile(process.execPath, [LAUNCHER, ...args], { cwd, env, timeout: 60_000 }, (error, out, err) => {
    ended({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err });
  });
  return promise;
}

/** Allows one path. */
function rego(path: string): string {
  return `package test.authz\n\ndecision := input.attributes.request.http.path == "${path}"\n`;
}

test(
  'new, test, a typo found by check with its line, build: with nothing installed but the package',
  { timeout: 120_000 },
  async (context) => {
    const folder = await tempFolder(context);
    await mkdir(join(folder, 'home'));
    assert.equal((await sallyport(folder, 'policy', 'new', 'demo')).code, 0);
    const tested = await sallyport(folder, 'policy', 'test', 'demo');
    assert.equal(tested.code, 0, tested.out + tested.err);
    assert.match(tested.out, /^\d+ passed; at most [\d,]+ steps; in both evaluators$/m);

    const file = join(folder, 'demo/sallyport/authz.rego');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('input.parsed_path', 'input.parsedpath'));
    const line = text.slice(0, text.indexOf('input.parsed_path')).split('\n').length;
    const checked = await sallyport(folder, 'policy', 'check', 'demo');
    assert.equal(checked.code, 2);
    assert.match(checked.err, new RegExp(`^demo/sallyport/authz\\.rego:${line}:\\d+: rego_type_error`, 'm'));
    assert.match(checked.err, /"parsed_path"/);

    await writeFile(file, text);
    const built = await sallyport(folder, 'policy', 'build', 'demo', '-o', 'demo.tar.gz', '--revision', 'r1');
    assert.match(built.out, /^demo\.tar\.gz: revision r1, /);
  },
);

test(
  'the bundle that build writes decides in a sidecar, and so does the folder it was made from; both as the tests say',
  { timeout: 120_000 },
  async (context) => {
    const folder = await tempFolder(context);
    await mkdir(join(folder, 'home'));
    await sallyport(folder, 'policy', 'new', 'demo');
    const data = {
      fleet: {
        agents: { [OWN_ID]: 'own', [CALLER_ID]: 'callers' },
        segments: {
          own: { functions: { '/a': { GET: 'read', POST: 'write' } }, callers: { callers: { read: true } } },
        },
      },
    };
    await writeFile(join(folder, 'demo/data.json'), JSON.stringify(data));
    assert.equal((await sallyport(folder, 'policy', 'build', 'demo', '-o', 'demo.tar.gz')).code, 0);
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    for (const bundle of ['demo.tar.gz', 'demo']) {
      const system = await startSystem(context, {
        upstream: `http://127.0.0.1:${upstream.port}`,
        policy: 'package test.authz\n\ndecision := true\n',
        policyKeys: { bundle: join(folder, bundle), decision: 'sallyport/authz/decision' },
      });
      const peer = await connectHttp1(context, system);
      assert.equal((await get(peer, '/a')).status, 200);
      assert.equal((await get(peer, '/b')).status, 403);
      const [first, second] = await system.sidecar.recordsFrom(0, 2);
      assert.deepEqual(first?.sallyport.reasons, ['segment callers may ask segment own for read']);
      assert.match(second?.sallyport.reasons[0] ?? '', /^segment own has no function for GET \/b; see /);
      assert.ok((first?.sallyport.steps ?? 0) > 0);
    }
  },
);

test(
  'a folder of Rego is followed: a broken edit keeps the last good revision and shows the error with its line',
  { timeout: 120_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `http://127.0.0.1:${upstream.port}`,
      policy: rego('/none'),
      policyKeys: { bundle: 'rego' },
      files: { 'rego/authz.rego': rego('/one') },
    });
    const { sidecar } = system;
    const peer = await connectHttp1(context, system);
    assert.equal((await get(peer, '/one')).status, 200);

    await replaceFile(
      join(system.folder, 'rego/authz.rego'),
      'package test.authz\n\ndecision := unknown_function(input)\n',
    );
    const problem = await sidecar.until('the problem in the log', () =>
      sidecar.log.find((entry) => JSON.stringify(entry).includes('authz.rego:3:')),
    );
    assert.match(JSON.stringify(problem), /rego_type_error: undefined function unknown_function/);
    assert.equal((await get(peer, '/one')).status, 200);

    await replaceFile(join(system.folder, 'rego/authz.rego'), rego('/two'));
    await sidecar.until('the new revision', async () => ((await get(peer, '/two')).status === 200 ? true : undefined));
    assert.equal((await get(peer, '/one')).status, 403);
  },
);
