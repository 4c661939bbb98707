import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';

import fc from 'fast-check';

import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { DATABASE_FILE, openAuthorityStore } from '../../../src/io/authority/authority-store.ts';
import { allLiving } from '../../../src/io/authority/certificate-rows.ts';
import { issueToOperator } from '../../../src/io/authority/operator-issuing.ts';
import { liftBar, revoke } from '../../../src/io/authority/revoking.ts';
import { AGENT, createAuthorityWorld, DAY, HOUR, newCsr, OWN_ID, valueOf } from '../../support/authority-world.ts';

import type { IssuedSvid } from '../../../src/core/issuance/svid.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { Attestation } from '../../../src/core/model/svid.ts';
import type { OperatorRequest } from '../../../src/io/authority/operator-issuing.ts';
import type { AuthorityWorld } from '../../support/authority-world.ts';

async function issue(
  { store, deps }: AuthorityWorld,
  wanted: Partial<OperatorRequest> = {},
  csr?: Uint8Array,
): Promise<Result<IssuedSvid, string>> {
  return issueToOperator(store, { id: AGENT, ttlMs: HOUR, ...wanted }, csr ?? (await newCsr()), deps);
}

function why(result: Result<unknown, string>): string {
  return result.ok ? 'issued' : result.error;
}

type LogLine = { readonly event: string; readonly sallyport: Readonly<Record<string, string>> };

async function records({ folder }: AuthorityWorld): Promise<readonly LogLine[]> {
  const text = await readFile(join(folder, 'issuance.jsonl'), 'utf8');
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as LogLine).filter(({ sallyport }) => sallyport['method'] === 'operator');
}

test('what an operator gets is known to the authority that runs on the folder, accepted by peers, and renews', async (context) => {
  const world = await createAuthorityWorld(context);
  const authority = await world.run();
  const names = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] };
  const svid = valueOf(await issue(world, { ...names, ttlMs: 3 * DAY }));
  assert.equal(authority.isGood(svid.serial), true);
  assert.equal(svid.notAfterMs - world.clock.wallMs(), 3 * DAY);
  const leaf = new X509Certificate(svid.chain[0] ?? new Uint8Array());
  assert.equal(leaf.subjectAltName, `URI:${AGENT}, DNS:localhost, IP Address:127.0.0.1`);
  const { bundles, crls } = authority.trust();
  const trust = valueOf(createTrustStore(bundles, crls));
  for (const purpose of ['client', 'server'] as const) {
    const verdict = verifyPeer(svid.chain, trust, world.clock.wallMs(), { purpose, requireCrl: true });
    assert.equal(verdict.kind, 'identified', JSON.stringify(verdict));
  }
  const shown: Attestation = { kind: 'certificate', spiffeId: svid.spiffeId, serial: svid.serial };
  const renewed = valueOf(await authority.issue(shown, await newCsr(), '192.0.2.7'));
  // A life that was asked for once is not asked for ever after.
  assert.equal(renewed.notAfterMs - world.clock.wallMs(), HOUR);
});

test('each call has one record, refusals too, and it is in the log when it returns', async (context) => {
  const world = await createAuthorityWorld(context);
  const svid = valueOf(await issue(world));
  await issue(world, { id: 'spiffe://other.org/a' });
  await issue(world, {}, new Uint8Array(3));
  assert.deepEqual(
    (await records(world)).map(({ event, sallyport }) => [event, sallyport['serial'] ?? sallyport['fault']]),
    [
      ['issued', svid.serial],
      ['refused', 'id_refused'],
      ['refused', 'csr_malformed'],
    ],
  );
});

