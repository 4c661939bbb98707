import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import { connectHttp1, get, grpcMessage, openEverything, openGrpcStream } from '../support/system-clients.ts';
import { CALLER_ID, OWN_ID, startSystem } from '../support/system.ts';

/** Allows whoever the data names. */
const ALLOWED = `package test.authz

default decision := false

decision if input.sallyport.peer.spiffe_id in data.allowed
`;
const policy = (allowed: readonly string[], revision: string) => ({ rego: ALLOWED, data: { allowed }, revision });
const OTHER_ID = 'spiffe://example.org/other';
const STILL = [CALLER_ID, OTHER_ID];

test('a new policy revision cuts the open streams that it does not allow', { timeout: 60_000 }, async (context) => {
  const upstream = await startEchoUpstream();
  context.after(upstream.close);
  const system = await startSystem(context, {
    upstream: `auto://127.0.0.1:${upstream.port}`,
    policy: policy(STILL, 'one'),
  });
  const { sidecar } = system;
  const other = system.authority.issue({ id: OTHER_ID });
  const spared = await openGrpcStream(context, system, other);
  const open = await openEverything(context, system);

  const at = performance.now();
  await system.setPolicy(policy([OTHER_ID], 'two'));
  await Promise.all(open.map((thing) => thing.ended));
  context.diagnostic(`cut ${Math.round(performance.now() - at)} ms after the revision was written`);

  const records = await sidecar.recordsFrom(0, open.length);
  assert.deepEqual(
    records.map(({ sallyport, bundles }) => [sallyport.outcome.kind, sallyport.outcome.fault, bundles]),
    open.map(() => ['aborted', 'policy_withdrawn', { policy: { revision: 'one' } }]),
    'each record names the revision that had allowed it',
  );
  spared.write(grpcMessage('again'));
  await once(spared, 'data');
  assert.equal((await get(await connectHttp1(context, system, other), '/')).status, 200);
  assert.equal((await get(await connectHttp1(context, system), '/')).status, 403);
  assert.equal(await sidecar.metric('sallyport_policy_info{bundle="policy",revision="two"}'), 1);
});

test('a TCP connection is cut by the revision that withdraws it', { timeout: 60_000 }, async (context) => {
  const upstream = await startEchoUpstream({ tcp: true });
  context.after(upstream.close);
  const system = await startSystem(context, {
    upstream: `tcp://127.0.0.1:${upstream.port}`,
    policy: policy([CALLER_ID], 'one'),
  });
  const peer = await connectRaw({ port: system.sidecar.port, tls: system.tls() });
  context.after(() => peer.close());
  peer.send('hello');
  assert.equal(await peer.exactly(5), 'hello');
  await system.setPolicy(policy([OWN_ID], 'two'));
  await peer.ended;
  const [record, ...more] = await system.sidecar.recordsFrom(0, 1);
  assert.equal(record?.sallyport.outcome.fault, 'policy_withdrawn');
  assert.deepEqual([record.sallyport.outcome.bytes_in, record.sallyport.outcome.bytes_out], [5, 5]);
  assert.deepEqual(more, []);
});
