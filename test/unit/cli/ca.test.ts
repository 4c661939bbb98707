import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { test } from 'node:test';

import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { createIdentitySource } from '../../../src/io/sources/identity-source.ts';
import { sallyport } from '../../support/cli.ts';
import { systemClock } from '../../support/system-clock.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { CommandRun } from '../../support/cli.ts';

const ID = 'spiffe://example.org/agents/planner';

type Ca = (...args: readonly string[]) => Promise<CommandRun>;

/** A folder, and `sallyport ca` on it. */
async function emptyFolder(context: TestContext): Promise<{ readonly dir: string; readonly ca: Ca }> {
  const dir = join(await tempFolder(context), 'certs');
  return { dir, ca: (...args) => sallyport(['ca', ...args, '--dir', dir]) };
}

/** The same with an authority in it. */
async function authority(context: TestContext, ...init: readonly string[]): Promise<{ dir: string; ca: Ca }> {
  const made = await emptyFolder(context);
  await done(made.ca('init', ...init));
  return made;
}

/** What a command that must succeed printed. */
async function done(run: Promise<CommandRun>): Promise<readonly string[]> {
  const { code, out, err } = await run;
  assert.equal(code, 0, err.join('\n'));
  return out;
}

async function json<T = Readonly<Record<string, unknown>>>(run: Promise<CommandRun>): Promise<T> {
  const [line = '', another] = await done(run);
  assert.equal(another, undefined);
  return JSON.parse(line) as T;
}

/** Exit code and the last line of stderr; nothing may be on stdout. */
async function refusal(run: Promise<CommandRun>): Promise<string> {
  const { code, out, err } = await run;
  assert.deepEqual(out, []);
  return `${code} ${err.at(-1) ?? ''}`;
}

type Listed = {
  readonly sequence: number;
  readonly roots: readonly { readonly state: string; readonly key: string }[];
  readonly issuing: readonly { readonly state: string; readonly key: string }[];
  readonly certificates: readonly {
    readonly id: string;
    readonly serial: string;
    readonly how: string;
    readonly key: string;
  }[];
  readonly tokens: readonly { readonly id: string }[];
  readonly bars: readonly { readonly kind: string; readonly value: string }[];
};

const list = (ca: Ca): Promise<Listed> => json<Listed>(ca('list', '--json'));

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

test('ca init: bundle, keys and lists by path on stdout, what to do with the keys on stderr', async (context) => {
  const { dir, ca } = await emptyFolder(context);
  const { code, out, err } = await ca('init', '--trust-domain', 'a.test');
  assert.equal(code, 0);
  const names = out.map((path) => basename(path).replace(/-[0-9a-f]{8}/, ''));
  assert.deepEqual(names, ['a.test.pem', 'a.test.root.key', 'a.test.issuing.key', 'a.test.crl.pem']);
  assert.deepEqual(await Promise.all(out.map(modeOf)), ['644', '600', '600', '644']);
  assert.match(err[0] ?? '', /a\.test\.root-.*move it to a safe place/);
  assert.match(err[1] ?? '', /a\.test\.issuing-.*is not encrypted: whoever reads it can be anyone in a\.test/);
  assert.equal(await modeOf(join(dir, 'authority.db')), '600');
});

test('what init and issue write is what a sidecar that requires lists reads, without a warning', async (context) => {
  const { dir, ca } = await authority(context);
  const [certificate = '', privateKey = ''] = await done(
    ca('issue', '--id', ID, '--dns', 'localhost', '--ip', '127.0.0.1', '--ttl', '1h'),
  );
  assert.deepEqual([certificate, privateKey], [join(dir, 'planner.pem'), join(dir, 'planner.key')]);
  assert.deepEqual([await modeOf(certificate), await modeOf(privateKey)], ['644', '600']);
  const pem = await readFile(certificate, 'utf8');
  const blocks = pemBlocks(pem);
  assert.equal(blocks.ok && blocks.value.length, 2);
  const leaf = new X509Certificate(pem);
  assert.equal(leaf.subjectAltName, `URI:${ID}, DNS:localhost, IP Address:127.0.0.1`);
  assert.equal(leaf.checkPrivateKey(createPrivateKey(await readFile(privateKey))), true);
  const source = createIdentitySource(
    {
      certificate,
      privateKey,
      trustBundles: { 'example.org': join(dir, 'example.org.pem') },
      revocationLists: [join(dir, 'example.org.crl.pem')],
    },
    { clock: systemClock },
  );
  await source.start();
  source.stop();
  assert.deepEqual([source.problem, source.current?.own.spiffeId, source.current?.warnings], [undefined, ID, []]);
  assert.equal(source.current?.trust.crls.length, 2);
});

