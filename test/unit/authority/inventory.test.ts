import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { sha256Hex } from '../../../src/core/identity/bytes.ts';
import { openAuthorityStore } from '../../../src/io/authority/authority-store.ts';
import { readInventory } from '../../../src/io/authority/inventory.ts';
import { issueToOperator } from '../../../src/io/authority/operator-issuing.ts';
import { revoke } from '../../../src/io/authority/revoking.ts';
import { activateRoot, prepareRoot, renewIssuing, retireRoot } from '../../../src/io/authority/root-rotation.ts';
import { AGENT, createAuthorityWorld, DAY, HOUR, newCsr, valueOf } from '../../support/authority-world.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { Inventory } from '../../../src/io/authority/inventory.ts';
import type { AuthorityWorld } from '../../support/authority-world.ts';

const ISSUING = { ttlMs: 90 * DAY, key: { kind: 'new', keyKind: 'p256' } } as const;
const ROOT = { keyKind: 'p256', ttlMs: 3_650 * DAY } as const;

const read = ({ store, clock }: AuthorityWorld): Inventory => valueOf(readInventory(store, clock.wallMs()));

test('it names what is in force, and forgets what has ended, was revoked, used or retired', async (context) => {
  const world = await createAuthorityWorld(context);
  const { store, deps, clock } = world;
  const issue = async (id: string, ttlMs: number) =>
    valueOf(await issueToOperator(store, { id, ttlMs }, await newCsr(), deps));
  const [stays, ends, gone] = [await issue(AGENT, DAY), await issue(AGENT, HOUR), await issue(`${AGENT}-2`, DAY)];
  world.token(`${AGENT}-3`, HOUR);
  world.token(`${AGENT}-3`, DAY);
  assert.deepEqual(
    read(world).certificates.map(({ serial }) => serial),
    [ends, stays, gone].map(({ serial }) => serial),
  );
  assert.equal(read(world).tokens.length, 2);
  valueOf(revoke(store, { which: { serial: gone.serial }, reason: 'test', bar: false }, deps));
  clock.advance(HOUR + 1);
  const now = read(world);
  assert.deepEqual([now.certificates.map(({ serial }) => serial), now.tokens.length], [[stays.serial], 1]);
  assert.deepEqual(now.tokens[0]?.expiresMs, clock.wallMs() - HOUR - 1 + DAY);
  assert.deepEqual(now.bars, [{ kind: 'key', value: gone.spkiSha256, atMs: clock.wallMs() - HOUR - 1 }]);
  clock.advance(400 * DAY);
  assert.deepEqual(read(world).issuing, []);
});

test('the sequence grows when a root is added or retired, and not by anything else', async (context) => {
  const world = await createAuthorityWorld(context);
  const { store, deps } = world;
  const authority = await world.run();
  const sequences: number[] = [];
  const states: string[] = [];
  const note = async (): Promise<void> => {
    await world.look();
    const { sequence, roots } = read(world);
    assert.equal(authority.trust().sequence, sequence);
    sequences.push(sequence);
    states.push(roots.map(({ state }) => state).join());
  };
  await note();
  valueOf(await renewIssuing(store, { issuing: ISSUING, revokeOld: true }, deps));
  world.token();
  await note();
  valueOf(await prepareRoot(store, ROOT, deps));
  await note();
  valueOf(await activateRoot(store, { issuing: ISSUING, overlapMs: 0 }, deps));
  await note();
  valueOf(await retireRoot(store, { state: 'retiring', force: true }, deps));
  await note();
  valueOf(await prepareRoot(store, ROOT, deps));
  valueOf(await retireRoot(store, { state: 'prepared', force: false }, deps));
  await note();
  assert.deepEqual(sequences, [1, 1, 2, 2, 3, 5]);
  assert.deepEqual(states, ['active', 'active', 'active,prepared', 'retiring,active', 'active', 'active']);
});

test('CAs are named as the log names them, with where their keys lie', async (context) => {
  const world = await createAuthorityWorld(context);
  const { roots, issuing } = read(world);
  const [svid] = [valueOf(await issueToOperator(world.store, { id: AGENT, ttlMs: HOUR }, await newCsr(), world.deps))];
  assert.equal(issuing[0]?.sha256, sha256Hex(svid.chain[1] ?? new Uint8Array()));
  for (const { key } of [...roots, ...issuing]) assert.ok(key.startsWith(join(world.folder, 'example.org.')), key);
});

test('a folder without an authority has none', async (context) => {
  const store = openAuthorityStore(await tempFolder(context));
  context.after(() => store.close());
  assert.equal(readInventory(store, 0).ok, false);
});
