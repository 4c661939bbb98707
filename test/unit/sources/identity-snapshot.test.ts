import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkOwnIdentity } from '../../../src/core/identity/own-identity.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { createSnapshot } from '../../../src/io/sources/identity-snapshot.ts';
import { createAuthority, type Authority } from '../../support/pki.ts';

import type { TrustDomain } from '../../../src/core/kernel/brand.ts';

/** What an operator is warned of where these lists are there beside an identity that an intermediate issued. */
function warningsOf(
  root: Authority,
  issuing: Authority,
  crls: readonly Uint8Array[],
  chosenLists = true,
): readonly string[] {
  const leaf = issuing.issue();
  const bundles = new Map([['example.org' as TrustDomain, root.bundle]]);
  const spki = new Uint8Array(leaf.keys.publicKey.export({ type: 'spki', format: 'der' }));
  const own = checkOwnIdentity(leaf.chain, spki, Date.now());
  const trust = createTrustStore(bundles, crls);
  assert.ok(own.ok && trust.ok);
  const part = { chain: leaf.chain, privateKey: leaf.privateKey };
  const made = createSnapshot({
    own: own.value,
    part,
    trust: trust.value,
    bundles,
    warnings: ['said before'],
    chosenLists,
  });
  assert.ok(made.ok);
  return made.value.warnings;
}

test('a list of an issuer that nobody knows is told; that of a root, or of the CA above ourselves, is not', () => {
  const root = createAuthority();
  const issuing = root.intermediate();
  const stranger = createAuthority({ subject: 'stranger' });
  assert.deepEqual(warningsOf(root, issuing, [root.crl().der, issuing.crl().der]), ['said before']);
  assert.deepEqual(warningsOf(root, issuing, [stranger.crl().der]), [
    'said before',
    'the revocation list of CN=stranger counts for intermediates only: no trust bundle has this issuer',
  ]);
  assert.deepEqual(
    warningsOf(root, issuing, [stranger.crl().der], false),
    ['said before'],
    'an authority knows better',
  );
});
