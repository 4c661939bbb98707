import assert from 'node:assert/strict';
import { test } from 'node:test';

import { firstHeader } from '../../../src/core/kernel/headers.ts';
import type { Destination } from '../../../src/core/model/destination.ts';
import { bodyOf, FakeDownstream } from '../../support/fake-downstream.ts';
import { destinationAt, OutboundWorld, SERVER_ID } from '../../support/outbound-world.ts';
import { TlsDestination } from '../../support/tls-destination.ts';

const PROTOCOLS: readonly Destination['protocol'][] = ['http1', 'http2', 'auto'];
const SPOKEN = { http1: '1.1', http2: '2.0', auto: '2.0' } as const;

for (const protocol of PROTOCOLS) {
  test(`${protocol}: a call goes over mutual TLS 1.3 and its outcome names the server that proved itself`, async () => {
    await using world = new OutboundWorld();
    const identity = world.server();
    await using server = await TlsDestination.start(identity, { ca: world.authority.bundlePem });
    const ours = world.rotate();
    const downstream = new FakeDownstream({ body: bodyOf('question') });
    const outcome = await world.call(destinationAt(server.port, { protocol }), downstream, {
      method: 'POST',
      target: '/ask?x=1',
      headers: ['content-type', 'text/plain'],
    });
    assert.equal(outcome.kind, 'forwarded');
    assert.equal(downstream.received.toString(), 'ok');
    assert.deepEqual(server.requests, [`POST /ask?x=1 HTTP/${SPOKEN[protocol]}`]);
    assert.equal(BigInt(`0x${firstHeader(downstream.answer?.headers ?? [], 'x-client')}`), ours.serial);
    const expected = { spiffeId: SERVER_ID, serial: identity.serial.toString(16) };
    assert.deepEqual(outcome.kind === 'forwarded' && outcome.server, expected);
    assert.equal([...server.sockets][0]?.getProtocol(), 'TLSv1.3');
  });
}