test('a bar of an ID or a key holds for the operator too, who can lift it; that of a pod does not', async (context) => {
  const world = await createAuthorityWorld(context);
  const authority = await world.run();
  const pod = { name: 'p', uid: 'u-1' };
  const ofPod: Attestation = { kind: 'kubernetes', namespace: 'agents', serviceAccount: 'researcher', pod };
  const csr = await createCsr(generateKeyPair('p256').privateKey);
  valueOf(await authority.issue(ofPod, csr, ''));
  valueOf(revoke(world.store, { which: { spiffeId: AGENT }, reason: 'test', bar: false }, world.deps));
  assert.equal((await authority.issue(ofPod, await newCsr(), '')).ok, false);
  assert.equal(why(await issue(world)), 'issued');
  assert.match(why(await issue(world, {}, csr)), /^key [0-9a-f]{64} is barred$/);
  valueOf(revoke(world.store, { which: { spiffeId: AGENT }, reason: 'test', bar: true }, world.deps));
  assert.equal(why(await issue(world)), `${AGENT} is barred`);
  valueOf(liftBar(world.store, 'id', AGENT, world.deps));
  assert.equal(why(await issue(world)), 'issued');
});

const WRONG: Readonly<Record<string, readonly [Partial<OperatorRequest>, RegExp]>> = {
  'an ID of another trust domain': [{ id: 'spiffe://other.org/a' }, /the ID is of other\.org/],
  'an ID without path': [{ id: 'spiffe://example.org' }, /not a workload/],
  'an ID with dot segments': [{ id: 'spiffe://example.org/../a' }, /./],
  "the authority's own ID": [{ id: OWN_ID }, /is the authority's own ID/],
  'no time to live': [{ ttlMs: 0 }, /./],
  'a life beyond the issuing CA': [{ ttlMs: 366 * DAY }, /the issuing CA itself ends at/],
  'an address that is none': [{ ipAddresses: ['1.2.3'] }, /no IP address/],
};
for (const [what, [wanted, reason]] of Object.entries(WRONG)) {
  test(`${what} is refused, and nothing is stored`, async (context) => {
    const world = await createAuthorityWorld(context);
    assert.match(why(await issue(world, wanted)), reason);
    assert.deepEqual(valueOf(world.store.read((database) => allLiving(database, 0))), []);
  });
}

test('where the issuing key cannot be opened nothing is issued, and why is said', async (context) => {
  const world = await createAuthorityWorld(context);
  const issued = await issue(world, { issuingKey: join(world.folder, 'nowhere.key') });
  assert.match(why(issued), /^nothing can be issued: .*nowhere\.key/);
});

test('while another process holds the database nothing is given out', async (context) => {
  const world = await createAuthorityWorld(context);
  const mine = openAuthorityStore(world.folder, { busyMs: 1 });
  context.after(() => mine.close());
  const other = new DatabaseSync(join(world.folder, DATABASE_FILE));
  context.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  assert.match(why(await issueToOperator(mine, { id: AGENT, ttlMs: HOUR }, await newCsr(), world.deps)), /locked/);
  other.exec('ROLLBACK');
  assert.deepEqual(valueOf(world.store.read((database) => allLiving(database, 0))), []);
});

test('property: whatever is asked for, either it is refused or it is stored as it was asked for', async (context) => {
  const world = await createAuthorityWorld(context);
  const text = fc.oneof(fc.constantFrom('spiffe://example.org/a', 'spiffe://other.org/a', AGENT), fc.string());
  const request = fc.record({
    id: text,
    ttlMs: fc.oneof(fc.integer({ min: -1, max: 400 * DAY }), fc.double()),
    dnsNames: fc.array(fc.oneof(fc.constant('localhost'), fc.string()), { maxLength: 2 }),
    ipAddresses: fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), { maxLength: 2 }),
  });
  const csr = await newCsr();
  await fc.assert(
    fc.asyncProperty(request, async (wanted) => {
      const issued = await issueToOperator(world.store, wanted, csr, world.deps);
      const living = valueOf(world.store.read((database) => allLiving(database, 0)));
      if (!issued.ok) return;
      const stored = living.find(({ serial }) => serial === issued.value.serial);
      assert.deepEqual([stored?.spiffeId, stored?.how, stored?.bearer], [wanted.id, 'operator', undefined]);
    }),
    { numRuns: 60 },
  );
});
