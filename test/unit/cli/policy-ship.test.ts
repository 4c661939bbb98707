import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { readBundle } from '../../../src/core/bundle/bundle.ts';
import { createVerificationKey } from '../../../src/core/bundle/signature-key.ts';
import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';

const POLICY = `package sallyport.authz

# METADATA
# title: May it?
# entrypoint: true
decision if {
	input.user == data.owner
	semver.compare(input.parsed_query.version[0], "1.0.0") >= 0
	time.now_ns() > 0
}
`;

async function prepared(context: TestContext): Promise<{ path: (name: string) => string; publicKey: string }> {
  const folder = await tempFolder(context);
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  await writeFiles(folder, {
    'p/authz.rego': POLICY,
    'p/data.json': '{"owner":"ann"}',
    'key.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }),
    'public.pem': pem,
    'other.pem': generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }),
  });
  return { path: (name) => join(folder, name), publicKey: pem };
}

test('policy build --key: a signed bundle with sequence and budget, which verify takes and a sidecar would', async (context) => {
  const { path, publicKey } = await prepared(context);
  const signing = ['--key', path('key.pem'), '--key-id', 'ci', '--scope', 'write'];
  const numbers = ['--sequence', '7', '--budget', '900000', '--revision', 'r7'];
  const built = await sallyport(['policy', 'build', path('p'), '-o', path('b.tar.gz'), ...signing, ...numbers]);
  assert.equal(built.code, 0, built.err.join('\n'));
  assert.match(
    built.out[0] ?? '',
    /b\.tar\.gz: revision r7, sequence 7, signed, \d+ bytes, sallyport\/authz\/decision$/,
  );
  const key = createVerificationKey('ES256', publicKey, 'write');
  assert.ok(key.ok);
  const archive = await readFile(path('b.tar.gz'));
  const bundle = readBundle(archive, { verification: { keys: new Map([['ci', key.value]]) } });
  assert.ok(bundle.ok);
  assert.deepEqual([bundle.value.sequence, bundle.value.budget, bundle.value.signer?.keyId], [7, 900000, 'ci']);
  assert.ok(bundle.value.planJson !== undefined);
  const verify = (...args: string[]) => sallyport(['policy', 'verify', path('b.tar.gz'), ...args]);
  assert.equal((await verify('-k', path('public.pem'), '--scope', 'write')).code, 0);
  const other = await verify('-k', path('other.pem'), '--scope', 'write');
  assert.equal(other.code, 1);
  assert.match(other.err[0] ?? '', /b\.tar\.gz: signature_invalid: /);
  const scope = await verify('-k', path('public.pem'), '--scope', 'read', '--json');
  assert.deepEqual(
    [scope.code, (JSON.parse(scope.out[0] ?? '') as { code: string }).code],
    [1, 'signature_scope_mismatch'],
  );
  const algorithm = await verify('-k', path('public.pem'), '-a', 'RS256');
  assert.deepEqual([algorithm.code, /signature_key_refused/.test(algorithm.err[0] ?? '')], [2, true]);
});

test('policy sign: an unsigned bundle is signed, an older signature replaced; nothing else changes', async (context) => {
  const { path } = await prepared(context);
  assert.equal((await sallyport(['policy', 'build', path('p'), '-o', path('b.tar.gz')])).code, 0);
  const unsigned = await sallyport(['policy', 'verify', path('b.tar.gz'), '-k', path('public.pem')]);
  assert.match(unsigned.err[0] ?? '', /signature_missing/);
  const first = await sallyport(['policy', 'sign', path('b.tar.gz'), '-k', path('key.pem'), '-o', path('s.tar.gz')]);
  assert.deepEqual([first.code, first.out], [0, [`${path('s.tar.gz')}: 5 files signed, ES256`]]);
  const again = await sallyport([
    'policy',
    'sign',
    path('s.tar.gz'),
    '-k',
    path('key.pem'),
    '--key-id',
    'two',
    '--json',
  ]);
  assert.deepEqual(JSON.parse(again.out[0] ?? ''), {
    output: path('s.tar.gz'),
    algorithm: 'ES256',
    files: 5,
    bytes: (await readFile(path('s.tar.gz'))).length,
  });
  assert.equal((await sallyport(['policy', 'verify', path('s.tar.gz'), '-k', path('public.pem')])).code, 0);
  const left = (await readdir(path('.'))).filter((name) => name.endsWith('.signed'));
  assert.deepEqual(left, []);
});

test('policy sign and build: a key that is none is told without showing it', async (context) => {
  const { path } = await prepared(context);
  await writeFiles(path('.'), { 'secret.txt': 'hunter2hunter2' });
  for (const args of [
    ['build', path('p'), '-o', path('b.tar.gz'), '--key', path('public.pem')],
    ['build', path('p'), '-o', path('b.tar.gz'), '--key', path('secret.txt'), '--algorithm', 'HS256'],
  ]) {
    const { code, err } = await sallyport(['policy', ...args]);
    assert.equal(code, 2);
    assert.match(err[0] ?? '', /signature_key_refused/);
    assert.ok(!err.join('').includes('hunter2'));
  }
  assert.ok(!(await readdir(path('.'))).includes('b.tar.gz'));
});