test('ca issue --json has everything that a script wants, and the log and the list of certificates have it', async (context) => {
  const { dir, ca } = await authority(context);
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
  const { dir, ca } = await authority(context);
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
  const { dir, ca } = await authority(context);
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
    const { dir, ca } = await authority(context);
    const before = (await readdir(dir)).sort();
    const told = await refusal(ca('issue', ...args));
    assert.match(told, /^2 /);
    assert.match(told, reason);
    assert.deepEqual((await readdir(dir)).sort(), before);
    assert.deepEqual((await list(ca)).certificates, []);
  });
}

test('ca issue --csr: only the key is taken, in PEM or DER, and no key is written', async (context) => {
  const { dir, ca } = await authority(context);
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

test('with --passphrase every key that is written is encrypted, and needed from then on', async (context) => {
  const folder = await tempFolder(context);
  const [pass, other, agents] = ['pass', 'other', 'agents'].map((name) => join(folder, name));
  await Promise.all([pass, other, agents].map((path) => writeFile(path ?? '', `secret of ${path}\n`, { mode: 0o600 })));
  const { dir, ca } = await authority(context, '--passphrase', pass ?? '');
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
  const { dir, ca } = await authority(context, '--key-type', 'ed25519');
  await done(ca('issue', '--id', ID, '--key-type', 'ed25519'));
  for (const name of ['planner.pem', 'example.org.pem'])
    assert.equal(new X509Certificate(await readFile(join(dir, name))).publicKey.asymmetricKeyType, 'ed25519');
});

test('ca revoke: by ID, serial or key; the list says so at once, and what is barred gets nothing until it is not', async (context) => {
  const { dir, ca } = await authority(context);
  const [first, second, third] = [
    await json<Record<string, string>>(ca('issue', '--id', ID, '--json')),
    await json<Record<string, string>>(ca('issue', '--id', ID, '--json')),
    await json<Record<string, string>>(ca('issue', '--id', 'spiffe://example.org/x', '--json')),
  ];
  const keyOfX = (await list(ca)).certificates.find(({ id }) => id === 'spiffe://example.org/x')?.key ?? '';
  await done(ca('token', '--id', ID));
  const colons = (first['serial'] ?? '').toUpperCase().replaceAll(/..(?!$)/g, '$&:');
  const bySerial = await json(ca('revoke', '--serial', colons, '--reason', 'laptop stolen', '--json'));
  assert.deepEqual(bySerial['serials'], [first['serial']]);
  assert.equal(bySerial['revocationList'], join(dir, 'example.org.crl.pem'));
  const byId = await json(ca('revoke', '--id', ID, '--bar', '--json'));
  assert.deepEqual([byId['serials'], byId['voidTokens']], [[second['serial']], 1]);
  const byKey = await json(ca('revoke', '--key', keyOfX, '--bar', '--json'));
  assert.deepEqual(byKey['serials'], [third['serial']]);
  assert.match(await refusal(ca('revoke', '--id', ID)), /^2 .*nothing to revoke/);
  assert.match(await refusal(ca('issue', '--id', ID)), /^2 .*is barred/);
  assert.match(await refusal(ca('token', '--id', ID)), /^2 .*is barred/);
  assert.ok((await list(ca)).bars.some(({ kind, value }) => kind === 'id' && value === ID));
  assert.deepEqual(await done(ca('unbar', '--id', ID)), [ID]);
  assert.match(await refusal(ca('unbar', '--id', ID)), /^2 .*not barred.*ca list/);
  await done(ca('issue', '--id', ID));
  assert.deepEqual(await json(ca('crl', '--json')), { revocationList: join(dir, 'example.org.crl.pem'), entries: 3 });
  assert.match(await readFile(join(dir, 'issuance.jsonl'), 'utf8'), /"reason":"laptop stolen"/);
});

test('ca revoke: what is revoked is so even where no list can be signed; that is said, exit 3', async (context) => {
  const { dir, ca } = await authority(context);
  await done(ca('issue', '--id', ID));
  const key = (await list(ca)).issuing[0]?.key ?? '';
  await rename(key, join(dir, 'away.key'));
  const { code, out, err } = await ca('revoke', '--id', ID, '--json');
  assert.deepEqual([code, (JSON.parse(out[0] ?? '') as { serials: string[] }).serials.length], [3, 1]);
  assert.match(err.at(-1) ?? '', /list could not be written: .*ca serve.*ca crl/);
  assert.deepEqual((await list(ca)).certificates, []);
  const before = await readFile(join(dir, 'example.org.crl.pem'));
  await done(ca('revoke', '--id', ID, '--bar', '--no-list'));
  assert.deepEqual(await readFile(join(dir, 'example.org.crl.pem')), before);
  assert.equal((await json(ca('crl', '--issuing-key', join(dir, 'away.key'), '--json')))['entries'], 1);
});

test('ca token: alone on stdout, or in a file for its owner only, which is never another file', async (context) => {
  const { dir, ca } = await authority(context);
  const { out, err } = await ca('token', '--id', ID);
  assert.match(out.join('\n'), /^sp1_[\w-]{43}$/);
  assert.match(err.join('\n'), /--out FILE/);
  const file = join(dir, 'planner.token');
  for (let round = 0; round < 2; round += 1)
    assert.deepEqual(await done(ca('token', '--id', ID, '--out', file)), [file]);
  assert.deepEqual([await modeOf(file), (await readFile(file, 'utf8')).length], ['600', 48]);
  const facts = await json(ca('token', '--id', ID, '--out', file, '--json'));
  assert.deepEqual([facts['tokenFile'], facts['token'], facts['spiffeId']], [file, undefined, ID]);
  assert.match(await refusal(ca('token', '--id', ID, '--out', join(dir, 'example.org.pem'))), /^2 .*holds no token/);
  assert.match(await refusal(ca('token', '--id', ID, '--ttl', '8d')), /^2 .*from a second to a week/);
  assert.equal((await list(ca)).tokens.length, 4);
});

test('ca list: one line for each root, issuing CA, certificate, token and bar', async (context) => {
  const { ca } = await authority(context);
  await done(ca('issue', '--id', ID));
  await done(ca('token', '--id', 'spiffe://example.org/t'));
  await done(ca('revoke', '--id', 'spiffe://example.org/b', '--bar'));
  const lines = await done(ca('list'));
  assert.deepEqual(
    lines.map((line) => line.split(/ +/).slice(0, 2).join(' ')),
    ['root active', 'issuing active', 'certificate operator', 'token open', 'barred id'],
  );
  assert.match(
    lines[2] ?? '',
    / {2}\d{4}-\d\d-\d\dT[\d:.]+Z {2}[0-9a-f]{40} spiffe:\/\/example\.org\/agents\/planner$/,
  );
});

test("ca renew: the root's key is named where it is now; with --revoke-old all that was issued is worth nothing", async (context) => {
  const { dir, ca } = await authority(context);
  await done(ca('issue', '--id', ID));
  const rootKey = (await list(ca)).roots[0]?.key ?? '';
  await rename(rootKey, join(dir, '../offline.key'));
  assert.match(await refusal(ca('renew')), /^3 .*the root's key is needed for this/);
  const away = ['--root-key', join(dir, '../offline.key')];
  await done(ca('renew', ...away));
  assert.deepEqual(
    (await list(ca)).issuing.map(({ state }) => state),
    ['retired', 'active'],
  );
  assert.equal((await list(ca)).certificates.length, 1);
  await done(ca('issue', '--id', ID));
  const { err } = await ca('renew', ...away, '--revoke-old');
  assert.match(err.join('\n'), /all that the CA before it issued is refused/);
  assert.deepEqual(
    (await list(ca)).issuing.map(({ state }) => state),
    ['retired', 'revoked', 'active'],
  );
});

test('ca root prepare, activate, retire: each says what to wait for, and the sequence counts changes of the bundle', async (context) => {
  const { dir, ca } = await authority(context);
  await done(ca('issue', '--id', ID));
  const roots = async (): Promise<number> => {
    const blocks = pemBlocks(await readFile(join(dir, 'example.org.pem'), 'utf8'));
    return blocks.ok ? blocks.value.length : 0;
  };
  assert.deepEqual([(await list(ca)).sequence, await roots()], [1, 1]);
  assert.match(await refusal(ca('root', 'activate')), /^2 .*no prepared root/);
  const prepared = await ca('root', 'prepare');
  assert.match(prepared.err.join('\n'), /wait until everybody has it[^]*then: sallyport ca root activate/);
  assert.deepEqual([(await list(ca)).sequence, await roots()], [2, 2]);
  const early = await ca('root', 'activate');
  assert.match(early.err.join('\n'), /not every sidecar may know the new root[^]*then: sallyport ca root retire/);
  assert.deepEqual([(await list(ca)).sequence, await roots()], [2, 2]);
  assert.match(await refusal(ca('root', 'retire')), /^2 .*in use until 20/);
  assert.deepEqual((await json(ca('root', 'retire', '--force', '--json')))['retired'], 1);
  assert.deepEqual([(await list(ca)).sequence, await roots()], [3, 1]);
  assert.deepEqual((await list(ca)).certificates, []);
  await done(ca('root', 'prepare'));
  await done(ca('root', 'retire', '--prepared'));
  assert.deepEqual([(await list(ca)).sequence, await roots()], [5, 1]);
});

test('ca init: keys that are there already are used and none is made; a key of another kind is refused', async (context) => {
  const folder = await tempFolder(context);
  const keyFile = async (name: string, key = generateKeyPair('ed25519').privateKey): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    return path;
  };
  const [root, issuing] = [await keyFile('root.key'), await keyFile('issuing.key', generateKeyPair('p256').privateKey)];
  const ofRoot = createPublicKey(await readFile(root));
  const { dir, ca } = await authority(context, '--root-key', root, '--issuing-key', issuing);
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.endsWith('.key')),
    [],
  );
  const { publicKey } = new X509Certificate(await readFile(join(dir, 'example.org.pem')));
  assert.equal(publicKey.equals(ofRoot), true);
  await done(ca('issue', '--id', ID));
  const fresh = relative(process.cwd(), join(folder, 'fresh.key'));
  const made = await json(ca('init', '--force', '--root-key', fresh, '--json'));
  assert.deepEqual([made['rootKey'], await modeOf(fresh)], [join(folder, 'fresh.key'), '600']);
});

