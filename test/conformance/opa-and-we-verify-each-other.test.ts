import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import fc from 'fast-check';

import { bundleFromFiles, readBundle } from '../../src/core/bundle/bundle.ts';
import { fileHash } from '../../src/core/bundle/file-hash.ts';
import { SIGNATURE_ALGORITHMS } from '../../src/core/bundle/signature-algorithm.ts';
import { packBundle, writeSignedBundle } from '../../src/core/bundle/write-bundle.ts';
import { createBundleKeys } from '../support/bundle-keys.ts';
import { jsonText } from '../support/json-texts.ts';
import { needsNativeOpa, opa, opaFault } from '../support/native-opa.ts';
import { tempFolder, writeFiles } from '../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { BundleKeys } from '../support/bundle-keys.ts';

const POLICY = 'package a\n\nallow := data.x.n == input.n\n';
const DATA =
  '{"z":[1.0,1.10,1e3,-0,12345678901234567890],"é":{"<b>":"\u2028\\u00e9\\/","":null},"n":12345678901234567890}';
const MANIFEST = '{"revision":"r1", "roots":["a","x"], "metadata":{"b":1.0,"a":true}}';
const SOURCE = {
  'a.rego': POLICY,
  'x/data.json': DATA,
  'x/y/data.yaml': 'big: 18446744073709551615\nf: 1.50\nt: yes it is\n',
};

async function keyFiles(context: TestContext, keys: BundleKeys): Promise<string> {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'private.key': keys.privateText, 'public.key': keys.publicText });
  return folder;
}

function verifying({ algorithm }: BundleKeys): readonly string[] {
  return ['--verification-key', 'public.key', '--verification-key-id', 'k1', '--signing-alg', algorithm];
}

for (const algorithm of SIGNATURE_ALGORITHMS) {
  test(`${algorithm}: opa verifies what we sign, and refuses it changed`, needsNativeOpa, async (context) => {
    const keys = createBundleKeys(algorithm);
    const folder = await keyFiles(context, keys);
    const files = new Map(Object.entries(SOURCE).map(([path, text]) => [path, Buffer.from(text)]));
    const archive = writeSignedBundle(
      { manifestJson: '{"revision":"r1","roots":[""]}', files },
      keys.signing({ keyId: 'k1', scope: 'write' }),
    );
    assert.ok(archive.ok);
    await writeFile(join(folder, 'b.tar.gz'), archive.value);
    await opa(folder, 'build', '-b', 'b.tar.gz', ...verifying(keys), '--scope', 'write', '-o', 'o.tar.gz');
    const read = readBundle(archive.value);
    assert.equal(read.ok ? 'read' : read.error.code, 'signature_unexpected');
    const again = readBundle(archive.value, {
      verification: { keys: new Map([['k1', keys.verification]]), scope: 'write' },
    });
    assert.ok(again.ok, again.ok ? '' : again.error.detail);
    await writeFile(
      join(folder, 'changed.tar.gz'),
      packBundle(new Map([...again.value.files, ['a.rego', Buffer.from('package a\n\nallow := true\n')]])),
    );
    const fault = await opaFault(folder, 'build', '-b', 'changed.tar.gz', ...verifying(keys), '--scope', 'write');
    assert.match(fault, /a\.rego: digest mismatch/);
  });

  test(`${algorithm}: we verify what opa builds and signs`, needsNativeOpa, async (context) => {
    const keys = createBundleKeys(algorithm);
    const folder = await keyFiles(context, keys);
    await writeFiles(folder, { 'src/a.rego': POLICY, 'src/x/data.json': DATA, 'src/.manifest': MANIFEST });
    const signing = ['--signing-key', 'private.key', '--signing-alg', algorithm, '--verification-key-id', 'k1'];
    await opa(folder, 'build', '-t', 'wasm', '-e', 'a/allow', '-b', 'src', ...signing, '-o', 'b.tar.gz');
    const bundle = readBundle(await readFile(join(folder, 'b.tar.gz')), {
      verification: { keys: new Map([['k1', keys.verification]]), keyId: 'k1' },
    });
    assert.ok(bundle.ok, bundle.ok ? '' : bundle.error.detail);
    assert.deepEqual(bundle.value.signer, { keyId: 'k1', algorithm });
    assert.equal(bundle.value.revision, 'r1');
  });
}

