import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from 'node:tls';

import { InboundPort } from '../../../src/app/inbound.ts';
import { loadConfig } from '../../../src/core/config/config.ts';
import { fault } from '../../../src/core/model/faults.ts';
import type { Peer } from '../../../src/core/model/peer.ts';
import type { IdentitySnapshot } from '../../../src/io/sources/identity-source.ts';
import { fakePeer } from '../../support/fake-exchange.ts';
import { FakeJournal } from '../../support/fake-gate-world.ts';
import { createAuthority } from '../../support/pki.ts';
import { systemClock } from '../../support/system-clock.ts';
import { until } from '../../support/until.ts';

const authority = createAuthority();
const ours = authority.issue();

/** As much of a snapshot as a listener needs. */
const snapshot = (privateKey: string): IdentitySnapshot =>
  ({
    certificateChain: ours.chainPem,
    privateKey,
    trustAnchors: [authority.bundlePem],
    trust: { lists: [] },
  }) as unknown as IdentitySnapshot;

test('promise 6: open connections are judged by new trust also where the key that came with it cannot be used', async () => {
  const config = loadConfig(
    JSON.stringify({
      identity: { certificate: 'c', privateKey: 'k', trustBundles: { 'example.org': 'b' } },
      inbound: [{ listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:9' }],
      policy: { bundle: 'p' },
    }),
    {},
  );
  const [inbound] = config.ok ? config.value.inbound : assert.fail(JSON.stringify(config.error));
  assert.ok(inbound);
  let verdict: Peer = { ...fakePeer(), validUntilMs: Number.POSITIVE_INFINITY };
  const codes: (string | undefined)[] = [];
  const port = new InboundPort(inbound, snapshot(ours.keyPem), {
    mode: 'enforce',
    clock: systemClock,
    random: randomBytes,
    identity: () => verdict,
    ownId: () => undefined,
    policy: () => undefined,
    descriptors: () => undefined,
    record: () => undefined,
    journal: new FakeJournal(),
    observer: { decided: (_facts, _verdict, code) => void codes.push(code) },
    problem: (error) => assert.fail(String(error)),
  });
  const bound = await port.start();
  const peer = authority.issue({ id: 'spiffe://example.org/peer' });
  const socket = connect({
    port: bound.port,
    cert: peer.chainPem,
    key: peer.keyPem,
    ca: authority.bundlePem,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  await until('the connection', () => port.connections === 1);
  verdict = { kind: 'rejected', fault: fault('peer_certificate_revoked', ''), claimedId: undefined };
  // A key in a token that was unplugged: the TLS library cannot use it.
  assert.equal(port.reload(snapshot('no key')).ok, false);
  await until('its end', () => port.connections === 0);
  assert.deepEqual(codes, ['peer_certificate_revoked']);
  await port.stop(0);
});
