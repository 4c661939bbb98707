import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import { type BundleEndpoint, judgeBundleEndpoint } from '../../../src/core/identity/bundle-endpoint.ts';
import { createAuthority } from '../../support/pki.ts';
import { domain, HOUR, NOW } from './judging.ts';

const root = createAuthority();
const id = 'spiffe://example.org/bundle-server' as SpiffeId;
const server = root.intermediate().issue({ id });
const endpoint: BundleEndpoint = { id, trustDomain: domain('example.org'), bundle: root.bundle };

function faultOf(chain: readonly Uint8Array[], change: Partial<BundleEndpoint> = {}, atMs = NOW): string {
  const verdict = judgeBundleEndpoint(chain, { ...endpoint, ...change }, atMs);
  return verdict.ok ? 'good' : verdict.error;
}

test('SPIFFE Federation 5.2.2.4: the configured ID, proven by the bundle of its trust domain', () => {
  assert.equal(faultOf(server.chain), 'good');
});

test('SPIFFE Federation 5.2.2.4: another ID of the same trust domain is refused', () => {
  assert.match(
    faultOf(root.issue({ id: 'spiffe://example.org/agent' }).chain),
    /^it is spiffe:\/\/example\.org\/agent, and/,
  );
  assert.match(
    faultOf(root.issue({ id: `${id}/x` }).chain),
    /and spiffe:\/\/example\.org\/bundle-server is configured$/,
  );
});

test('each rule for peers holds for an endpoint', () => {
  const other = createAuthority();
  const cases: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['peer_certificate_missing', []],
    ['peer_chain_untrusted', server.chain.slice(0, 1)],
    ['peer_chain_untrusted', other.issue({ id }).chain],
    ['peer_certificate_expired', root.issue({ id, notAfter: new Date(NOW - HOUR) }).chain],
    ['peer_certificate_not_yet_valid', root.issue({ id, notBefore: new Date(NOW + HOUR) }).chain],
    ['peer_trust_domain_unknown', createAuthority({ trustDomain: 'elsewhere.org' }).issue().chain],
  ];
  for (const [code, chain] of cases) assert.ok(faultOf(chain).startsWith(`${code}: `), faultOf(chain));
  const forClients = root.intermediate({ extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] });
  assert.match(faultOf(forClients.issue({ id }).chain), /^peer_/, 'its issuer is for clients only');
});

test('an endpoint that was revoked is refused', () => {
  const leaf = root.issue({ id });
  const crls = [root.crl({ revoked: [leaf.serial] }).der];
  assert.match(faultOf(leaf.chain, { crls }), /^peer_certificate_revoked: /);
});

test('an empty bundle believes nobody, one that is none is said', () => {
  assert.match(faultOf(server.chain, { bundle: [] }), /^peer_chain_untrusted/);
  assert.match(faultOf(server.chain, { bundle: [Buffer.from('x')] }), /^trust bundle of example\.org, certificate 1: /);
});
