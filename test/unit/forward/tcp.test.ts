import assert from 'node:assert/strict';
import { once as event } from 'node:events';
import { test } from 'node:test';

import { fault } from '../../../src/core/model/faults.ts';
import type { Limits } from '../../../src/core/model/limits.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import { startEchoUpstream } from '../../support/echo-upstream.ts';
import { FakeRawDownstream, type SocketPair, socketPair } from '../../support/fake-downstream.ts';
import { forwarderTo, once, permitFor } from '../../support/forwarding.ts';
import { type ScriptedConnection, scriptedUpstream } from '../../support/scripted-upstream.ts';
import { untilStill } from '../../support/until-still.ts';

type Scene = { readonly pair: SocketPair; readonly downstream: FakeRawDownstream };

/** One connection to an upstream that does what `script` says; its bytes are not read as HTTP. */
async function tunnel(
  script: (connection: ScriptedConnection) => void | Promise<void>,
  during: (scene: Scene) => Promise<void>,
  limits: Partial<Limits> = {},
): Promise<{ outcome: Outcome; downstream: FakeRawDownstream }> {
  const upstream = await scriptedUpstream((connection) => {
    connection.socket.removeAllListeners('data');
    return script(connection);
  });
  const forwarder = forwarderTo('tcp', upstream.port, limits);
  const pair = await socketPair();
  const downstream = new FakeRawDownstream(pair.ours);
  const outcome = once<Outcome>((done) => forwarder.forwardRaw(permitFor(undefined), downstream, done));
  await during({ pair, downstream });
  const result = { outcome: await outcome, downstream };
  pair.close();
  await forwarder.stop(0);
  await upstream.close();
  return result;
}

async function readAll(pair: SocketPair): Promise<string> {
  let text = '';
  pair.peer.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  await event(pair.peer, 'end');
  return text;
}

test('bytes go both ways, and are counted', async () => {
  const upstream = await startEchoUpstream({ tcp: true });
  const forwarder = forwarderTo('tcp', upstream.port);
  const pair = await socketPair();
  const outcome = once<Outcome>((done) =>
    forwarder.forwardRaw(permitFor(undefined), new FakeRawDownstream(pair.ours), done),
  );
  pair.peer.end(Buffer.from('SSH-2.0-x\r\n\0\xff', 'latin1'));
  assert.equal(await readAll(pair), 'SSH-2.0-x\r\n\0\xff');
  assert.deepEqual(await outcome, { kind: 'forwarded', status: 0, bytesIn: 13, bytesOut: 13 });
  assert.equal((await upstream.next()).body.toString('latin1'), 'SSH-2.0-x\r\n\0\xff');
  pair.close();
  await forwarder.stop(0);
  await upstream.close();
});

test('a server that speaks first', async () => {
  const { outcome } = await tunnel(
    (connection) => {
      connection.send('220 ready');
      connection.socket.end();
      connection.socket.resume();
    },
    async ({ pair }) => {
      assert.equal(await readAll(pair), '220 ready');
      pair.peer.end();
    },
  );
  assert.deepEqual(outcome, { kind: 'forwarded', status: 0, bytesIn: 0, bytesOut: 9 });
});

test('half-close: the end of one direction is passed on, and the other goes on', async () => {
  const { outcome } = await tunnel(
    async (connection) => {
      let text = '';
      connection.socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
      await event(connection.socket, 'end');
      connection.send(`got ${text}`);
      connection.socket.end();
    },
    async ({ pair }) => {
      pair.peer.end('question');
      assert.equal(await readAll(pair), 'got question');
    },
  );
  assert.deepEqual(outcome, { kind: 'forwarded', status: 0, bytesIn: 8, bytesOut: 12 });
});

test('half-close: an agent that has said all it has to say still hears the peer', async () => {
  let heard = '';
  const { outcome } = await tunnel(
    async (connection) => {
      connection.socket.end('that is all');
      connection.socket.on('data', (bytes: Buffer) => (heard += bytes.toString()));
      await event(connection.socket, 'end');
    },
    async ({ pair }) => {
      assert.equal(await readAll(pair), 'that is all');
      pair.peer.end('understood');
    },
  );
  assert.equal(heard, 'understood');
  assert.deepEqual(outcome, { kind: 'forwarded', status: 0, bytesIn: 10, bytesOut: 11 });
});

