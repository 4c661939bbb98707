import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';

import { encodePem } from '../../../src/core/identity/pem.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { caFolder, done, ID, json, list, refusal } from '../../support/ca-commands.ts';
import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

test('ca issue --json has everything that a script wants, and the log and the list of certificates have it', async (context) => {
  const { dir, ca } = await caFolder(context);
  const facts = await json<Record<string, string>>(ca('issue', '--id', ID, '--json'));
  assert.deepEqual(Object.keys(facts).sort(), ['certificate', 'id', 'notAfter', 'privateKey', 'serial']);
  const { certificates } = await list(ca);
  assert.deepEqual(
    certificates.map(({ id, serial, how }) => [id, serial, how]),
    [[ID, facts['serial'], 'operator']],
  );
  const log = join(dir, 'issuance.jsonl');
  assert.equal((await sallyport(['log', 'verify', log])).code, 0);
  const last = JSON.parse((await readFile(log, 'utf8')).trim().split('\n').at(-1) ?? '') as {
    event: string;
    sallyport: Record<string, string>;
  };
  assert.deepEqual(
    [last.event, last.sallyport['method'], last.sallyport['serial']],
    ['issued', 'operator', facts['serial']],
  );
});

test('ca issue: a renewal replaces its own files, and no others', async (context) => {
  const { dir, ca } = await caFolder(context);
  await done(ca('issue', '--id', ID));
  await done(ca('issue', '--id', ID));
  const other = ['issue', '--id', 'spiffe://example.org/other/planner'];
  assert.match(await refusal(ca(...other)), /^2 .*planner\.pem is the certificate of spiffe:\/\/example\.org\/agents/);
  await done(ca(...other, '--force'));
  await done(ca(...other, '--out', join(dir, 'out/deep'), '--name', 'agent'));
  assert.deepEqual((await readdir(join(dir, 'out/deep'))).sort(), ['agent.key', 'agent.pem']);
  await writeFiles(dir, { 'notes.pem': 'my notes', 'alone.key': 'my key' });
  assert.match(
    await refusal(ca('issue', '--id', 'spiffe://example.org/notes')),
    /^2 .*is no certificate of a workload/,
  );
  assert.match(await refusal(ca('issue', '--id', 'spiffe://example.org/alone')), /^2 .*alone\.key is there already/);
  assert.equal((await list(ca)).certificates.length, 4);
});

test('ca issue: files of the authority itself are not written over, not even by force', async (context) => {
  const { dir, ca } = await caFolder(context);
  const keys = (await readdir(dir)).filter((name) => name.endsWith('.key')).map((name) => basename(name, '.key'));
  const before = await Promise.all(keys.map((name) => readFile(join(dir, `${name}.key`), 'utf8')));
  for (const name of [...keys, 'example.org', 'example.org.crl']) {
    const wanted = ['issue', '--id', `spiffe://example.org/${name}`, '--force'];
    assert.match(await refusal(ca(...wanted)), /^2 .*is a file of the authority itself/, name);
    assert.match(await refusal(ca(...wanted, '--out', join(dir, '../certs'))), /^2 .*is a file of the authority/, name);
  }
  assert.deepEqual(await Promise.all(keys.map((name) => readFile(join(dir, `${name}.key`), 'utf8'))), before);
});

const REFUSED: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
  'an ID of another trust domain': [['--id', 'spiffe://other.org/a'], /the ID is of other\.org/],
  'an ID without path': [['--id', 'spiffe://example.org'], /./],
  'no SPIFFE ID': [['--id', 'agent'], /./],
  "the authority's own ID": [['--id', 'spiffe://example.org/sallyport/authority'], /authority's own ID/],
  'a life beyond that of the issuing CA': [['--id', ID, '--ttl', '400d'], /the issuing CA itself ends at 20/],
  'a DNS name that is none': [['--id', ID, '--dns', 'a b'], /./],
  'a request that is none': [['--id', ID, '--csr', 'package.json'], /package\.json: is not one certificate request/],
  'a passphrase for a key that is not made': [['--id', ID, '--csr', 'x', '--key-passphrase', 'y'], /no key is written/],
};
for (const [what, [args, reason]] of Object.entries(REFUSED)) {
  test(`ca issue: ${what} is refused, exit 2, and nothing is written`, async (context) => {
    const { dir, ca } = await caFolder(context);
    const before = (await readdir(dir)).sort();
    const told = await refusal(ca('issue', ...args));
    assert.match(told, /^2 /);
    assert.match(told, reason);
    assert.deepEqual((await readdir(dir)).sort(), before);
    assert.deepEqual((await list(ca)).certificates, []);
  });
}

