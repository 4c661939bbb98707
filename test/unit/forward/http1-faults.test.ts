import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fault, FAULTS, type FaultCode } from '../../../src/core/model/faults.ts';
import type { Limits } from '../../../src/core/model/limits.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import { bodyOf, bodyToFeed, FakeDownstream } from '../../support/fake-downstream.ts';
import { forwarderTo, outcomeOf, type permitted } from '../../support/forwarding.ts';
import { scriptedUpstream, type ScriptedConnection } from '../../support/scripted-upstream.ts';

const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** What an upstream does wrong, what the peer sees of it, and what the record will say. */
type Row = {
  readonly name: string;
  readonly script: (connection: ScriptedConnection) => void | Promise<void>;
  readonly request?: Parameters<typeof permitted>[0];
  readonly limits?: Partial<Limits>;
  readonly seen: readonly string[];
  readonly code: FaultCode;
  /** Status told to the peer: the refusal's, or that of the head it already had. */
  readonly status?: number;
};

const wholeAnswer =
  (text: string, then: (connection: ScriptedConnection) => void = () => {}) =>
  async (connection: ScriptedConnection): Promise<void> => {
    await connection.request();
    connection.send(text);
    then(connection);
  };

const closes = (connection: ScriptedConnection): void => void connection.socket.end();
const resets = (connection: ScriptedConnection): void => void connection.socket.resetAndDestroy();

const refused = (name: string, text: string, code: FaultCode = 'upstream_protocol_error'): Row => ({
  name,
  script: wholeAnswer(text, closes),
  seen: ['refuse'],
  code,
});

