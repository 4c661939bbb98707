import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { createAuthority } from '../../support/pki.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';
import { judgeFolder, table } from './judge-vectors.ts';
import { readVectors } from './vector.ts';

import type { TestContext } from 'node:test';

const RUNNER = fileURLToPath(new URL('run.ts', import.meta.url));
const root = createAuthority();
const middle = root.intermediate();
const leaf = middle.issue({ keys: createKeyPair() });
const base64 = (list: readonly Uint8Array[]): readonly string[] =>
  list.map((der) => Buffer.from(der).toString('base64'));

const accepted = {
  name: 'a leaf under an intermediate',
  chain: base64(leaf.chain),
  bundle: base64(root.bundle),
  time: new Date().toISOString(),
  purpose: 'client',
  expect: 'accept',
};
const long = new Date(leaf.notAfter.getTime() + 1_000).toISOString();
const expired = { ...accepted, name: 'past its end', time: long, expect: 'reject', fault: 'peer_certificate_expired' };

type Run = { readonly code: number | string | null | undefined; readonly out: string; readonly problem: string };

function run(...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [RUNNER, ...args], (error, out, problem) => {
      resolve({ code: error === null ? 0 : error.code, out, problem });
    });
  });
}

async function folderOf(context: TestContext, files: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = await tempFolder(context);
  const texts = Object.entries(files).map(([name, json]) => [
    name,
    typeof json === 'string' ? json : JSON.stringify(json),
  ]);
  await writeFiles(folder, Object.fromEntries(texts));
  return folder;
}

test('vectors that agree: one line each, the count, exit 0', async (context) => {
  const pem = {
    ...accepted,
    name: 'the same as PEM',
    chain: [leaf.chainPem],
    bundle: [root.bundlePem],
    purpose: 'server',
  };
  const listed = {
    ...accepted,
    name: 'revoked',
    crls: base64([middle.crl({ revoked: [leaf.serial] }).der]),
    expect: 'reject',
  };
  const files = { 'a.json': [accepted, pem], 'b.json': expired, 'c.json': [listed], 'd.txt': 'x' };
  const { code, out } = await run(await folderOf(context, files));
  assert.equal(code, 0);
  const lines = out.trimEnd().split('\n');
  assert.equal(lines.length, 5);
  assert.match(lines[0] ?? '', /^agrees {3}a leaf under an intermediate {2}accept {2}spiffe:\/\/example\.org\/agent$/);
  assert.match(lines[2] ?? '', /^agrees {3}past its end +reject {2}peer_certificate_expired: leaf: valid to/);
  assert.match(lines[3] ?? '', /^agrees {3}revoked +reject {2}peer_certificate_revoked: /);
  assert.equal(lines[4], '4 vectors, 4 agree, 0 differ');
});

