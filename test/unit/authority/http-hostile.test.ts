import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';

import { sourceOf } from '../../../src/io/authority/rate-limit-source.ts';
import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { connectRaw, type RawPeer } from '../../support/raw-http1-peer.ts';
import { callHttps, freshCsr, postSvid, serveAuthority } from '../../support/served-authority.ts';
import { until } from '../../support/until.ts';

const TLS = { rejectUnauthorized: false };
const HASTY = { handshakeTimeoutMs: 300, headTimeoutMs: 300, requestTimeoutMs: 300, answerTimeoutMs: 300 };

/** Sends a byte at a time until the other side has enough of it. */
function drip(peer: RawPeer, text: string): () => void {
  let at = 0;
  const timer = setInterval(() => peer.send(text[at++ % text.length] ?? ''), 50);
  return () => clearInterval(timer);
}

test('slow loris: who does not finish the TLS handshake is closed', async (context) => {
  const { port, service } = await serveAuthority(context, new FakeIssuingAuthority(), { limits: HASTY });
  const peer = await connectRaw({ port });
  await peer.ended;
  assert.equal(peer.received, '');
  await until('no connection', () => service.figures().connections === 0);
});

test('slow loris: who says nothing after the handshake is closed', async (context) => {
  const { port } = await serveAuthority(context, new FakeIssuingAuthority(), { limits: HASTY });
  const peer = await connectRaw({ port, tls: TLS });
  await peer.ended;
});

test('slow loris: who sends a head byte by byte is closed, and nothing of ours has run', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits: HASTY });
  const peer = await connectRaw({ port: served.port, tls: TLS });
  peer.send('GET /v1/trust HTTP/1.1\r\nhost: a\r\n');
  const stop = drip(peer, 'x-a: b\r\n');
  context.after(stop);
  await peer.ended;
  assert.match(peer.received, /^HTTP\/1\.1 408 /);
  assert.equal(served.service.figures().answers.size, 0);
});

test('slow loris: who sends a body byte by byte is closed, and nothing is issued', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits: HASTY });
  const peer = await connectRaw({ port: served.port, tls: TLS });
  peer.send('POST /v1/svid HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n');
  const stop = drip(peer, ' ');
  context.after(stop);
  await peer.ended;
  assert.deepEqual(served.authority.calls, []);
  await until('no connection', () => served.service.figures().connections === 0);
});

test('who does not take the answer is closed', async (context) => {
  const authority = new FakeIssuingAuthority();
  authority.alter = (trust) => ({ ...trust, crls: Array.from({ length: 40 }, () => new Uint8Array(1_000_000)) });
  const { port, service } = await serveAuthority(context, authority, { limits: HASTY });
  const socket = connect(port, '127.0.0.1');
  const tls = connectTls({ socket, ...TLS });
  tls.on('error', () => undefined);
  context.after(() => tls.destroy());
  tls.once('secureConnect', () => {
    tls.write('GET /v1/trust HTTP/1.1\r\nhost: a\r\n\r\n');
    tls.pause();
    socket.pause();
  });
  await until('the answer', () => service.figures().answers.get(200) === 1);
  await until('no connection', () => service.figures().connections === 0);
});

test('a head over 8 KiB is 431', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority());
  const peer = await connectRaw({ port: served.port, tls: TLS });
  peer.send(`GET /v1/trust HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(8_192)}\r\n\r\n`);
  assert.equal((await peer.response()).status, 431);
  await peer.ended;
});

test('a chunked body that has no end is refused after 64 KiB', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority());
  const peer = await connectRaw({ port: served.port, tls: TLS });
  peer.send(
    'POST /v1/svid HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
  );
  const chunk = `1000\r\n${' '.repeat(4_096)}\r\n`;
  const timer = setInterval(() => peer.send(chunk), 1);
  context.after(() => clearInterval(timer));
  await peer.ended;
  assert.deepEqual(served.authority.calls, []);
  assert.equal(served.lines[0]?.['detail'], 'body is larger than 65536 bytes');
});

