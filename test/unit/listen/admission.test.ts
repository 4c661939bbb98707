import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';

import { fault } from '../../../src/core/model/faults.ts';
import { codeOf, TYPE } from '../../support/http2-frame-peer.ts';
import { createAuthority } from '../../support/pki.ts';
import { Bench, clientAuthority, clientIdentity, closed, type FakeHandler, until } from './harness.ts';

const GET = 'GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n';

function reject(code: 'peer_trust_domain_unknown' | 'peer_certificate_missing'): FakeHandler['judge'] {
  return () => ({ kind: 'rejected', fault: fault(code, 'as the test says'), claimedId: undefined });
}

test('facts of a connection are read once, when the handshake has ended', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw({ ALPNProtocols: ['http/1.1'] });
  const { connection } = await bench.handler.next('admit');
  assert.equal(connection.listener, 'test:0');
  assert.equal(connection.direction, 'inbound');
  assert.equal(connection.local.port, bench.port);
  assert.equal(connection.local.address, '127.0.0.1');
  assert.equal(connection.remote.port, peer.socket.localPort);
  assert.match(connection.id, /^[0-9a-f]{16}$/);
  assert.deepEqual(connection.tls, {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    alpn: 'http/1.1',
    sni: 'agent.test',
    resumed: false,
  });
  assert.ok(Object.isFrozen(connection));
});

test('the chain is handed over as DER, leaf first, with OpenSSL as a second opinion', async () => {
  await using bench = await Bench.start();
  await bench.raw();
  const { presented } = await bench.handler.next('admit');
  assert.deepEqual(presented.chain[0], Buffer.from(clientIdentity.der));
  assert.equal(presented.authorized, true);
  assert.equal(presented.authorizationError, undefined);
});

