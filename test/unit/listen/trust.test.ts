import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fault } from '../../../src/core/model/faults.ts';
import type { Peer } from '../../../src/core/model/peer.ts';
import { CODE, codeOf, getFrame, TYPE } from '../../support/http2-frame-peer.ts';
import { createAuthority } from '../../support/pki.ts';
import { anchors, Bench, closed, clientIdentity, endingOf, identified, until } from './harness.ts';

const GET = 'GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n';

/** Short deadlines make short sweeps; nothing here runs into them. */
const SWEPT = {
  limits: { streamIdleTimeoutMs: 0, requestTimeoutMs: 0, idleTimeoutMs: 100_000_000, headTimeoutMs: 400 },
};

const LATER_MS = 4_000_000_000_000;

function revoked(): Peer {
  return { kind: 'rejected', fault: fault('peer_certificate_revoked', ''), claimedId: undefined };
}

test('promise 6: a recheck asks again about every open connection, with the chain of the handshake', async () => {
  await using bench = await Bench.start();
  await bench.raw();
  await bench.frames();
  const first = await bench.handler.next('admit');
  await bench.handler.next('admit');
  await until(() => bench.listener.connectionCount === 2);
  await bench.listener.recheck();
  assert.equal(bench.handler.count('readmit'), 2);
  const again = await bench.handler.next('readmit');
  assert.equal(again.connection, first.connection, 'the same facts');
  assert.deepEqual(again.presented.chain, [Buffer.from(clientIdentity.der)]);
  assert.equal(bench.listener.connectionCount, 2);
});

test('promise 6: a peer that is no longer accepted loses its connections; open exchanges say why', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const h1 = await bench.raw();
  h1.send(GET);
  const first = await bench.handler.next('exchange');
  const h2 = await bench.frames();
  h2.send(getFrame(1), getFrame(3));
  const open = [first, await bench.handler.next('exchange'), await bench.handler.next('exchange')];
  const endings = open.map(({ exchange }) => endingOf(exchange));
  bench.handler.judgeAgain = revoked;
  await bench.listener.recheck();
  assert.deepEqual(
    await Promise.all(endings),
    Array.from({ length: 3 }, () => 'us peer_certificate_revoked'),
  );
  assert.equal(codeOf(await h2.next(TYPE.rstStream)), CODE.cancel);
  await Promise.all([h1.ended, h2.ended]);
  assert.deepEqual(bench.handler.faults, [], 'the exchanges have told it');
  bench.handler.judgeAgain = () => identified();
  assert.ok(await bench.works());
});

test('a connection that never had a request tells of its withdrawn trust itself, one that had does not', async () => {
  await using bench = await Bench.start();
  const served = await bench.raw();
  served.send(GET);
  await served.response();
  const unused = await bench.raw();
  await until(() => bench.listener.connectionCount === 2);
  bench.handler.judgeAgain = revoked;
  await bench.listener.recheck();
  await Promise.all([served.ended, unused.ended]);
  assert.deepEqual(bench.handler.faults, ['refused peer_certificate_revoked']);
});

test('promise 6: whoever is suspect is judged before thousands of others', async () => {
  await using bench = await Bench.start();
  for (let i = 0; i < 4; i += 1) await bench.raw();
  await until(() => bench.listener.connectionCount === 4);
  const ids = [];
  for (let i = 0; i < 4; i += 1) ids.push((await bench.handler.next('admit')).connection.id);
  bench.handler.judge = () => assert.fail('all are admitted');
  const order: string[] = [];
  bench.handler.judgeAgain = ({ id }) => {
    order.push(id);
    return identified(LATER_MS + order.length);
  };
  let asked = 0;
  await bench.listener.recheck(() => (asked += 1) === 3);
  assert.deepEqual(order, [ids[2], ids[0], ids[1], ids[3]]);
  order.length = 0;
  assert.ok(
    bench.listener.reload(bench.settings, (peer) => peer.kind === 'identified' && peer.validUntilMs === LATER_MS + 4)
      .ok,
  );
  await until(() => order.length === 4);
  assert.deepEqual(order, [ids[3], ids[0], ids[1], ids[2]]);
});

test('only the connections of the peer in question are touched', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const good = await bench.raw();
  good.send(GET);
  const kept = await bench.handler.next('exchange');
  const bad = await bench.raw();
  bad.send(GET);
  const lost = await bench.handler.next('exchange');
  bench.handler.judgeAgain = ({ id }) => (id === lost.exchange.connection.id ? revoked() : identified());
  await bench.listener.recheck();
  assert.equal(await endingOf(lost.exchange), 'us peer_certificate_revoked');
  kept.exchange.respondWhole(200, [], Buffer.from('kept'), undefined);
  assert.equal((await good.response()).body, 'kept');
});

