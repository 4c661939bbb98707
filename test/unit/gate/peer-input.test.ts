import { test } from 'node:test';
import assert from 'node:assert/strict';

import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import { connectionInput } from '../../../src/core/gate/input.ts';
import type { IdentifiedPeer } from '../../../src/core/model/peer.ts';
import type { SallyportInput } from '../../../src/core/model/policy-input.ts';
import { fakeConnection, fakePeer } from '../../support/fake-exchange.ts';

const AGENT = { spiffeId: undefined, listener: '0.0.0.0:8443', contextExtensions: {} };

function peerInput(peer: IdentifiedPeer, resumed: boolean): SallyportInput['peer'] {
  const { tls, ...connection } = fakeConnection();
  assert.ok(tls !== undefined);
  return connectionInput({ ...connection, tls: { ...tls, resumed } }, peer, AGENT, 'request').sallyport.peer;
}

test('input.sallyport.peer is one frozen object for the connections of a certificate, new and resumed ones apart', () => {
  const peer = fakePeer();
  const first = peerInput(peer, false);
  assert.equal(peerInput({ ...peer, validUntilMs: peer.validUntilMs - 1 }, false), first);
  assert.ok(Object.isFrozen(first));
  assert.equal(first.resumed, false);
  assert.deepEqual(peerInput(peer, true), { ...first, resumed: true });
  assert.deepEqual(Object.keys(first), ['spiffe_id', 'trust_domain', 'path', 'certificate', 'resumed']);
});

test('another certificate of the same peer, and another identity, are seen as they are', () => {
  const peer = fakePeer();
  peerInput(peer, false);
  const renewed = { ...peer, certificate: { ...peer.certificate, serial: '77' } };
  assert.equal(peerInput(renewed, false).certificate?.serial, '77');
  const other = { ...peer, spiffeId: 'spiffe://example.org/agents/other' as SpiffeId };
  assert.equal(peerInput(other, false).spiffe_id, other.spiffeId);
});
