import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';

import { FAULTS, type FaultCode } from '../../../src/core/model/faults.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import { FakeDownstream } from '../../support/fake-downstream.ts';
import { destinationAt, faultIn, OutboundWorld, SERVER_ID } from '../../support/outbound-world.ts';
import { createAuthority, type Issued } from '../../support/pki.ts';
import { TlsDestination } from '../../support/tls-destination.ts';
import { until } from '../../support/until.ts';

const HOUR = 3_600_000;
const NO_RETRIES = { attempts: 1 };

/** A TLS server that reads nothing as HTTP: it counts the bytes that it was sent after the handshake. */
class CountingServer implements AsyncDisposable {
  port = 0;
  accepted = 0;
  bytes = 0;
  readonly sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(identity: Issued) {
    const options = { cert: identity.chainPem, key: identity.keyPem, ALPNProtocols: ['h2', 'http/1.1'] };
    this.#server = createTlsServer(options, (socket: TLSSocket) => {
      socket.on('data', (bytes: Buffer) => (this.bytes += bytes.length)).on('error', () => {});
    });
    this.#server.on('connection', (socket: Socket) => {
      this.accepted += 1;
      this.sockets.add(socket);
      socket.on('error', () => {}).once('close', () => this.sockets.delete(socket));
    });
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}

/** What a caller is told of a fault, and what the outcome says. */
function assertRefused(outcome: Outcome, downstream: FakeDownstream, code: FaultCode, detail: RegExp): void {
  assert.equal(outcome.kind, 'upstream-failed');
  const found = faultIn(outcome);
  assert.equal(found?.code, code, found?.detail ?? '');
  assert.match(found?.detail ?? '', detail);
  const [refusal] = downstream.events;
  assert.ok(refusal?.kind === 'refuse');
  assert.equal(refusal.answer.status, FAULTS[code].http);
  assert.doesNotMatch(refusal.answer.body, /spiffe|certificate|peer_|127\.0/, 'the caller learns the public part only');
  const status: number = FAULTS[code].http;
  assert.ok(outcome.kind === 'upstream-failed' && outcome.status === status);
  assert.equal(outcome.server, undefined);
}

type Case = {
  readonly title: string;
  readonly make: (world: OutboundWorld) => Issued;
  readonly code: FaultCode;
  readonly detail: RegExp;
};

const foreign = createAuthority({ trustDomain: 'elsewhere.org' });
const impostor = createAuthority();

const CASES: readonly Case[] = [
  {
    title: 'another ID of the same trust domain',
    make: (world) => world.authority.issue({ id: 'spiffe://example.org/other' }),
    code: 'destination_identity_mismatch',
    detail: /the server is spiffe:\/\/example\.org\/other, expected is spiffe:\/\/example\.org\/researcher/,
  },
  {
    title: 'an ID that only begins like the expected one',
    make: (world) => world.authority.issue({ id: `${SERVER_ID}/x` }),
    code: 'destination_identity_mismatch',
    detail: /researcher\/x/,
  },
  {
    title: 'a trust domain that we do not know',
    make: () => foreign.issue({ id: 'spiffe://elsewhere.org/researcher' }),
    code: 'destination_unverified',
    detail: /^peer_trust_domain_unknown: /,
  },
  {
    title: 'the right ID, signed by another authority of the same name',
    make: () => impostor.issue({ id: SERVER_ID }),
    code: 'destination_unverified',
    detail: /^peer_/,
  },
  {
    title: 'the right ID in a certificate that signs itself',
    make: () => createAuthority({ uris: [SERVER_ID], cA: false, keyUsage: ['digitalSignature'] }).certificate,
    code: 'destination_unverified',
    detail: /^peer_/,
  },
  {
    title: 'an expired certificate',
    make: (world) =>
      world.server({ notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) }),
    code: 'destination_unverified',
    detail: /^peer_certificate_expired: /,
  },
  {
    title: 'a certificate that is not yet valid',
    make: (world) => world.server({ notBefore: new Date(Date.now() + HOUR) }),
    code: 'destination_unverified',
    detail: /^peer_certificate_not_yet_valid: /,
  },
  {
    title: 'a revoked certificate',
    make: (world) => {
      const issued = world.server();
      world.revoke(issued);
      return issued;
    },
    code: 'destination_unverified',
    detail: /^peer_certificate_revoked: /,
  },
  {
    title: 'a certificate for clients only',
    make: (world) => world.server({ extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] }),
    code: 'destination_unverified',
    detail: /^peer_extended_key_usage_invalid: /,
  },
  {
    title: 'two IDs, one of them expected',
    make: (world) => world.server({ uris: [SERVER_ID, 'spiffe://example.org/other'] }),
    code: 'destination_unverified',
    detail: /^peer_id_ambiguous: /,
  },
  {
    title: 'no SPIFFE ID but the right DNS name',
    make: (world) => world.server({ uris: [], dnsNames: ['127.0.0.1', 'researcher.internal'] }),
    code: 'destination_unverified',
    detail: /^peer_id_missing: /,
  },
];

