import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { WebSocketServer } from 'ws';

import type { PermittedRequest } from '../../../src/core/gate/permit.ts';
import { fault, type FaultCode } from '../../../src/core/model/faults.ts';
import type { Limits } from '../../../src/core/model/limits.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import { startEchoUpstream } from '../../support/echo-upstream.ts';
import { FakeDownstream, type SocketPair, socketPair, upgradeOf } from '../../support/fake-downstream.ts';
import { forwarderTo, outcomeOf } from '../../support/forwarding.ts';
import { type ScriptedConnection, scriptedUpstream } from '../../support/scripted-upstream.ts';
import { untilStill } from '../../support/until-still.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
const SWITCH = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`;

const UPGRADE: Partial<PermittedRequest> = {
  style: 'websocket',
  target: '/chat?a=1',
  headers: ['sec-websocket-version', '13', 'sec-websocket-key', KEY],
};

/** A peer's connection, what it received so far, and a way to wait for more. */
class Peer {
  readonly pair: SocketPair;
  text = '';
  readonly ended: Promise<unknown>;
  /** Settles when the connection is gone, however. */
  readonly gone: Promise<unknown>;

  constructor(pair: SocketPair) {
    this.pair = pair;
    pair.peer.on('data', (bytes: Buffer) => (this.text += bytes.toString('latin1')));
    this.ended = new Promise((resolve) => pair.peer.once('end', resolve));
    this.gone = new Promise((resolve) => pair.peer.once('end', resolve).once('close', resolve));
  }

  get socket(): Socket {
    return this.pair.peer;
  }

  async until(mark: string): Promise<void> {
    while (!this.text.includes(mark)) await Promise.race([once(this.socket, 'data'), this.#overWithout(mark)]);
  }

  async #overWithout(mark: string): Promise<void> {
    await this.gone;
    if (!this.text.includes(mark))
      throw new Error(`ended without ${JSON.stringify(mark)}: ${JSON.stringify(this.text)}`);
  }
}

/** The listener's side of an upgraded socket: tells of the peer's going as the real one does. */
async function upgraded(): Promise<{ peer: Peer; downstream: FakeDownstream }> {
  const pair = await socketPair();
  const downstream = new FakeDownstream({ upgrade: upgradeOf(pair.ours) });
  downstream.abort = (reason) => {
    downstream.events.push({ kind: 'abort', fault: reason });
    pair.ours.destroy();
  };
  return { peer: new Peer(pair), downstream };
}

async function tunnel(
  script: (connection: ScriptedConnection) => void | Promise<void>,
  during: (peer: Peer, downstream: FakeDownstream) => Promise<void>,
  request: Partial<PermittedRequest> = UPGRADE,
  limits: Partial<Limits> = {},
): Promise<{ outcome: Outcome; downstream: FakeDownstream; peer: Peer }> {
  const upstream = await scriptedUpstream(script);
  const forwarder = forwarderTo('http1', upstream.port, limits);
  const { peer, downstream } = await upgraded();
  const outcome = outcomeOf(forwarder, downstream, request);
  await during(peer, downstream);
  const result = { outcome: await outcome, downstream, peer };
  peer.pair.close();
  await forwarder.stop(0);
  await upstream.close();
  return result;
}

function assertFailed(outcome: Outcome, code: FaultCode, status: number): void {
  assert.equal(outcome.kind, 'upstream-failed');
  if (outcome.kind !== 'upstream-failed') return;
  assert.equal(outcome.fault.code, code, outcome.fault.detail);
  assert.equal(outcome.status, status);
}

test('RFC 6455 4.1: the agent gets the permitted request, target and fields untouched, and both directions then flow', async () => {
  const upstream = await startEchoUpstream();
  const forwarder = forwarderTo('http1', upstream.port);
  const { peer, downstream } = await upgraded();
  const headers = ['x-a', '1', 'sec-websocket-version', '13', 'sec-websocket-key', KEY, 'x-a', '2'];
  const outcome = outcomeOf(forwarder, downstream, { ...UPGRADE, target: '//[/a/%2e%2e/;b?c=d?e', headers });
  await peer.until('\r\n\r\n');
  peer.socket.write('some bytes');
  await peer.until('some bytes');
  peer.socket.end();
  assert.deepEqual(await outcome, { kind: 'forwarded', status: 101, bytesIn: 10, bytesOut: 10 });
  const received = await upstream.next();
  assert.equal(received.requestLine, 'GET //[/a/%2e%2e/;b?c=d?e HTTP/1.1');
  assert.deepEqual(received.headers, [
    'host',
    'agent.internal',
    'connection',
    'Upgrade',
    'upgrade',
    'websocket',
    'x-a',
    '1',
    'x-a',
    '2',
    'sec-websocket-version',
    '13',
    'sec-websocket-key',
    KEY,
  ]);
  assert.equal(received.body.toString(), 'some bytes');
  assert.deepEqual(downstream.events, [], 'http-proxy-3 writes to the socket, the exchange writes nothing');
  peer.pair.close();
  await forwarder.stop(0);
  await upstream.close();
});

test('a real WebSocket server behind it: frames and the closing handshake (RFC 6455 7.1)', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const forwarder = forwarderTo('http1', port);
  const { peer, downstream } = await upgraded();
  const outcome = outcomeOf(forwarder, downstream, UPGRADE);
  await peer.until('\r\n\r\n');
  // Masked text frame "hi", then a masked close frame (RFC 6455 section 5).
  peer.socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
  await peer.until('hi');
  peer.socket.write(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
  await peer.ended;
  peer.socket.end();
  assert.deepEqual(await outcome, { kind: 'forwarded', status: 101, bytesIn: 14, bytesOut: 6 });
  peer.pair.close();
  await forwarder.stop(0);
  server.close();
});

test('no byte of the peer’s reaches the agent before its 101', async () => {
  let before = '';
  const { outcome } = await tunnel(
    async (connection) => {
      await connection.head();
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      before = connection.raw.toString('latin1');
      connection.send(SWITCH);
      await connection.until(() => connection.raw.includes('early'));
      connection.socket.end();
    },
    async (peer) => {
      peer.socket.write('early');
      await peer.ended;
      peer.socket.end();
    },
  );
  assert.equal(before.endsWith('\r\n\r\n'), true);
  assert.equal(before.includes('early'), false);
  assert.equal(outcome.kind === 'forwarded' && outcome.bytesIn, 5);
});

test('bytes that came with the upgrade request are refused, and the agent is not asked', async () => {
  const upstream = await scriptedUpstream(() => {});
  const forwarder = forwarderTo('http1', upstream.port);
  const pair = await socketPair();
  const peer = new Peer(pair);
  const downstream = new FakeDownstream({ upgrade: upgradeOf(pair.ours, Buffer.from('GET /admin HTTP/1.1\r\n\r\n')) });
  assert.deepEqual(await outcomeOf(forwarder, downstream, UPGRADE), { kind: 'refused', status: 400 });
  await peer.ended;
  assert.match(
    peer.text,
    /^HTTP\/1\.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application\/problem\+json/,
  );
  assert.equal(upstream.accepted(), 0);
  pair.close();
  await forwarder.stop(0);
  await upstream.close();
});

test('the 101 is passed on by the rules of any answer: own fields gone, obligations appended', async () => {
  const answer = SWITCH.replace('\r\n\r\n', '\r\nX-Forwarded-Client-Cert: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n');
  const { peer } = await tunnel(
    async (connection) => {
      await connection.head();
      connection.send(`${answer}first frame`);
      connection.socket.end();
    },
    async (each) => {
      await each.ended;
      each.socket.end();
    },
    { ...UPGRADE, responseHeadersToAdd: ['x-policy', '1'] },
  );
  assert.deepEqual(peer.text.split('\r\n'), [
    'HTTP/1.1 101 Switching Protocols',
    'connection: Upgrade',
    'upgrade: websocket',
    `sec-websocket-accept: ${ACCEPT}`,
    'set-cookie: a',
    'set-cookie: b',
    'x-policy: 1',
    '',
    'first frame',
  ]);
});

test('an agent that answers something else than 101: its status and body are passed on, then the connection closes', async () => {
  const { outcome, peer } = await tunnel(
    async (connection) => {
      await connection.head();
      connection.send(
        'HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nno',
      );
    },
    async (each) => {
      await each.ended;
      each.socket.end();
    },
    { ...UPGRADE, responseHeadersToAdd: ['x-policy', '1'] },
  );
  assert.deepEqual(peer.text.split('\r\n'), [
    'HTTP/1.1 403 Forbidden',
    'connection: close',
    'content-type: text/plain',
    'content-length: 2',
    'x-policy: 1',
    '',
    'no',
  ]);
  assert.deepEqual(outcome, { kind: 'forwarded', status: 403, bytesIn: 0, bytesOut: 2 });
});

test('a refusal of unknown length is chunked anew and complete', async () => {
  const { outcome, peer } = await tunnel(
    async (connection) => {
      await connection.head();
      connection.send('HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n');
    },
    async (each) => {
      await each.ended;
      each.socket.end();
    },
  );
  const body = peer.text.slice(peer.text.indexOf('\r\n\r\n') + 4);
  assert.equal(body.replaceAll(/[0-9a-f]+\r\n([^\r]*)\r\n/g, '$1'), 'abcde');
  assert.equal(body.endsWith('0\r\n\r\n'), true);
  assert.equal(outcome.kind === 'forwarded' && outcome.bytesOut, 5);
});

test('a large refusal does not fill memory when the peer does not read it', async () => {
  const total = 40_000_000;
  let sent = 0;
  const { outcome } = await tunnel(
    async (connection) => {
      await connection.head();
      connection.send(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${total}\r\n\r\n`);
      for (; sent < total; sent += 100_000) {
        if (connection.socket.destroyed) return;
        if (!connection.socket.write(Buffer.alloc(100_000)))
          await Promise.race([once(connection.socket, 'drain'), connection.closed]);
      }
    },
    async (peer) => {
      peer.socket.pause();
      await untilStill(() => sent);
      assert.ok(sent < total);
      peer.socket.destroy();
    },
  );
  assert.equal(outcome.kind, 'forwarded');
});