test('ca issue --csr: only the key is taken, in PEM or DER, and no key is written', async (context) => {
  const { dir, ca } = await caFolder(context);
  const { privateKey, publicKey } = generateKeyPair('ed25519');
  const der = Buffer.from(await createCsr(privateKey));
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE REQUEST-----\n`;
  await writeFiles(dir, { 'a.csr': der, 'b.csr': pem });
  for (const name of ['a', 'b']) {
    const out = await done(ca('issue', '--id', `spiffe://example.org/${name}`, '--csr', join(dir, `${name}.csr`)));
    assert.deepEqual(out, [join(dir, `${name}.pem`)]);
    const leaf = new X509Certificate(await readFile(join(dir, `${name}.pem`)));
    assert.equal(leaf.publicKey.equals(publicKey), true);
  }
  assert.deepEqual(
    (await readdir(dir)).filter((name) => /^[ab]\.key$/.test(name)),
    [],
  );
});

test('ca issue --csr: what is not one request, whole and by its own key, is refused', async (context) => {
  const { dir, ca } = await caFolder(context);
  const der = Buffer.from(await createCsr(generateKeyPair('p256').privateKey));
  const forged = Buffer.from(der);
  forged[der.length - 1] = (forged[der.length - 1] ?? 0) ^ 1;
  const one = encodePem('CERTIFICATE REQUEST', der);
  const WRONG: Readonly<Record<string, readonly [string | Uint8Array, RegExp]>> = {
    'two.csr': [one + one, /is not one certificate request/],
    'empty.csr': ['', /is not one certificate request/],
    'certificate.csr': [encodePem('CERTIFICATE', der), /is not one certificate request/],
    'key.csr': [encodePem('PRIVATE KEY', der), /is not one certificate request/],
    'cut.csr': [der.subarray(0, -1), /./],
    'more.csr': [Buffer.concat([der, Buffer.of(0)]), /./],
    'forged.csr': [forged, /not by the key of the request/],
  };
  for (const [name, [content, reason]] of Object.entries(WRONG)) {
    await writeFiles(dir, { [name]: content });
    const told = await refusal(ca('issue', '--id', ID, '--csr', join(dir, name)));
    assert.match(told, /^2 /, name);
    assert.match(told, reason, name);
  }
  await writeFiles(dir, { 'huge.csr': Buffer.alloc(65_537, 0x30) });
  assert.match(
    await refusal(ca('issue', '--id', ID, '--csr', join(dir, 'huge.csr'))),
    /^3 .*is larger than 65536 bytes/,
  );
  assert.match(await refusal(ca('issue', '--id', ID, '--csr', join(dir, 'none.csr'))), /^3 .*there is no such file/);
  assert.match(await refusal(ca('issue', '--id', ID, '--key-passphrase', join(dir, 'none'))), /^3 .*cannot be read/);
  assert.deepEqual((await list(ca)).certificates, []);
  await writeFiles(dir, { 'new.csr': encodePem('NEW CERTIFICATE REQUEST', der) });
  await done(ca('issue', '--id', ID, '--csr', join(dir, 'new.csr')));
});

test('with --passphrase every key that is written is encrypted, and needed from then on', async (context) => {
  const folder = await tempFolder(context);
  const [pass, other, agents] = ['pass', 'other', 'agents'].map((name) => join(folder, name));
  await Promise.all([pass, other, agents].map((path) => writeFile(path ?? '', `secret of ${path}\n`, { mode: 0o600 })));
  const { dir, ca } = await caFolder(context, '--passphrase', pass ?? '');
  const keys = (await readdir(dir)).filter((name) => name.endsWith('.key'));
  assert.equal(keys.length, 2);
  for (const name of keys)
    assert.match(await readFile(join(dir, name), 'utf8'), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
  assert.match(await refusal(ca('issue', '--id', ID)), /^3 .*encrypted/);
  assert.match(await refusal(ca('issue', '--id', ID, '--passphrase', other ?? '')), /^3 .*passphrase is wrong/);
  await done(ca('issue', '--id', ID, '--passphrase', pass ?? '', '--key-passphrase', agents ?? ''));
  const key = await readFile(join(dir, 'planner.key'), 'utf8');
  assert.match(key, /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
  assert.equal(createPrivateKey({ key, passphrase: `secret of ${agents}` }).type, 'private');
  for (const args of [['crl'], ['renew']]) await done(ca(...args, '--passphrase', pass ?? ''));
});

test('--key-type ed25519 is for CAs and for workloads', async (context) => {
  const { dir, ca } = await caFolder(context, '--key-type', 'ed25519');
  await done(ca('issue', '--id', ID, '--key-type', 'ed25519'));
  for (const name of ['planner.pem', 'example.org.pem'])
    assert.equal(new X509Certificate(await readFile(join(dir, name))).publicKey.asymmetricKeyType, 'ed25519');
});
