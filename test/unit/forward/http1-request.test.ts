import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import type { Forwarder } from '../../../src/io/forward/forwarder.ts';
import { type EchoUpstream, startEchoUpstream } from '../../support/echo-upstream.ts';
import { bodyOf, bodyToFeed, FakeDownstream } from '../../support/fake-downstream.ts';
import { forwarderTo, outcomeOf } from '../../support/forwarding.ts';
import { scriptedUpstream } from '../../support/scripted-upstream.ts';

let upstream: EchoUpstream;
let forwarder: Forwarder;

before(async () => {
  upstream = await startEchoUpstream();
  forwarder = forwarderTo('http1', upstream.port);
});

after(async () => {
  await forwarder.stop(0);
  await upstream.close();
});

/** Fields that every request of ours has first: Host as decided on, and our own connection's option. */
const OURS = ['host', 'agent.internal', 'connection', 'keep-alive'];

test('the request line and the fields are those of the permit, in order, with duplicates and byte for byte', async () => {
  const headers = ['x-b', '1', 'accept', 'a', 'x-b', '2', 'x-latin', 'caf\u00e9 \u00ff', 'accept', 'b', 'x-empty', ''];
  await outcomeOf(forwarder, new FakeDownstream(), { target: '/a%2Fb;c=1?d=%00&&e', headers });
  const received = await upstream.next();
  assert.equal(received.requestLine, 'GET /a%2Fb;c=1?d=%00&&e HTTP/1.1');
  assert.deepEqual(received.headers, [...OURS, ...headers]);
  assert.equal(received.body.length, 0);
});

test('RFC 9110 7.2: Host is the authority that was decided on', async () => {
  await outcomeOf(forwarder, new FakeDownstream(), { authority: 'other.example:8443' });
  assert.deepEqual((await upstream.next()).headers.slice(0, 2), ['host', 'other.example:8443']);
});

test('RFC 9110 10.1.4: te is about one connection and is not sent on over HTTP/1.1', async () => {
  await outcomeOf(forwarder, new FakeDownstream(), { headers: ['te', 'trailers', 'x-a', '1'] });
  assert.deepEqual((await upstream.next()).headers, [...OURS, 'x-a', '1']);
});

test('RFC 9113 8.2.3: cookie crumbs of HTTP/2 become one field, where the first stood', async () => {
  const headers = ['cookie', 'a=1', 'x-a', '1', 'cookie', 'b=2', 'cookie', 'c=3'];
  await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }), { headers });
  assert.deepEqual((await upstream.next()).headers, [...OURS, 'cookie', 'a=1; b=2; c=3', 'x-a', '1']);
});

test('a body of announced length keeps its length', async () => {
  const downstream = new FakeDownstream({ body: bodyOf('hello ', 'world') });
  const outcome = await outcomeOf(forwarder, downstream, {
    method: 'POST',
    headers: ['content-type', 'text/plain', 'content-length', '11'],
    body: { kind: 'length', bytes: 11 },
  });
  const received = await upstream.next();
  assert.deepEqual(received.headers, [...OURS, 'content-type', 'text/plain', 'content-length', '11']);
  assert.equal(received.body.toString(), 'hello world');
  assert.equal(outcome.kind === 'forwarded' && outcome.bytesIn, 11);
});

test('RFC 9112 7.1: a body of unknown length is sent chunked, and once only', async () => {
  const downstream = new FakeDownstream({ protocol: 'http2', body: bodyOf('abc', 'de') });
  await outcomeOf(forwarder, downstream, { method: 'PUT', body: { kind: 'stream' } });
  const received = await upstream.next();
  assert.deepEqual(received.headers, [...OURS, 'transfer-encoding', 'chunked']);
  assert.equal(received.body.toString(), 'abcde');
});

test('RFC 9110 6.5: trailers of the request, which no policy saw, are dropped', async () => {
  await outcomeOf(forwarder, new FakeDownstream({ body: bodyOf('abc') }), { method: 'POST', body: { kind: 'stream' } });
  assert.deepEqual((await upstream.next()).trailers, []);
});

