import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Permit } from '../../../src/core/gate/permit.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import type { Forwarder } from '../../../src/io/forward/forwarder.ts';
import { type EchoUpstream, startEchoUpstream } from '../../support/echo-upstream.ts';
import { FakeDownstream, FakeRawDownstream, socketPair } from '../../support/fake-downstream.ts';
import { DECISION, forwarderTo, once, permitFor, permitted } from '../../support/forwarding.ts';

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

/** Objects that look like a permit in every way a test of types or properties would see. */
const LOOK_ALIKES: readonly [string, unknown][] = [
  ['a plain object', { decisionId: DECISION, connection: undefined, request: permitted() }],
  ['an object with its prototype', Object.assign(Object.create(Permit.prototype), { request: permitted() })],
  ['a proxy of a real one', new Proxy(permitFor(permitted()), {})],
  ['a permit for a connection', permitFor(undefined)],
  ['nothing', undefined],
];

for (const [name, value] of LOOK_ALIKES) {
  test(`promise 1: ${name} forwards nothing`, async () => {
    const downstream = new FakeDownstream();
    const outcome = await once((done) => forwarder.forward(value as Permit, downstream, done));
    assert.deepEqual(outcome, { kind: 'refused', status: 500, grpcStatus: undefined });
    assert.deepEqual(downstream.kinds, ['refuse']);
    assert.equal(upstream.accepted(), 0);
  });
}

test('promise 1: a permit for a request opens no tunnel', async () => {
  const raw = forwarderTo('tcp', upstream.port);
  const pair = await socketPair();
  const downstream = new FakeRawDownstream(pair.ours);
  const outcome = await once((done) => raw.forwardRaw(permitFor(permitted()), downstream, done));
  assert.deepEqual(outcome, { kind: 'refused', status: 0 });
  assert.equal(downstream.aborted?.code, 'internal_error');
  assert.equal(upstream.accepted(), 0);
  pair.close();
  await raw.stop(0);
});

test('a request for an upstream that takes bytes is refused, and bytes for one that takes requests', async () => {
  const tcp = forwarderTo('tcp', upstream.port);
  const request = await once<Outcome>((done) => tcp.forward(permitFor(permitted()), new FakeDownstream(), done));
  assert.equal(request.kind === 'refused' && request.status, 500);
  const pair = await socketPair();
  const bytes = await once((done) =>
    forwarder.forwardRaw(permitFor(undefined), new FakeRawDownstream(pair.ours), done),
  );
  assert.deepEqual(bytes, { kind: 'refused', status: 0 });
  assert.equal(upstream.accepted(), 0);
  pair.close();
  await tcp.stop(0);
});