test('what opa sign writes is verified, its claims are heeded', needsNativeOpa, async (context) => {
  const keys = createBundleKeys('ES256');
  const folder = await keyFiles(context, keys);
  await writeFiles(folder, {
    ...Object.fromEntries(
      Object.entries({ ...SOURCE, '.manifest': MANIFEST }).map(([path, text]) => [`src/${path}`, text]),
    ),
    'claims.json': '{"scope":"read","keyid":"k1","iss":"somebody","iat":1}',
  });
  const signing = ['--signing-key', '../private.key', '--signing-alg', 'ES256', '--claims-file', '../claims.json'];
  await opa(join(folder, 'src'), 'sign', '-b', '.', ...signing, '-o', '.');
  const paths = [...Object.keys(SOURCE), '.manifest', '.signatures.json'];
  const files = new Map(
    await Promise.all(paths.map(async (path) => [path, await readFile(join(folder, 'src', path))] as const)),
  );
  const keysById = new Map([['k1', keys.verification]]);
  const read = readBundle(packBundle(files), { verification: { keys: keysById, scope: 'read' } });
  assert.ok(read.ok, read.ok ? '' : read.error.detail);
  assert.deepEqual(read.value.signer, { keyId: 'k1', algorithm: 'ES256' });
  const other = readBundle(packBundle(files), { verification: { keys: keysById } });
  assert.equal(other.ok ? 'read' : other.error.code, 'signature_scope_mismatch');
});

/** The hashes that `opa sign` computes for files, by name. */
async function opaHashes(
  context: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, string>> {
  const folder = await tempFolder(context);
  await writeFiles(folder, Object.fromEntries(Object.entries(files).map(([path, text]) => [`src/${path}`, text])));
  await opa(
    join(folder, 'src'),
    'sign',
    '-b',
    '.',
    '--signing-alg',
    'HS256',
    '--signing-key',
    'x'.repeat(32),
    '-o',
    folder,
  );
  const { signatures } = JSON.parse(await readFile(join(folder, '.signatures.json'), 'utf8')) as {
    signatures: string[];
  };
  const payload = JSON.parse(Buffer.from(signatures[0]?.split('.')[1] ?? '', 'base64url').toString()) as {
    files: { name: string; hash: string }[];
  };
  return new Map(payload.files.map(({ name, hash }) => [name, hash]));
}

async function assertSameHashes(context: TestContext, files: Readonly<Record<string, string>>): Promise<void> {
  const theirs = await opaHashes(context, files);
  for (const [path, text] of Object.entries(files)) {
    const hash = fileHash(path, Buffer.from(text), 'SHA-256');
    assert.deepEqual(hash, { ok: true, value: theirs.get(path) }, `${path}: ${JSON.stringify(text)}`);
  }
}

test('property: opa and we give any JSON document the same hash', needsNativeOpa, async (context) => {
  const samples = fc.sample(jsonText({ loneSurrogates: true }), 2_000);
  await assertSameHashes(context, Object.fromEntries(samples.map((text, index) => [`d${index}/data.json`, text])));
  const manifests = fc.sample(jsonText({ loneSurrogates: true }), 200);
  await assertSameHashes(context, Object.fromEntries(manifests.map((text, index) => [`d${index}/.manifest`, text])));
});

const YAMLS = [
  'a: 1\nb: [x, 1.5, 1.50, true, null, ~]\nc: "<&>"\n',
  'z: 1\n10: ten\ntrue: t\n',
  'big: 18446744073709551615\nlow: -9223372036854775808\nbigger: 18446744073709551616\nfloat: 1e21\nsmall: 1e-7\n',
  'text: |\n  two\n  lines\nfolded: >\n  one\n  line\n',
  'base: &b {x: 1}\nuse: *b\n',
  '{"json": 1.0, "in": "yaml", "e": 1E5}',
  '# nothing but words\n"é😀": "\\u2028\\x41"\n',
];
test('opa and we give YAML the same hash, where both read it alike', needsNativeOpa, async (context) => {
  const files = Object.fromEntries(
    YAMLS.map((text, index) => [`d${index}/data.${index % 2 === 0 ? 'yaml' : 'yml'}`, text]),
  );
  await assertSameHashes(context, files);
});

const READ_BY_ONE = [
  'a: 010',
  'a: 1_000',
  'a: 0b11',
  'a: -0x1F',
  'a: 0X1F',
  '<<: {a: 1}',
  'a: {<<: {b: 2}}',
  'a: 0x1_0',
];
test('YAML that opa reads as something else is refused, signed or not', needsNativeOpa, async (context) => {
  const theirs = await opaHashes(
    context,
    Object.fromEntries(READ_BY_ONE.map((text, at) => [`d${at}/data.yaml`, text])),
  );
  assert.equal(theirs.size, READ_BY_ONE.length);
  for (const text of READ_BY_ONE) {
    const bundle = bundleFromFiles(new Map([['data.yaml', Buffer.from(text)]]));
    assert.match(bundle.ok ? 'read' : bundle.error.detail, /^data\.yaml: line 1: .*write/, text);
  }
});

test('files of other names are hashed as they stand, by opa and by us', needsNativeOpa, async (context) => {
  await assertSameHashes(context, {
    'data.jsonx': '{ "a" : 1 }',
    'mydata.json': '{ "a" : 1 }',
    'x/plan.json': '{ "a" : 1 }',
    'values.yaml': 'a:  1',
    'DATA.JSON': '{ "a" : 1 }',
    '.manifest.pb': '{ }',
  });
});