test('a refusal that breaks off is not ended as if it were complete', async () => {
  const { outcome, peer } = await tunnel(
    async (connection) => {
      await connection.head();
      connection.send('HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
      connection.socket.end();
    },
    async (each) => {
      await each.gone;
      each.socket.destroy();
    },
  );
  assertFailed(outcome, 'upstream_aborted', 404);
  assert.equal(peer.text.includes('0\r\n\r\n'), false);
});

const FAULTY: readonly [string, (connection: ScriptedConnection) => void | Promise<void>, FaultCode, number][] = [
  ['closes without an answer', (connection) => void connection.socket.end(), 'upstream_aborted', 502],
  [
    'sends both lengths',
    async (connection) => {
      await connection.head();
      connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n');
    },
    'upstream_protocol_error',
    502,
  ],
];

for (const [name, script, code, status] of FAULTY) {
  test(`an agent that ${name}: ${status}`, async () => {
    const { outcome, peer } = await tunnel(script, async (each) => {
      await each.ended;
      each.socket.end();
    });
    assertFailed(outcome, code, status);
    assert.match(peer.text, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
  });
}

const UNSOUND: readonly [string, string][] = [
  ['without a proof that it read the key', SWITCH.replace(ACCEPT, 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=')],
  ['without Sec-WebSocket-Accept', SWITCH.replace(/Sec-WebSocket-Accept.*\r\n/, '')],
  ['to another protocol', SWITCH.replace('Upgrade: websocket', 'Upgrade: h2c')],
];

for (const [name, answer] of UNSOUND) {
  test(`RFC 6455 4.1: an agent that switches ${name} gets no tunnel`, async () => {
    let after = '';
    const { outcome, peer } = await tunnel(
      async (connection) => {
        await connection.head();
        connection.send(answer);
        await connection.closed;
        after = connection.raw.toString('latin1');
      },
      async (each) => {
        each.socket.write('hidden');
        await each.gone;
      },
    );
    assertFailed(outcome, 'upstream_protocol_error', 0);
    assert.equal(peer.text, '');
    assert.equal(after.includes('hidden'), false);
  });
}

test('an agent that is not there: 502', async () => {
  const gone = await scriptedUpstream(() => {});
  await gone.close();
  const forwarder = forwarderTo('http1', gone.port);
  const { peer, downstream } = await upgraded();
  assertFailed(await outcomeOf(forwarder, downstream, UPGRADE), 'upstream_unreachable', 502);
  await peer.ended;
  assert.match(peer.text, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
  peer.pair.close();
  await forwarder.stop(0);
});

test('an agent that never answers the upgrade: 504 when nothing moved for too long', async () => {
  const { outcome, peer } = await tunnel(
    () => {},
    async (each) => {
      await each.ended;
      each.socket.end();
    },
    UPGRADE,
    { streamIdleTimeoutMs: 40 },
  );
  assertFailed(outcome, 'upstream_timeout', 504);
  assert.match(peer.text, /^HTTP\/1\.1 504 Gateway Timeout\r\n/);
});

const switching = async (connection: ScriptedConnection): Promise<void> => {
  await connection.head();
  connection.send(SWITCH);
};

test('an open tunnel in which nothing moves is closed: aborted by us', async () => {
  const { outcome } = await tunnel(switching, async (peer) => await peer.until('\r\n\r\n'), UPGRADE, {
    streamIdleTimeoutMs: 60,
  });
  assert.equal(outcome.kind === 'aborted' && outcome.by, 'us');
  assert.equal(outcome.kind === 'aborted' && outcome.fault.code, 'stream_idle_timeout');
});

test('a tunnel that is cut: the agent sees its connection close, the outcome is aborted by us', async () => {
  const reason = fault('policy_withdrawn', 'new revision');
  let agentSide: Promise<boolean> | undefined;
  const { outcome } = await tunnel(
    async (connection) => {
      agentSide = connection.closed;
      await switching(connection);
    },
    async (peer, downstream) => {
      await peer.until('\r\n\r\n');
      downstream.onClosed?.(reason, 'us');
      await agentSide;
    },
  );
  assert.deepEqual(outcome, { kind: 'aborted', by: 'us', fault: reason, status: 101, bytesIn: 0, bytesOut: 0 });
});

test('a peer that goes away before the 101: aborted by the peer, and the agent is not kept', async () => {
  const reason = fault('peer_aborted', 'gone');
  let agentSide: Promise<boolean> | undefined;
  const arrived = Promise.withResolvers<void>();
  const { outcome } = await tunnel(
    async (connection) => {
      agentSide = connection.closed;
      await connection.head();
      arrived.resolve();
    },
    async (_peer, downstream) => {
      await arrived.promise;
      downstream.onClosed?.(reason, 'peer');
      await agentSide;
    },
  );
  assert.deepEqual(outcome, { kind: 'aborted', by: 'peer', fault: reason, status: 0, bytesIn: 0, bytesOut: 0 });
});

test('promise 3: a peer whose connection ends before the 101, of which no listener tells, has aborted', async () => {
  let agentSide: Promise<boolean> | undefined;
  const arrived = Promise.withResolvers<void>();
  const { outcome } = await tunnel(
    async (connection) => {
      agentSide = connection.closed;
      await connection.head();
      arrived.resolve();
    },
    async (peer) => {
      await arrived.promise;
      peer.pair.ours.destroy();
      await agentSide;
    },
  );
  assert.ok(outcome.kind === 'aborted' && outcome.by === 'peer');
  assert.equal(outcome.fault.code, 'peer_aborted');
  assert.equal(outcome.status, 0);
});

test('a peer that closes an open tunnel is its ordinary end, also where the listener tells of it first', async () => {
  const { outcome } = await tunnel(
    async (connection) => {
      await switching(connection);
      await connection.closed;
      connection.socket.end();
    },
    async (peer, downstream) => {
      await peer.until('\r\n\r\n');
      downstream.onClosed?.(fault('peer_aborted', 'closed'), 'peer');
      peer.socket.end();
    },
  );
  assert.deepEqual(outcome, { kind: 'forwarded', status: 101, bytesIn: 0, bytesOut: 0 });
});

test('a peer that resets an open tunnel: aborted by the peer', async () => {
  const { outcome } = await tunnel(switching, async (peer) => {
    await peer.until('\r\n\r\n');
    peer.socket.resetAndDestroy();
  });
  assert.equal(outcome.kind === 'aborted' && outcome.by, 'peer');
  assert.equal(outcome.kind === 'aborted' && outcome.status, 101);
});

test('an agent that resets an open tunnel: a failure of the agent, with the status that the peer has', async () => {
  const { outcome } = await tunnel(
    async (connection) => {
      await switching(connection);
      await connection.until(() => connection.raw.includes('now'));
      connection.socket.resetAndDestroy();
    },
    async (peer) => {
      await peer.until('\r\n\r\n');
      peer.socket.write('now');
      await peer.gone;
    },
  );
  assertFailed(outcome, 'upstream_aborted', 101);
});

test('an exchange that has ended before it could be upgraded reports how it ended', async () => {
  const upstream = await scriptedUpstream(() => {});
  const forwarder = forwarderTo('http1', upstream.port);
  const downstream = new FakeDownstream();
  const ended: Outcome = {
    kind: 'aborted',
    by: 'peer',
    fault: fault('upgrade_refused', ''),
    status: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
  downstream.refuse = (_answer, done) => done(ended);
  assert.deepEqual(await outcomeOf(forwarder, downstream, UPGRADE), ended);
  assert.equal(upstream.accepted(), 0);
  await forwarder.stop(0);
  await upstream.close();
});

test('an agent that speaks h2c only has nothing to upgrade: refused before it is asked', async () => {
  const upstream = await scriptedUpstream(() => {});
  const forwarder = forwarderTo('h2c', upstream.port);
  const { peer, downstream } = await upgraded();
  const outcome = await outcomeOf(forwarder, downstream, UPGRADE);
  assert.equal(outcome.kind === 'refused' && outcome.status, 502);
  assert.equal(upstream.accepted(), 0);
  peer.pair.close();
  await forwarder.stop(0);
  await upstream.close();
});