const DIFFERING: Readonly<Record<string, readonly [object, RegExp]>> = {
  'accepted where it should be rejected': [{ ...accepted, expect: 'reject' }, /accept .*\(expected reject\)/],
  'rejected where it should be accepted': [{ ...accepted, time: long }, /reject .*\(expected accept\)/],
  'rejected with another fault': [
    { ...expired, fault: 'peer_certificate_revoked' },
    /reject {2}peer_certificate_expired.*\(expected reject peer_certificate_revoked\)/,
  ],
  'required lists that are not there': [{ ...accepted, requireCrl: true }, /reject {2}peer_revocation_unknown/],
  'a bundle of another domain': [{ ...accepted, trustDomain: 'other.org' }, /reject {2}peer_chain_untrusted/],
  'a name with control characters': [{ ...accepted, name: 'a\n\u001b[31mb', expect: 'reject' }, /a\ufffd\ufffd\[31mb/],
};
for (const [what, [vector, line]] of Object.entries(DIFFERING)) {
  test(`a vector that differs comes last: ${what}`, async (context) => {
    const judged = await judgeFolder(await folderOf(context, { 'a.json': [vector, { ...accepted, name: 'other' }] }));
    assert.ok(judged.ok);
    const lines = table(judged.value).split('\n');
    assert.equal(lines.length, 3);
    assert.match(lines[1] ?? '', /^DIFFERS {2}/);
    assert.match(lines[1] ?? '', line);
    assert.equal(lines[2], '2 vectors, 1 agree, 1 differ');
  });
}

test('one vector that differs: exit 1, and the table all the same', async (context) => {
  const vector = { ...expired, expect: 'accept', fault: undefined };
  const { code, out } = await run(await folderOf(context, { 'a.json': [vector, accepted] }));
  assert.equal(code, 1);
  assert.match(out, /^agrees .*\nDIFFERS .*\n2 vectors, 1 agree, 1 differ\n$/);
});

const UNREADABLE: Readonly<Record<string, readonly [Readonly<Record<string, unknown>>, RegExp]>> = {
  'no JSON': [{ 'a.json': '{' }, /^a\.json: .*JSON/],
  'no vectors': [{ 'a.txt': 'x' }, /no vectors; they are in files \*\.json/],
  'an empty list': [{ 'a.json': [] }, /no vectors/],
  'no object': [{ 'a.json': [1] }, /^a\.json: vector 1: /],
  'a key that is none': [{ 'a.json': [accepted, { ...accepted, mode: 1 }] }, /^a\.json: vector 2: .*mode/],
  'no name': [{ 'a.json': { ...accepted, name: '' } }, /vector 1: .*name/],
  'a time without a zone': [{ 'a.json': { ...accepted, time: '2026-01-01' } }, /vector 1: .*time/],
  'a purpose that is none': [{ 'a.json': { ...accepted, purpose: 'any' } }, /vector 1: .*purpose/],
  'a fault that is none': [{ 'a.json': { ...expired, fault: 'expired' } }, /there is no fault expired/],
  'a name of every object': [{ 'a.json': { ...expired, fault: 'constructor' } }, /there is no fault constructor/],
  'accepted with a fault': [{ 'a.json': { ...expired, expect: 'accept' } }, /accepted with a fault/],
  'neither base64 nor PEM': [{ 'a.json': { ...accepted, chain: ['?'] } }, /neither base64 nor PEM/],
  'PEM without end': [{ 'a.json': { ...accepted, bundle: ['-----BEGIN X-----\nAA=='] } }, /neither base64 nor PEM/],
};
for (const [what, [files, problem]] of Object.entries(UNREADABLE)) {
  test(`vectors that cannot be read are an error that says where: ${what}`, async (context) => {
    const judged = await judgeFolder(await folderOf(context, files));
    assert.match(judged.ok ? 'judged' : judged.error, problem);
  });
}

test('vectors that cannot be read: exit 2, and nothing on stdout', async (context) => {
  const { code, out, problem } = await run(await folderOf(context, { 'a.json': '{' }));
  assert.deepEqual([code, out], [2, '']);
  assert.match(problem, /^a\.json: /);
});

test('wrong use exits 2 with the usage', async () => {
  for (const args of [[], ['--help'], ['a', 'b']]) {
    const { code, problem } = await run(...args);
    assert.equal(code, 2);
    assert.match(problem, /^Usage: /);
  }
  assert.match((await run('no/such/folder')).problem, /no folder that can be read/);
});

test('certificates that are no DER are a question like any other', async (context) => {
  const vector = { ...accepted, chain: ['AAAA'], expect: 'reject', fault: 'peer_certificate_malformed' };
  const judged = await judgeFolder(await folderOf(context, { 'a.json': vector }));
  assert.equal(judged.ok && judged.value[0]?.agrees, true);
});

test('the example of the README has the shape that is read', async () => {
  const text = await readFile(new URL('README.md', import.meta.url), 'utf8');
  const [, example = ''] = /```json\n([\s\S]*?)```/.exec(text) ?? [];
  const vectors = readVectors(example);
  assert.ok(vectors.ok, JSON.stringify(vectors));
  assert.deepEqual(
    vectors.value.map(({ expect, fault }) => [expect, fault]),
    [['reject', 'peer_certificate_malformed']],
  );
});