test('intermediates come with the leaf, those of a stranger too', async () => {
  await using bench = await Bench.start();
  const stranger = createAuthority({ trustDomain: 'other.org' }).intermediate().issue();
  await bench.raw({ cert: stranger.chainPem, key: stranger.keyPem });
  const { presented } = await bench.handler.next('admit');
  assert.deepEqual(
    presented.chain.map((der) => new X509Certificate(der).issuer),
    ['CN=Intermediate of other.org', 'CN=Root of other.org'],
  );
  assert.equal(presented.authorized, false);
  assert.equal(presented.authorizationError, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY');
});

test('a chain that verified keeps its intermediates and has no anchor, sent or not', async () => {
  await using bench = await Bench.start();
  const root = clientAuthority.certificate.der;
  const twice = clientAuthority.intermediate().intermediate().issue();
  for (const { cert, length } of [
    { cert: twice.chainPem, length: 3 },
    { cert: `${twice.chainPem}${clientAuthority.bundlePem}`, length: 3 },
  ]) {
    await bench.raw({ cert, key: twice.keyPem });
    const { presented } = await bench.handler.next('admit');
    assert.equal(presented.authorized, true);
    assert.equal(presented.chain.length, length);
    assert.ok(!presented.chain.some((der) => Buffer.from(root).equals(der)));
  }
});

test('a self-signed certificate is a chain of one', async () => {
  await using bench = await Bench.start();
  const alone = createAuthority({ trustDomain: 'alone.org' }).certificate;
  await bench.raw({ cert: alone.certPem, key: alone.keyPem });
  const { presented } = await bench.handler.next('admit');
  assert.deepEqual(presented.chain, [Buffer.from(alone.der)]);
});

test('without a certificate the handler decides all the same', async () => {
  await using bench = await Bench.start();
  bench.handler.judge = reject('peer_certificate_missing');
  const socket = bench.tls({}, null);
  await closed(socket);
  const { presented } = await bench.handler.next('admit');
  assert.deepEqual(presented, {
    chain: [],
    authorized: false,
    authorizationError: 'UNABLE_TO_GET_ISSUER_CERT',
  });
  assert.deepEqual(bench.handler.faults, ['refused peer_certificate_missing']);
});

for (const alpn of ['http/1.1', 'h2']) {
  test(`a rejected peer (${alpn}) is closed with one record, and nothing it sent is read`, async () => {
    await using bench = await Bench.start();
    bench.handler.judge = reject('peer_trust_domain_unknown');
    const socket = bench.tls({ ALPNProtocols: [alpn] });
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.write(GET.repeat(10));
    await closed(socket);
    await bench.handler.next('refused');
    assert.equal(Buffer.concat(received).length, 0);
    assert.deepEqual(bench.handler.faults, ['refused peer_trust_domain_unknown']);
    assert.equal(bench.handler.count('exchange'), 0);
    assert.equal(bench.listener.connectionCount, 0);
    bench.handler.judge = () => ({ kind: 'anonymous' });
    assert.ok(await bench.works());
  });
}

test('a handler that throws on admission refuses', async () => {
  await using bench = await Bench.start();
  bench.handler.judge = () => {
    throw new Error('a bug');
  };
  await closed(bench.tls());
  await bench.handler.next('refused');
  assert.deepEqual(bench.handler.faults, ['refused internal_error']);
  assert.equal(bench.problems.length, 1);
});

test('ALPN: h2 where both can, HTTP/1.1 without ALPN', async () => {
  await using bench = await Bench.start();
  const both = bench.tls({ ALPNProtocols: ['http/1.1', 'h2'] });
  await once(both, 'secureConnect');
  assert.equal(both.alpnProtocol, 'h2');
  const none = await bench.raw();
  none.send(GET);
  assert.equal((await none.response()).body, 'ok');
  assert.deepEqual(
    [await bench.handler.next('admit'), await bench.handler.next('admit')].map(
      ({ connection }) => connection.tls?.alpn,
    ),
    ['h2', undefined],
  );
});

test('RFC 7301 3.2: no protocol in common is an alert and a record', async () => {
  await using bench = await Bench.start();
  const socket = bench.tls({ ALPNProtocols: ['spdy/3'] });
  const [error] = (await once(socket, 'error').catch((reason: unknown) => [reason])) as [NodeJS.ErrnoException];
  assert.match(String(error.code), /ALERT_NO_APPLICATION_PROTOCOL/);
  const { connection } = await bench.handler.next('refused');
  assert.deepEqual(bench.handler.faults, ['refused tls_protocol_refused']);
  assert.equal(connection.tls, undefined);
  assert.equal(connection.remote.address, '127.0.0.1');
});

test('TLS 1.2 only where it is configured', async () => {
  await using strict = await Bench.start();
  const refused = strict.tls({ maxVersion: 'TLSv1.2' });
  await closed(refused);
  await strict.handler.next('refused');
  assert.deepEqual(strict.handler.faults, ['refused tls_handshake_failed']);
  await using lax = await Bench.start({ tls: { minVersion: 'TLSv1.2' } });
  const accepted = await lax.raw({ maxVersion: 'TLSv1.2' });
  accepted.send(GET);
  assert.equal((await accepted.response()).body, 'ok');
  assert.equal((await lax.handler.next('admit')).connection.tls?.version, 'TLSv1.2');
});

/** What may stand in place of a handshake. */
for (const { name, bytes } of [
  { name: 'plain HTTP', bytes: Buffer.from(GET) },
  { name: 'noise', bytes: Buffer.alloc(400, 0x9e) },
  { name: 'half a record', bytes: Buffer.from([0x16, 3, 1, 2, 0, 1]) },
  { name: 'nothing', bytes: Buffer.alloc(0) },
]) {
  test(`${name} instead of a handshake: one record with the address, others go on`, async () => {
    await using bench = await Bench.start();
    const socket = connectTcp(bench.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const { localPort } = socket;
    socket.end(bytes);
    const { connection, peer } = await bench.handler.next('refused');
    assert.deepEqual(bench.handler.faults, ['refused tls_handshake_failed']);
    assert.deepEqual(connection.remote, { address: '127.0.0.1', port: localPort });
    assert.equal(peer, undefined);
    assert.ok(await bench.works());
    socket.destroy();
  });
}

test('a handshake that takes too long is given up', async () => {
  await using bench = await Bench.start({ limits: { handshakeTimeoutMs: 30 } });
  const socket = connectTcp(bench.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  await closed(socket);
  await bench.handler.next('refused');
  assert.deepEqual(bench.handler.faults, ['refused tls_handshake_timeout']);
  assert.ok(await bench.works());
});

test('connections past the limit are closed before their handshake, with a record', async () => {
  await using bench = await Bench.start({ limits: { connections: 2 } });
  const first = await bench.raw();
  const second = await bench.raw();
  const third = connectTcp(bench.port, '127.0.0.1');
  third.on('error', () => undefined);
  await closed(third);
  const { connection } = await bench.handler.next('refused');
  assert.deepEqual(bench.handler.faults, ['refused connection_limit']);
  assert.equal(connection.remote.address, '127.0.0.1');
  for (const peer of [first, second]) {
    peer.send(GET);
    assert.equal((await peer.response()).body, 'ok');
  }
  first.close();
  await until(() => bench.listener.connectionCount === 1);
  assert.ok(await bench.works());
});

test('by default nothing is resumed, whatever the peer brings along', async () => {
  await using bench = await Bench.start();
  const first = bench.tls({ ALPNProtocols: ['http/1.1'] });
  const [session] = (await once(first, 'session')) as [Buffer];
  const second = bench.tls({ ALPNProtocols: ['http/1.1'], session });
  await once(second, 'secureConnect');
  assert.equal(second.isSessionReused(), false);
  await bench.handler.next('admit');
  assert.equal((await bench.handler.next('admit')).connection.tls?.resumed, false);
});

test('where tickets are on, a resumed connection is admitted anew with its leaf alone, and never after a recheck', async () => {
  await using bench = await Bench.start({ tls: { resumption: true } });
  const intermediate = clientAuthority.intermediate().issue();
  const options = { ALPNProtocols: ['http/1.1'], cert: intermediate.chainPem, key: intermediate.keyPem };
  const ticketOf = async (): Promise<Buffer> => {
    const socket = bench.tls(options);
    const [ticket] = (await once(socket, 'session')) as [Buffer];
    return ticket;
  };
  const ticket = await ticketOf();
  assert.equal((await bench.handler.next('admit')).presented.chain.length, 2);
  const resumed = bench.tls({ ...options, session: ticket });
  await once(resumed, 'secureConnect');
  assert.equal(resumed.isSessionReused(), true);
  const again = await bench.handler.next('admit');
  assert.equal(again.connection.tls?.resumed, true);
  assert.equal(again.presented.chain.length, 1);

  await bench.listener.recheck();
  const stale = bench.tls({ ...options, session: ticket });
  await once(stale, 'secureConnect');
  assert.equal(stale.isSessionReused(), false);
});

test('a peer of h2 is told by SETTINGS only after it was admitted', async () => {
  await using bench = await Bench.start();
  const peer = await bench.frames();
  await peer.next(TYPE.settings);
  assert.equal(bench.handler.count('admit'), 1);
  await bench.listener.stop(0);
  assert.equal(codeOf(await peer.next(TYPE.goaway)), 0);
});