test('promise 6: at `validUntilMs` the peer is judged again, and what it has open ends', async () => {
  await using bench = await Bench.start(SWEPT);
  const validUntilMs = Date.now() + 3_600_000;
  bench.handler.judge = () => identified(validUntilMs);
  bench.handler.judgeAgain = () => ({
    kind: 'rejected',
    fault: fault('peer_certificate_expired', ''),
    claimedId: undefined,
  });
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(GET);
  const { exchange } = await bench.handler.next('exchange');
  await bench.clock.swept();
  assert.equal(bench.handler.count('readmit'), 0);
  bench.clock.aheadMs = 3_600_001;
  assert.equal(await endingOf(exchange), 'us peer_certificate_expired');
  await peer.ended;
});

test('a verdict that holds longer after all is taken over for later requests', async () => {
  await using bench = await Bench.start(SWEPT);
  const validUntilMs = Date.now() + 3_600_000;
  bench.handler.judge = () => identified(validUntilMs);
  bench.handler.judgeAgain = () => identified(validUntilMs + 7_200_000);
  const peer = await bench.raw();
  await until(() => bench.listener.connectionCount === 1);
  bench.clock.aheadMs = 3_600_001;
  await bench.handler.next('readmit');
  await bench.clock.swept();
  assert.equal(bench.handler.count('readmit'), 1);
  peer.send(GET);
  assert.equal((await peer.response()).body, 'ok');
  const { exchange } = await bench.handler.next('exchange');
  assert.equal(exchange.peer.kind === 'identified' && exchange.peer.validUntilMs, validUntilMs + 7_200_000);
});

test('a handler that throws when asked again is a refusal (fail closed)', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw();
  await until(() => bench.listener.connectionCount === 1);
  bench.handler.judgeAgain = () => {
    throw new Error('a bug');
  };
  await bench.listener.recheck();
  await peer.ended;
  assert.deepEqual(bench.handler.faults, ['refused internal_error']);
});

test('reload: new connections see the new certificate, open ones live on and are judged again', async () => {
  await using bench = await Bench.start();
  const open = await bench.raw();
  open.send(GET);
  await open.response();
  const other = createAuthority({ trustDomain: 'other.org' });
  const renewed = other.issue({ id: 'spiffe://other.org/server', dnsNames: ['agent.test'] });
  const tls = { ...bench.settings.tls, certificateChain: renewed.chainPem, privateKey: renewed.keyPem };
  assert.deepEqual(bench.listener.reload({ ...bench.settings, tls }), { ok: true, value: undefined });
  await bench.handler.next('readmit');
  const fresh = await bench.raw({ ca: other.bundlePem });
  fresh.send(GET);
  assert.equal((await fresh.response()).body, 'ok');
  open.send(GET);
  assert.equal((await open.response()).body, 'ok');
});

test('promise 7: a reload that cannot be used changes nothing and says why, without key material', async () => {
  await using bench = await Bench.start();
  const { settings } = bench;
  const stranger = createAuthority().issue();
  const bad = [
    { ...settings.tls, certificateChain: 'no certificate' },
    { ...settings.tls, privateKey: stranger.keyPem },
    { ...settings.tls, privateKey: '' },
    { ...settings.tls, trustAnchors: ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'] },
  ];
  for (const tls of bad) {
    const result = bench.listener.reload({ ...settings, tls });
    assert.ok(!result.ok, tls.privateKey);
    assert.ok(result.error.length > 0 && !result.error.includes('PRIVATE KEY'));
  }
  for (const moved of [{ host: '0.0.0.0' }, { port: 1 }, { name: 'x' }, { protocol: 'tcp' as const }])
    assert.equal(bench.listener.reload({ ...settings, ...moved }).ok, false);
  assert.ok(await bench.works());
  assert.equal(bench.handler.count('readmit'), 0);
});

test('reload: new limits hold for new connections', async () => {
  await using bench = await Bench.start();
  const before = await bench.raw();
  await until(() => bench.listener.connectionCount === 1);
  bench.listener.reload({ ...bench.settings, limits: { ...bench.settings.limits, connections: 2, bodyBytes: 3 } });
  bench.handler.onExchange = (exchange) =>
    exchange.collectBody(100, undefined, (body) =>
      exchange.respondWhole(200, [], Buffer.from('code' in body ? body.code : 'whole'), undefined),
    );
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde';
  before.send(post);
  assert.equal((await before.response()).body, 'whole');
  const after = await bench.raw();
  after.send(post);
  assert.equal((await after.response()).body, 'body_too_large');
  const third = bench.tls();
  await closed(third);
  assert.equal((await bench.handler.next('refused')).fault.code, 'connection_limit');
});

test('more trust anchors than one', async () => {
  const other = createAuthority({ trustDomain: 'other.org' });
  await using bench = await Bench.start({ tls: { trustAnchors: [anchors, other.bundlePem] } });
  const identity = other.issue();
  await bench.raw({ cert: identity.chainPem, key: identity.keyPem });
  assert.equal((await bench.handler.next('admit')).presented.authorized, true);
  await bench.raw();
  assert.equal((await bench.handler.next('admit')).presented.authorized, true);
});
