import assert from 'node:assert/strict';
import { test } from 'node:test';

import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { AGENT, createAuthorityWorld, newCsr, valueOf } from '../../support/authority-world.ts';

test('a join token gives one certificate for its ID, which peers accept under the published trust', async (context) => {
  const world = await createAuthorityWorld(context);
  const authority = await world.run();
  const svid = valueOf(await authority.issue(world.token(), await newCsr(), '192.0.2.7'));
  assert.equal(svid.spiffeId, AGENT);
  const { bundles, crls } = authority.trust();
  const trust = valueOf(createTrustStore(bundles, crls));
  const verdict = verifyPeer(svid.chain, trust, world.clock.wallMs(), { purpose: 'client', requireCrl: true });
  assert.equal(verdict.kind, 'identified');
  assert.equal(authority.isGood(svid.serial), true);
});