test('a body that was held for the policy is sent from memory with its length', async () => {
  const downstream = new FakeDownstream({ body: { kind: 'bytes', bytes: Buffer.from('{"a":1}') } });
  const headers = ['content-type', 'application/json'];
  const outcome = await outcomeOf(forwarder, downstream, { method: 'POST', headers, body: { kind: 'stream' } });
  const received = await upstream.next();
  assert.deepEqual(received.headers, [...OURS, ...headers, 'content-length', '7']);
  assert.equal(received.body.toString(), '{"a":1}');
  assert.equal(outcome.kind === 'forwarded' && outcome.bytesIn, 7);
});

test('RFC 9110 8.6: a request without a body has no framing, but for methods that could have had one', async () => {
  await outcomeOf(forwarder, new FakeDownstream(), { method: 'DELETE' });
  assert.deepEqual((await upstream.next()).headers, OURS);
  await outcomeOf(forwarder, new FakeDownstream(), { method: 'POST' });
  assert.deepEqual((await upstream.next()).headers, [...OURS, 'content-length', '0']);
});

test('RFC 9110 9.3.1: a body on GET is passed on as it was decided on', async () => {
  const downstream = new FakeDownstream({ body: bodyOf('q') });
  await outcomeOf(forwarder, downstream, { headers: ['content-length', '1'], body: { kind: 'length', bytes: 1 } });
  assert.equal((await upstream.next()).body.toString(), 'q');
});

test('RFC 9110 10.1.1: 100 is sent when the agent is there and the body is wanted, and Expect is not sent on', async () => {
  const stream = bodyToFeed();
  const downstream = new FakeDownstream({ body: { kind: 'stream', stream } });
  const outcome = outcomeOf(forwarder, downstream, {
    method: 'POST',
    headers: ['content-length', '2'],
    body: { kind: 'length', bytes: 2 },
    expectContinue: true,
  });
  await downstream.until(({ kinds }) => kinds.length > 0);
  assert.deepEqual(downstream.kinds, ['continue']);
  stream.push(Buffer.from('ok'));
  stream.push(null);
  assert.equal((await outcome).kind, 'forwarded');
  assert.deepEqual((await upstream.next()).headers, [...OURS, 'content-length', '2']);
});

test('RFC 9110 10.1.1: no 100 for a body that cannot be delivered', async () => {
  const closed = await scriptedUpstream(() => {});
  await closed.close();
  const unreachable = forwarderTo('http1', closed.port);
  const downstream = new FakeDownstream({ body: { kind: 'stream', stream: bodyToFeed() } });
  const outcome = await outcomeOf(unreachable, downstream, {
    method: 'POST',
    body: { kind: 'stream' },
    expectContinue: true,
  });
  assert.deepEqual(downstream.kinds, ['refuse']);
  assert.equal(outcome.kind === 'upstream-failed' && outcome.fault.code, 'upstream_unreachable');
  await unreachable.stop(0);
});

test('RFC 9110 9.3.7: OPTIONS * cannot be spoken through undici, so it is refused and nothing is sent', async () => {
  const before = upstream.received.length;
  const downstream = new FakeDownstream();
  const outcome = await outcomeOf(forwarder, downstream, { method: 'OPTIONS', target: '*' });
  assert.deepEqual(downstream.kinds, ['refuse']);
  assert.equal(outcome.kind === 'upstream-failed' && outcome.status, 400);
  assert.equal(upstream.received.length, before);
});

test('connections are kept and used again', async () => {
  const own = await startEchoUpstream();
  const one = forwarderTo('http1', own.port);
  for (let i = 0; i < 5; i++) await outcomeOf(one, new FakeDownstream());
  // undici counts a connection as free only at the end of the loop turn, so requests without a pause between them alternate over two.
  assert.ok(own.accepted() <= 2);
  assert.equal(own.received.length, 5);
  await one.stop(0);
  await own.close();
});

test('an agent on a unix socket', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-forward-'));
  const path = join(folder, 'agent.sock');
  const own = await startEchoUpstream({ path });
  const unix = forwarderTo('http1', path);
  assert.equal(await unix.ready(), true);
  const outcome = await outcomeOf(unix, new FakeDownstream(), { target: '/here' });
  assert.equal(outcome.kind, 'forwarded');
  assert.equal((await own.next()).requestLine, 'GET /here HTTP/1.1');
  await unix.stop(0);
  await own.close();
  await rm(folder, { recursive: true });
});