const ROWS: readonly Row[] = [
  { name: 'closes without an answer', script: wholeAnswer('', closes), seen: ['refuse'], code: 'upstream_aborted' },
  { name: 'resets without an answer', script: wholeAnswer('', resets), seen: ['refuse'], code: 'upstream_aborted' },
  { name: 'closes at once', script: closes, seen: ['refuse'], code: 'upstream_aborted' },
  {
    name: 'closes inside the head',
    script: wholeAnswer('HTTP/1.1 200 OK\r\nContent-Le', closes),
    seen: ['refuse'],
    code: 'upstream_aborted',
  },
  {
    name: 'dies before the first byte of an announced body',
    script: wholeAnswer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n', closes),
    seen: ['refuse'],
    code: 'upstream_aborted',
  },
  {
    name: 'dies in the middle of a body of known length (RFC 9112 8)',
    script: wholeAnswer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', (connection) =>
      setTimeout(() => connection.socket.end(), 20),
    ),
    seen: ['head', 'data', 'abort'],
    code: 'upstream_aborted',
    status: 200,
  },
  {
    name: 'resets in the middle of a body of known length',
    script: wholeAnswer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', (connection) =>
      setTimeout(() => connection.socket.resetAndDestroy(), 20),
    ),
    seen: ['head', 'data', 'abort'],
    code: 'upstream_aborted',
    status: 200,
  },
  {
    name: 'dies in the middle of a chunked body, between two chunks',
    script: wholeAnswer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', (connection) =>
      setTimeout(() => connection.socket.end(), 20),
    ),
    seen: ['head', 'data', 'abort'],
    code: 'upstream_aborted',
    status: 200,
  },
  {
    name: 'sends a bad chunk size',
    script: wholeAnswer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', (connection) =>
      setTimeout(() => connection.send('xyz\r\nhello\r\n'), 20),
    ),
    seen: ['head', 'data', 'abort'],
    code: 'upstream_protocol_error',
    status: 200,
  },
  refused(
    'sends both lengths (RFC 9112 6.3)',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ),
  refused('sends two lengths (RFC 9112 6.3)', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc'),
  refused('sends no number as length', 'HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nab'),
  refused('folds a line (RFC 9112 5.2)', 'HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n'),
  refused('ends a line with LF alone', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'),
  refused('sends a NUL in a value', 'HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n'),
  refused('sends a name that is no token', 'HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 0\r\n\r\n'),
  refused('codes its body in a way nobody asked for', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc'),
  refused(
    'switches protocols unasked',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
  ),
  refused('answers 100 unasked', `HTTP/1.1 100 Continue\r\n\r\n${GOOD}`),
  refused('speaks something else', 'SSH-2.0-OpenSSH_9.6\r\n'),
  {
    name: 'sends more head than allowed',
    script: wholeAnswer(`HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(20_000)}\r\nContent-Length: 0\r\n\r\n`),
    limits: { headerBytes: 16_384 },
    seen: ['refuse'],
    code: 'upstream_protocol_error',
  },
  {
    name: 'sends more interim answers than any use',
    script: wholeAnswer('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1_000)),
    seen: [...Array.from({ length: 16 }, () => 'informational'), 'refuse'],
    code: 'upstream_protocol_error',
  },
  {
    name: 'never answers',
    script: async (connection) => void (await connection.request()),
    limits: { upstreamTimeoutMs: 40 },
    seen: ['refuse'],
    code: 'upstream_timeout',
  },
  {
    name: 'begins a head and never ends it',
    script: wholeAnswer('HTTP/1.1 200 OK\r\nX-A: 1\r\n'),
    limits: { upstreamTimeoutMs: 40 },
    seen: ['refuse'],
    code: 'upstream_timeout',
  },
  {
    name: 'sends interim answers but no final one',
    script: wholeAnswer('HTTP/1.1 103 Early Hints\r\n\r\n'),
    limits: { upstreamTimeoutMs: 40 },
    seen: ['informational', 'refuse'],
    code: 'upstream_timeout',
  },
];

for (const row of ROWS) {
  test(`an agent that ${row.name}: the peer sees ${[...new Set(row.seen)].join(', ')}, and the next request works`, async () => {
    const upstream = await scriptedUpstream((connection, index) =>
      index === 0 ? row.script(connection) : wholeAnswer(GOOD)(connection),
    );
    const forwarder = forwarderTo('http1', upstream.port, row.limits);
    const downstream = new FakeDownstream();
    const outcome = await outcomeOf(forwarder, downstream, row.request);
    assert.deepEqual(downstream.kinds, row.seen);
    assertFailed(outcome, row.code, row.status ?? FAULTS[row.code].http);
    const next = new FakeDownstream();
    assert.equal((await outcomeOf(forwarder, next)).kind, 'forwarded');
    assert.equal(next.received.toString(), 'ok');
    await forwarder.stop(0);
    await upstream.close();
  });
}

function assertFailed(outcome: Outcome, code: FaultCode, status: number): void {
  assert.equal(outcome.kind, 'upstream-failed');
  if (outcome.kind !== 'upstream-failed') return;
  assert.equal(outcome.fault.code, code, outcome.fault.detail);
  assert.equal(outcome.status, status);
}

test('RFC 9112 9.5: bytes after the announced end belong to no answer: the connection is dropped', async () => {
  const upstream = await scriptedUpstream(async (connection, index) => {
    await connection.request();
    const extra = index === 0 ? 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison' : '';
    connection.send(`${GOOD}${extra}`);
  });
  const forwarder = forwarderTo('http1', upstream.port);
  for (let i = 0; i < 2; i++) {
    const downstream = new FakeDownstream();
    await outcomeOf(forwarder, downstream);
    assert.equal(downstream.received.toString(), 'ok');
  }
  assert.equal(upstream.accepted(), 2);
  await forwarder.stop(0);
  await upstream.close();
});

test('an agent that is not there: 502, and nothing is retried', async () => {
  const upstream = await scriptedUpstream(() => {});
  await upstream.close();
  const forwarder = forwarderTo('http1', upstream.port);
  const downstream = new FakeDownstream();
  assertFailed(await outcomeOf(forwarder, downstream), 'upstream_unreachable', 502);
  const [event] = downstream.events;
  assert.equal(
    event?.kind === 'refuse' && event.answer.body.includes('ECONNREFUSED'),
    false,
    'the peer learns no more',
  );
  assert.equal(await forwarder.ready(), false);
  await forwarder.stop(0);
});

test('no request is sent twice, not even one that has no effect', async () => {
  const upstream = await scriptedUpstream(async (connection) => {
    await connection.request();
    connection.socket.resetAndDestroy();
  });
  const forwarder = forwarderTo('http1', upstream.port);
  assertFailed(await outcomeOf(forwarder, new FakeDownstream()), 'upstream_aborted', 502);
  assert.equal(upstream.accepted(), 1);
  await forwarder.stop(0);
  await upstream.close();
});

test('a peer that goes away while the agent works: the agent sees its connection close, the outcome is aborted by the peer', async () => {
  let connectionClosed: Promise<boolean> | undefined;
  const upstream = await scriptedUpstream(async (connection) => {
    connectionClosed = connection.closed;
    await connection.request();
    arrived.resolve();
  });
  const arrived = Promise.withResolvers<void>();
  const forwarder = forwarderTo('http1', upstream.port);
  const downstream = new FakeDownstream();
  const outcome = outcomeOf(forwarder, downstream);
  await arrived.promise;
  const reason = fault('peer_aborted', 'gone');
  downstream.onClosed?.(reason, 'peer');
  assert.deepEqual(await outcome, { kind: 'aborted', by: 'peer', fault: reason, status: 0, bytesIn: 0, bytesOut: 0 });
  await connectionClosed;
  assert.deepEqual(downstream.kinds, []);
  await forwarder.stop(0);
  await upstream.close();
});

test('a peer that goes away while the connection to the agent is made: not a byte is sent', async () => {
  const accepted = Promise.withResolvers<ScriptedConnection>();
  const upstream = await scriptedUpstream((connection) => accepted.resolve(connection));
  const forwarder = forwarderTo('http1', upstream.port);
  const downstream = new FakeDownstream({ body: bodyOf('secret') });
  const outcome = outcomeOf(forwarder, downstream, { method: 'POST', body: { kind: 'stream' }, expectContinue: true });
  downstream.onClosed?.(fault('peer_aborted', 'gone'), 'peer');
  assert.equal((await outcome).kind, 'aborted');
  const connection = await accepted.promise;
  await forwarder.stop(1_000);
  await connection.closed;
  assert.equal(connection.raw.length, 0);
  assert.deepEqual(downstream.kinds, []);
  await upstream.close();
});

test('an exchange that is cut in the middle of its answer: aborted by us, with the status that the peer has', async () => {
  const upstream = await scriptedUpstream(
    wholeAnswer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'),
  );
  const forwarder = forwarderTo('http1', upstream.port);
  const downstream = new FakeDownstream();
  const outcome = outcomeOf(forwarder, downstream);
  await downstream.until(({ kinds }) => kinds.includes('data'));
  const reason = fault('policy_withdrawn', 'new revision');
  downstream.onClosed?.(reason, 'us');
  assert.deepEqual(await outcome, { kind: 'aborted', by: 'us', fault: reason, status: 200, bytesIn: 0, bytesOut: 3 });
  await forwarder.stop(0);
  await upstream.close();
});

test('RFC 9112 8: an upload that breaks off does not reach the agent as a complete request', async () => {
  let complete = false;
  let wasClosed: Promise<boolean> | undefined;
  const upstream = await scriptedUpstream(async (connection) => {
    wasClosed = connection.closed;
    void connection.request().then(
      () => (complete = true),
      () => {},
    );
    await connection.until(() => connection.raw.includes('part'));
    arrived.resolve();
  });
  const arrived = Promise.withResolvers<void>();
  const forwarder = forwarderTo('http1', upstream.port);
  const stream = bodyToFeed();
  const downstream = new FakeDownstream({ body: { kind: 'stream', stream } });
  const outcome = outcomeOf(forwarder, downstream, { method: 'POST', body: { kind: 'stream' } });
  stream.push(Buffer.from('part'));
  await arrived.promise;
  stream.destroy();
  const result = await outcome;
  assert.equal(result.kind === 'aborted' && result.by, 'peer');
  assert.equal(result.kind === 'aborted' && result.fault.code, 'peer_aborted');
  assert.deepEqual(downstream.kinds, ['abort']);
  await wasClosed;
  assert.equal(complete, false);
  await forwarder.stop(0);
  await upstream.close();
});

test('an upload that was reset but says that it ended is not complete either', async () => {
  const upstream = await scriptedUpstream(async (connection) => {
    await connection.request();
    connection.send(GOOD);
  });
  const forwarder = forwarderTo('http1', upstream.port);
  const stream = Object.assign(bodyToFeed(), { aborted: false });
  const downstream = new FakeDownstream({ body: { kind: 'stream', stream }, protocol: 'http2' });
  const outcome = outcomeOf(forwarder, downstream, { method: 'POST', body: { kind: 'stream' } });
  stream.push(Buffer.from('part'));
  stream.aborted = true;
  stream.push(null);
  const result = await outcome;
  assert.equal(result.kind === 'aborted' && result.by, 'peer');
  await forwarder.stop(0);
  await upstream.close();
});

test('the reason that the listener has for a broken upload is the one reported', async () => {
  const upstream = await scriptedUpstream(() => {});
  const forwarder = forwarderTo('http1', upstream.port);
  const stream = bodyToFeed();
  const downstream = new FakeDownstream({ body: { kind: 'stream', stream } });
  const outcome = outcomeOf(forwarder, downstream, { method: 'POST', body: { kind: 'stream' } });
  const reason = fault('request_malformed', 'bad chunk');
  stream.on('close', () => downstream.onClosed?.(reason, 'peer'));
  stream.push(Buffer.from('part'));
  while (stream.listenerCount('data') === 0) await new Promise((resolve) => setImmediate(resolve));
  stream.destroy();
  assert.deepEqual(await outcome, { kind: 'aborted', by: 'peer', fault: reason, status: 0, bytesIn: 4, bytesOut: 0 });
  assert.deepEqual(downstream.kinds, []);
  await forwarder.stop(0);
  await upstream.close();
});

test('a peer that is gone when its answer is refused: the outcome says that it was told nothing', async () => {
  const upstream = await scriptedUpstream(wholeAnswer('', closes));
  const forwarder = forwarderTo('http1', upstream.port);
  const downstream = new FakeDownstream({ body: bodyOf('x') });
  downstream.refuse = (_answer, done) =>
    done({ kind: 'aborted', by: 'peer', fault: fault('peer_aborted', ''), status: 0, bytesIn: 0, bytesOut: 0 });
  assertFailed(
    await outcomeOf(forwarder, downstream, { method: 'POST', body: { kind: 'stream' } }),
    'upstream_aborted',
    0,
  );
  await forwarder.stop(0);
  await upstream.close();
});