for (const protocol of ['http1', 'http2', 'auto'] as const) {
  for (const { title, make, code, detail } of CASES) {
    test(`${protocol}: a server with ${title} gets no byte`, async () => {
      await using world = new OutboundWorld();
      await using server = await new CountingServer(make(world)).start();
      await using good = await TlsDestination.start(world.server(), { ca: world.authority.bundlePem });
      const downstream = new FakeDownstream();
      const bad = world.call(destinationAt(server.port, { protocol }), downstream);
      const other = world.call(destinationAt(good.port, { protocol, name: 'other' }), new FakeDownstream());
      assertRefused(await bad, downstream, code, detail);
      assert.equal((await other).kind, 'forwarded', 'calls elsewhere are not touched');
      await until('the connection to be closed', () => server.sockets.size === 0);
      assert.deepEqual([server.accepted, server.bytes], [1, 0]);
      assert.equal(world.forwarder.figures().connections, 1);
    });
  }
}

test('the TLS library has to accept the chain besides our own rules', async () => {
  await using world = new OutboundWorld();
  const issued = impostor.issue({ id: SERVER_ID });
  world.trust(impostor.bundle);
  await using server = await new CountingServer(issued).start();
  const downstream = new FakeDownstream();
  const outcome = await world.call(destinationAt(server.port), downstream);
  assertRefused(outcome, downstream, 'destination_unverified', /^peer_transport_unauthorized: /);
  assert.equal(server.bytes, 0);
});

test('any one of several IDs will do, and intermediates too', async () => {
  await using world = new OutboundWorld();
  const identity = world.authority.intermediate().issue({ id: 'spiffe://example.org/second' });
  await using server = await TlsDestination.start(identity, { ca: world.authority.bundlePem });
  const ids = [SERVER_ID, 'spiffe://example.org/second'] as never[];
  const outcome = await world.call(destinationAt(server.port, { ids }), new FakeDownstream());
  assert.equal(outcome.kind === 'forwarded' && outcome.server?.spiffeId, 'spiffe://example.org/second');
});