test('policy inspect: entrypoints with titles and reads, built-ins, sizes, and the signature as it stands', async (context) => {
  const { path } = await prepared(context);
  const signing = ['--key', path('key.pem'), '--key-id', 'ci'];
  await sallyport([
    'policy',
    'build',
    path('p'),
    '-o',
    path('b.tar.gz'),
    '--revision',
    'r1',
    '--sequence',
    '3',
    ...signing,
  ]);
  const { code, out } = await sallyport(['policy', 'inspect', path('b.tar.gz')]);
  assert.equal(code, 0);
  const text = out.join('\n');
  assert.match(text, /^revision {3}r1, sequence 3$/m);
  assert.match(text, /^signature {2}ES256, key ci; not verified here/m);
  assert.match(text, /^decision {3}sallyport\/authz\/decision: May it\?$/m);
  assert.match(text, /^ +input\.parsed_query\.version\[?\.?0/m);
  assert.match(text, /^built-ins {2}semver\.compare, time\.now_ns \(nondeterministic: no decision is remembered\)$/m);
  const folder = await sallyport(['policy', 'inspect', path('p'), '--json']);
  const facts = JSON.parse(folder.out[0] ?? '') as {
    readonly entrypoints: readonly { readonly path: string }[];
    readonly signatures: unknown[];
  };
  assert.deepEqual([facts.entrypoints.map((one) => one.path), facts.signatures], [['sallyport/authz/decision'], []]);
});

test('policy inspect: a bundle of a module alone, and a folder without entrypoints', async (context) => {
  const { path } = await prepared(context);
  await sallyport(['policy', 'build', path('p'), '-o', path('b.tar.gz')]);
  const read = readBundle(await readFile(path('b.tar.gz')));
  assert.ok(read.ok);
  const bare = Object.fromEntries([...read.value.files].filter(([name]) => !name.endsWith('.rego')));
  await writeFiles(path('bare'), bare);
  await writeFiles(path('lib'), { 'lib.rego': 'package lib\n\nx := 1\n' });
  const module = await sallyport(['policy', 'inspect', path('bare')]);
  assert.equal(module.code, 0, module.err.join('\n'));
  assert.match(module.out.join('\n'), /^decision {3}sallyport\/authz\/decision$/m);
  const library = await sallyport(['policy', 'inspect', path('lib')]);
  assert.match(library.out.join('\n'), /^decision {3}none: no rule is annotated/m);
});

test('policy inspect and eval: a bundle as `opa build -t wasm` makes it, whose compiled rules are gone from the Rego, is taken as a sidecar takes it', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'p/p.rego': 'package p\n\nyes if input.x == 1\n', 'in.json': '{"x":1}' });
  const archive = join(folder, 'b.tar.gz');
  assert.equal((await sallyport(['policy', 'build', join(folder, 'p'), '-d', 'p/yes', '-o', archive])).code, 0);
  const bundle = readBundle(await readFile(archive));
  assert.ok(bundle.ok && bundle.value.module !== undefined);
  const wasm = [{ entrypoint: 'p/yes', module: '/policy.wasm' }];
  await writeFiles(folder, {
    'opa/.manifest': JSON.stringify({ revision: 'r', roots: [''], wasm, rego_version: 1 }),
    'opa/p.rego': 'package p\n\nimport data.p.yes\n',
    'opa/data.json': '{}',
  });
  await writeFile(join(folder, 'opa/policy.wasm'), bundle.value.module.bytes);
  const inspected = await sallyport(['policy', 'inspect', join(folder, 'opa')]);
  assert.equal(inspected.code, 0, inspected.err.join('\n'));
  assert.ok(inspected.out.some((line) => /^decision +p\/yes$/.test(line)));
  const asked = await sallyport(['policy', 'eval', join(folder, 'opa'), '-d', 'p/yes', '-i', join(folder, 'in.json')]);
  assert.deepEqual([asked.code, asked.out[0]], [0, 'decision  p/yes = true'], asked.err.join('\n'));
});

test('policy build: a key name, scope or algorithm without a key writes nothing, since the bundle would not be signed', async (context) => {
  const { path } = await prepared(context);
  for (const args of [
    ['--key-id', 'ci'],
    ['--scope', 'write'],
    ['--algorithm', 'RS256'],
  ]) {
    const { code, err } = await sallyport(['policy', 'build', path('p'), '-o', path('none.tar.gz'), ...args]);
    assert.equal(code, 2);
    assert.match(err[0] ?? '', /add --key FILE, or the bundle would not be signed/);
  }
  await assert.rejects(readFile(path('none.tar.gz')), { code: 'ENOENT' });
});

test('policy build: a folder that is not there is named as the user did, exit 3', async (context) => {
  const { path } = await prepared(context);
  const output = path('nowhere/b.tar.gz');
  const { code, err } = await sallyport(['policy', 'build', path('p'), '-o', output]);
  assert.deepEqual(
    [code, err],
    [3, [`sallyport: ${output}: cannot be written: its folder is not there; make it first`]],
  );
});
