import assert from 'node:assert/strict';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { caFolder, done, ID, json, list, modeOf, refusal } from '../../support/ca-commands.ts';

test('ca revoke: by ID, serial or key; the list says so at once, and what is barred gets nothing until it is not', async (context) => {
  const { dir, ca } = await caFolder(context);
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

test('ca revoke: says how each thing that is barred is let back, and what an agent needs to come back', async (context) => {
  const { ca } = await caFolder(context);
  await done(ca('issue', '--id', ID));
  const key = (await list(ca)).certificates[0]?.key ?? '';
  const comesBack = /with a new token, and so a new key, the agent can come back/;
  const revoked = await ca('revoke', '--id', ID);
  assert.ok(revoked.err.includes(`barred until \`sallyport ca unbar --key ${key}\``), revoked.err.join('\n'));
  assert.match(revoked.err.join('\n'), comesBack);
  const { err } = await ca('revoke', '--id', ID, '--bar');
  assert.ok(err.includes(`barred until \`sallyport ca unbar --id ${ID}\``), err.join('\n'));
  assert.doesNotMatch(err.join('\n'), comesBack);
});

test('ca revoke: what is revoked is so even where no list can be signed; that is said, exit 3', async (context) => {
  const { dir, ca } = await caFolder(context);
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
  const { dir, ca } = await caFolder(context);
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
  const { ca } = await caFolder(context);
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
  const { dir, ca } = await caFolder(context);
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
  const { dir, ca } = await caFolder(context);
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