/** A TCP server that is no TLS server. */
async function plainServer(onConnection: (socket: Socket) => void): Promise<AsyncDisposable & { port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

const BROKEN: readonly [string, (socket: Socket) => void, RegExp][] = [
  [
    'a plain HTTP server',
    (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')),
    /ERR_SSL|ECONNRESET/,
  ],
  ['a server that says nothing', () => {}, /no handshake with 127\.0\.0\.1:\d+ in 300 ms/],
  ['a server that closes in the handshake', (socket) => socket.once('data', () => socket.end()), /127\.0\.0\.1/],
  [
    'a server that resets in the handshake',
    (socket) => socket.once('data', () => socket.resetAndDestroy()),
    /127\.0\.0\.1/,
  ],
  ['a server that dribbles its handshake', (socket) => dribble(socket), /no handshake|ERR_SSL/],
];

/** The first bytes of a ServerHello record, one at a time, without end. */
function dribble(socket: Socket): void {
  const timer = setInterval(() => socket.write(Buffer.from([sent++ === 0 ? 22 : 3])), 20);
  let sent = 0;
  socket.once('close', () => clearInterval(timer));
}

for (const protocol of ['http1', 'http2', 'auto'] as const) {
  for (const [name, onConnection, detail] of BROKEN) {
    test(`${protocol}: ${name} is a handshake that failed`, async () => {
      await using world = new OutboundWorld({ limits: { handshakeTimeoutMs: 300 }, resilience: NO_RETRIES });
      await using server = await plainServer(onConnection);
      const downstream = new FakeDownstream();
      const outcome = await world.call(destinationAt(server.port, { protocol }), downstream);
      assertRefused(outcome, downstream, 'destination_tls_failed', detail);
      assert.equal(world.forwarder.figures().connections, 0);
    });
  }

  test(`${protocol}: TLS 1.2 is refused`, async () => {
    await using world = new OutboundWorld({ resilience: NO_RETRIES });
    await using server = await TlsDestination.start(world.server(), { tls: { maxVersion: 'TLSv1.2' } });
    const downstream = new FakeDownstream();
    const outcome = await world.call(destinationAt(server.port, { protocol }), downstream);
    assertRefused(outcome, downstream, 'destination_tls_failed', /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/);
  });

  test(`${protocol}: a server that wants clients of another authority says so, and the outcome does`, async () => {
    await using world = new OutboundWorld({ resilience: NO_RETRIES });
    await using server = await TlsDestination.start(world.server(), { ca: foreign.bundlePem });
    const outcome = await world.call(destinationAt(server.port, { protocol }), new FakeDownstream());
    const found = faultIn(outcome);
    assert.ok(['destination_refused_identity', 'upstream_aborted'].includes(found?.code ?? ''), JSON.stringify(found));
    assert.deepEqual(server.requests, []);
  });
}

test('nobody at the address, and a name that does not resolve', async () => {
  await using world = new OutboundWorld({ resilience: NO_RETRIES });
  const gone = await plainServer(() => {});
  await gone[Symbol.asyncDispose]();
  const nobody = new FakeDownstream();
  assertRefused(await world.call(destinationAt(gone.port), nobody), nobody, 'destination_unreachable', /ECONNREFUSED/);
  const unnamed = new FakeDownstream();
  const nowhere = destinationAt(1, { host: 'no-such-name.invalid' });
  assertRefused(await world.call(nowhere, unnamed), unnamed, 'destination_unreachable', /does not resolve/);
});

test('ALPN: a destination that speaks only the other version', async () => {
  await using world = new OutboundWorld({ resilience: NO_RETRIES });
  await using old = await TlsDestination.start(world.server(), { alpn: ['http/1.1'] });
  const downstream = new FakeDownstream();
  const outcome = await world.call(destinationAt(old.port, { protocol: 'http2' }), downstream);
  assertRefused(outcome, downstream, 'destination_protocol_refused', /ALPN|ALERT_NO_APPLICATION_PROTOCOL/);
});

test('without a certificate of ours no connection is made, nor with one that has expired or does not fit its key', async () => {
  await using world = new OutboundWorld();
  await using server = await TlsDestination.start(world.server());
  const destination = destinationAt(server.port);
  const expired = { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - 1_000) };
  const ours = world.identity;
  assert.ok(ours !== undefined);
  for (const [identity, detail] of [
    [undefined, /no certificate/],
    [{ ...ours, revision: 'expired', validUntilMs: expired.notAfter.getTime() }, /has expired/],
    [{ ...ours, revision: 'unfit', privateKey: world.server().keyPem }, /^the TLS library does not take/],
  ] as const) {
    world.identity = identity;
    const downstream = new FakeDownstream();
    assertRefused(await world.call(destination, downstream), downstream, 'identity_unavailable', detail);
    assert.equal(await world.forwarder.ready(), false);
  }
  assert.equal(server.accepted, 0);
  world.identity = ours;
  assert.equal(await world.forwarder.ready(), true);
  assert.equal((await world.call(destination, new FakeDownstream())).kind, 'forwarded');
});