test('ca init: an authority is not replaced by accident; --force puts it aside, whole', async (context) => {
  const { dir, ca } = await authority(context);
  await done(ca('issue', '--id', ID));
  const before = await readdir(dir);
  assert.match(await refusal(ca('init')), /^2 .*is the authority of example\.org already/);
  assert.deepEqual(await readdir(dir), before);
  const { code, err } = await ca('init', '--force');
  assert.equal(code, 0);
  assert.match(err[0] ?? '', /the authority that was there is in .*replaced-20/);
  const aside = (await readdir(dir)).find((name) => name.startsWith('replaced-')) ?? '';
  const own = before.filter((name) => !/^(?:planner\.|authority\.db-)/.test(name));
  assert.deepEqual((await readdir(join(dir, aside))).sort(), own.sort());
  assert.equal(await modeOf(join(dir, aside)), '700');
  assert.deepEqual((await list(ca)).certificates, []);
  assert.equal((await sallyport(['ca', 'list', '--dir', join(dir, aside)])).code, 0);
});

test('ca init --force: where another cannot be made, the one that is there stays', async (context) => {
  const { dir, ca } = await authority(context);
  const before = await readdir(dir);
  await writeFiles(dir, { 'no.key': 'none' });
  for (const args of [
    ['--passphrase', join(dir, 'none')],
    ['--root-key', join(dir, 'none/root.key')],
    ['--root-key', join(dir, 'no.key')],
    ['--issuing-key', join(dir, 'none')],
  ]) {
    assert.match(await refusal(ca('init', '--force', ...args)), /^3 /, args.join(' '));
    assert.deepEqual((await readdir(dir)).toSorted(), [...before, 'no.key'].toSorted());
  }
  for (const domain of ['Example.org', '..'])
    assert.match(await refusal(ca('init', '--force', '--trust-domain', domain)), /^2 /);
  await done(ca('issue', '--id', ID));
});

test('what is refused is exit 2, what the system refuses is exit 3', async (context) => {
  const { dir, ca } = await emptyFolder(context);
  for (const args of [['list'], ['crl'], ['renew'], ['issue', '--id', ID], ['token', '--id', ID]])
    assert.match(await refusal(ca(...args)), /^2 .*no authority in .*ca init/, args.join(' '));
  await assert.rejects(stat(dir));
  for (const domain of ['..', '../x', 'a/b', '', 'Example.org'])
    assert.match(await refusal(ca('init', '--trust-domain', domain)), /^2 /, domain);
  await writeFiles(dir, { file: '', 'b.test.pem': 'a bundle' });
  assert.match(await refusal(sallyport(['ca', 'init', '--dir', join(dir, 'file')])), /^3 /);
  assert.match(await refusal(ca('init', '--trust-domain', 'b.test')), /^2 .*b\.test\.pem is there already/);
  assert.match(await refusal(ca('init', '--passphrase', join(dir, 'none'))), /^3 .*passphrase cannot be read/);
});