test('the slower side paces the faster one', async () => {
  const total = 30_000_000;
  let sent = 0;
  const { outcome } = await tunnel(
    async (connection) => {
      for (; sent < total; sent += 100_000) {
        if (!connection.socket.write(Buffer.alloc(100_000))) await event(connection.socket, 'drain');
      }
      connection.socket.end();
      connection.socket.resume();
    },
    async ({ pair }) => {
      await untilStill(() => sent);
      assert.ok(sent < total, 'the agent is held back while the peer does not read');
      let received = 0;
      pair.peer.on('data', (bytes: Buffer) => (received += bytes.length));
      await event(pair.peer, 'end');
      assert.equal(received, total);
      pair.peer.end();
    },
  );
  assert.deepEqual(outcome, { kind: 'forwarded', status: 0, bytesIn: 0, bytesOut: total });
});

test('an agent that is not there: the connection closes without a byte', async () => {
  const gone = await scriptedUpstream(() => {});
  await gone.close();
  const forwarder = forwarderTo('tcp', gone.port);
  const pair = await socketPair();
  const downstream = new FakeRawDownstream(pair.ours);
  const outcome = await once<Outcome>((done) => forwarder.forwardRaw(permitFor(undefined), downstream, done));
  assert.equal(outcome.kind === 'upstream-failed' && outcome.fault.code, 'upstream_unreachable');
  assert.equal(outcome.kind === 'upstream-failed' && outcome.status, 0);
  assert.equal(downstream.aborted?.code, 'upstream_unreachable');
  pair.close();
  await forwarder.stop(0);
});

test('an agent that resets: a failure of the agent', async () => {
  const { outcome, downstream } = await tunnel(
    async (connection) => {
      await event(connection.socket, 'data');
      connection.socket.resetAndDestroy();
    },
    async ({ pair }) => {
      pair.peer.write('x');
    },
  );
  assert.equal(outcome.kind === 'upstream-failed' && outcome.fault.code, 'upstream_aborted');
  assert.equal(downstream.aborted?.code, 'upstream_aborted');
});

test('a peer that resets: aborted by the peer, and the agent’s connection closes', async () => {
  let agentSide: Promise<boolean> | undefined;
  const { outcome } = await tunnel(
    (connection) => {
      agentSide = connection.closed;
      connection.send('hello');
      connection.socket.resume();
    },
    async ({ pair }) => {
      await event(pair.peer, 'data');
      pair.peer.resetAndDestroy();
      await agentSide;
    },
  );
  assert.equal(outcome.kind === 'aborted' && outcome.by, 'peer');
  assert.equal(outcome.kind === 'aborted' && outcome.bytesOut, 5);
});

test('a connection that is cut: aborted by us, and the agent’s connection closes', async () => {
  const reason = fault('policy_withdrawn', 'new revision');
  let agentSide: Promise<boolean> | undefined;
  const { outcome } = await tunnel(
    (connection) => {
      agentSide = connection.closed;
      connection.send('hello');
      connection.socket.resume();
    },
    async ({ pair, downstream }) => {
      await event(pair.peer, 'data');
      downstream.onClosed?.(reason, 'us');
      await agentSide;
    },
  );
  assert.deepEqual(outcome, { kind: 'aborted', by: 'us', fault: reason, status: 0, bytesIn: 0, bytesOut: 5 });
});

test('a connection in which nothing moves is closed: aborted by us', async () => {
  const { outcome, downstream } = await tunnel(
    () => {},
    async () => {},
    { streamIdleTimeoutMs: 40 },
  );
  assert.equal(outcome.kind === 'aborted' && outcome.by, 'us');
  assert.equal(outcome.kind === 'aborted' && outcome.fault.code, 'stream_idle_timeout');
  assert.equal(downstream.aborted?.code, 'stream_idle_timeout');
});

test('a peer that closes both directions at once: the outcome is not a failure', async () => {
  const { outcome } = await tunnel(
    (connection) => void connection.socket.resume().once('end', () => connection.socket.end()),
    async ({ pair }) => {
      pair.peer.write('bye');
      pair.peer.destroySoon();
    },
  );
  assert.deepEqual(outcome, { kind: 'forwarded', status: 0, bytesIn: 3, bytesOut: 0 });
});