test('a body that is cut off issues nothing', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority());
  const { base64 } = await freshCsr();
  const body = JSON.stringify({ csr: base64, method: 'join-token', token: 'x' });
  const peer = await connectRaw({ port: served.port, tls: TLS });
  peer.send(
    `POST /v1/svid HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  peer.send(body.slice(0, -1));
  peer.socket.end();
  await until('the refusal', () => served.lines.length > 0);
  assert.equal(served.lines[0]?.['detail'], 'body was cut off');
  assert.deepEqual(served.authority.calls, []);
});

const SMUGGLED = 'GET /v1/bundle HTTP/1.1\r\nhost: a\r\n\r\n';
test('a connection serves one request: what is sent behind it is not answered', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority());
  const peer = await connectRaw({ port: served.port, tls: TLS });
  peer.send(`GET /v1/crl HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\n\r\n${SMUGGLED.repeat(20)}`);
  const first = await peer.response();
  assert.equal(first.status, 200);
  assert.deepEqual(
    first.headers.find(([name]) => name === 'connection'),
    ['connection', 'close'],
  );
  assert.ok(!(await peer.rest()).includes('spiffe_sequence'));
  assert.equal(served.service.figures().answers.get(200), 1);
});

const MALFORMED: readonly (readonly [string, string])[] = [
  ['two lengths', 'POST /v1/svid HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}'],
  [
    'length and chunks',
    'POST /v1/svid HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}',
  ],
  ['no host', 'GET /v1/trust HTTP/1.1\r\n\r\n'],
  ['bare line ends', 'GET /v1/trust HTTP/1.1\nhost: a\n\n'],
  ['HTTP/2 in the clear', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['nonsense', '\u0000\u0001\u0002\r\n\r\n'],
];
for (const [title, bytes] of MALFORMED) {
  test(`RFC 9112: ${title} is no request`, async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    const peer = await connectRaw({ port: served.port, tls: TLS });
    peer.send(bytes);
    assert.match(await peer.rest(), /^HTTP\/1\.1 400 /);
    assert.equal(served.service.figures().answers.size, 0);
  });
}

for (const [title, tls] of [
  ['TLS 1.2', { ...TLS, maxVersion: 'TLSv1.2' }],
  ['HTTP/2 alone', { ...TLS, ALPNProtocols: ['h2'] }],
] as const) {
  test(`${title} is not spoken`, async (context) => {
    const served = await serveAuthority(context, new FakeIssuingAuthority());
    await assert.rejects(
      connectRaw({
        port: served.port,
        tls: { ...tls, ALPNProtocols: [...('ALPNProtocols' in tls ? tls.ALPNProtocols : [])] },
      }),
    );
    assert.equal((await callHttps({ port: served.port, path: '/v1/trust' })).status, 200);
  });
}

test('cleartext is no handshake', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority());
  const peer = await connectRaw({ port: served.port });
  peer.send('GET /v1/trust HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.ok(!(await peer.rest()).includes('HTTP/'));
});

test('no session is resumed: each connection shows its whole chain', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority());
  const peer = await connectRaw({ port: served.port, tls: TLS });
  const sessions: Buffer[] = [];
  peer.socket.on('session', (session: Buffer) => sessions.push(session));
  peer.send('GET /v1/crl HTTP/1.1\r\nhost: a\r\n\r\n');
  await peer.rest();
  for (const session of sessions) {
    const again = await connectRaw({ port: served.port, tls: { ...TLS, session } });
    assert.equal((again.socket as TLSSocket).isSessionReused(), false);
    again.close();
  }
  assert.ok(sessions.length > 0);
});

test('connections of one source are bounded; those that are closed make room', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits: { connectionsPerSource: 3 } });
  const peers = await Promise.all(Array.from({ length: 3 }, () => connectRaw({ port: served.port, tls: TLS })));
  await assert.rejects(connectRaw({ port: served.port, tls: TLS }));
  assert.equal(sourceOf('::ffff:127.0.0.1'), sourceOf('127.0.0.1'));
  peers[0]?.close();
  await until('room', () => served.service.figures().connections === 2);
  assert.equal((await callHttps({ port: served.port, path: '/v1/trust' })).status, 200);
  for (const peer of peers) peer.close();
});

test('connections in all are bounded', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits: { connections: 2 } });
  const peers = await Promise.all(Array.from({ length: 2 }, () => connectRaw({ port: served.port, tls: TLS })));
  await assert.rejects(connectRaw({ port: served.port, tls: TLS }));
  for (const peer of peers) peer.close();
  await until('room', () => served.service.figures().connections === 0);
  assert.equal((await callHttps({ port: served.port, path: '/v1/trust' })).status, 200);
});

test('a service under attack still enrols who has a token', async (context) => {
  const served = await serveAuthority(context, new FakeIssuingAuthority(), { limits: HASTY });
  served.authority.tokens.set('token-1', 'spiffe://example.org/a');
  const attackers = await Promise.all(Array.from({ length: 50 }, () => connectRaw({ port: served.port })));
  for (const peer of attackers) peer.send('\u0016\u0003\u0001\u0000');
  const { base64 } = await freshCsr();
  assert.equal((await postSvid(served.port, { csr: base64, method: 'join-token', token: 'token-1' })).status, 200);
  await Promise.all(attackers.map((peer) => peer.ended));
});
