import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import type { DecisionRecord } from '../../src/core/model/record.ts';
import { startEchoUpstream, type EchoUpstream } from '../support/echo-upstream.ts';
import { answer, ask } from '../support/system-clients.ts';
import { ALLOW_ALL } from '../support/system.ts';
import {
  PLANNER_ID,
  RESEARCHER_HOST,
  RESEARCHER_ID,
  startPair,
  type Pair,
  type PairOptions,
} from '../support/two-sidecars.ts';

/** Nothing but what is named may be called: outbound by the planner, inbound at the researcher. */
const POLICY = `package test.authz

default decision := false

decision if {
	input.sallyport.direction == "outbound"
	input.source_principal == "${PLANNER_ID}"
	input.attributes.destination.principal == "${RESEARCHER_ID}"
	input.sallyport.destination.name == "${RESEARCHER_HOST}"
	input.parsed_path[0] != "kept"
}

decision if {
	input.sallyport.direction == "inbound"
	input.source_principal == "${PLANNER_ID}"
	input.parsed_path[0] != "refused"
}
`;

const TRACE = '0af7651916cd43dd8448eb211c80319c';

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string };

/** A call as an agent makes it: plain HTTP to the sidecar's listener. */
function call(port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, agent: false, headers: { host: RESEARCHER_HOST, ...headers } },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      },
    );
    sent.on('error', reject).end();
  });
}

async function pair(
  context: TestContext,
  options: Partial<PairOptions> = {},
): Promise<Pair & { readonly agent: EchoUpstream }> {
  const agent = await startEchoUpstream();
  context.after(() => agent.close());
  return {
    ...(await startPair(context, { upstream: `auto://127.0.0.1:${agent.port}`, policy: POLICY, ...options })),
    agent,
  };
}

/** The one record of each side. */
async function both({ planner, researcher }: Pair): Promise<readonly [DecisionRecord, DecisionRecord]> {
  const [outbound] = await planner.sidecar.recordsFrom(0, 1);
  const [inbound] = await researcher.sidecar.recordsFrom(0, 1);
  assert.ok(outbound !== undefined && inbound !== undefined);
  return [outbound, inbound];
}

test('one call, two decisions, one trace: each side says who the other was', async (context) => {
  const sides = await pair(context);
  const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;
  const { status, body } = await call(sides.port, '/find?q=x', { traceparent });
  assert.equal(status, 200, body);
  const [outbound, inbound] = await both(sides);
  assert.deepEqual([outbound.trace_id, inbound.trace_id], [TRACE, TRACE]);
  assert.notEqual(outbound.span_id, inbound.span_id);
  assert.deepEqual(
    [outbound.sallyport.direction, outbound.sallyport.verdict, inbound.sallyport.direction, inbound.sallyport.peer],
    ['outbound', 'allow', 'inbound', PLANNER_ID],
  );
  const { destination } = outbound.sallyport;
  assert.equal(destination?.name, RESEARCHER_HOST);
  assert.equal(destination.peer?.spiffe_id, RESEARCHER_ID);
});

test('an agent that knows a proxy only: absolute form', async (context) => {
  const sides = await pair(context);
  const { status, body } = await call(sides.port, `http://${RESEARCHER_HOST}/find`);
  assert.equal(status, 200, body);
  const [outbound] = await both(sides);
  assert.equal(outbound.sallyport.verdict, 'allow');
});

test('HTTP/2 with prior knowledge', async (context) => {
  const sides = await pair(context);
  const session = connect(`http://127.0.0.1:${sides.port}`);
  context.after(() => session.destroy());
  const head = { ':method': 'GET', ':path': '/find', ':scheme': 'http', ':authority': RESEARCHER_HOST };
  const { headers } = await answer(ask(session, head));
  assert.equal(headers[':status'], 200);
  await both(sides);
});

test('what the own side refuses never leaves; what the other side refuses is its answer', async (context) => {
  const sides = await pair(context);
  assert.equal((await call(sides.port, '/kept')).status, 403);
  assert.equal((await call(sides.port, '/refused')).status, 403);
  const [kept, refused] = await sides.planner.sidecar.recordsFrom(0, 2);
  assert.deepEqual([kept?.sallyport.verdict, refused?.sallyport.verdict], ['deny', 'allow']);
  const [other, ...none] = await sides.researcher.sidecar.recordsFrom(0, 1);
  assert.deepEqual([other?.sallyport.verdict, none], ['deny', []]);
});

test('a host that nobody named is refused before any policy', async (context) => {
  const sides = await pair(context);
  const unknown = await call(sides.port, '/', { host: 'elsewhere.internal' });
  const [record] = await sides.planner.sidecar.recordsFrom(0, 1);
  assert.deepEqual([unknown.status, record?.sallyport.fault, record?.path], [403, 'destination_unknown', '']);
});

test('a host behind which somebody else stands gets no byte', async (context) => {
  const destination = { id: 'spiffe://example.org/somebody-else' };
  const sides = await pair(context, { destination, policy: ALLOW_ALL });
  const imposter = await call(sides.port, '/find');
  assert.ok(!imposter.body.includes(RESEARCHER_ID), 'the agent is told no more than that it failed');
  const [record] = await sides.planner.sidecar.recordsFrom(0, 1);
  const outcome = record?.sallyport.outcome;
  assert.deepEqual(
    [imposter.status, outcome?.kind, outcome?.fault],
    [502, 'upstream-failed', 'destination_identity_mismatch'],
  );
  assert.equal(sides.agent.received.length, 0);
});

function basic(secret: string): Record<string, string> {
  return { 'proxy-authorization': `Basic ${Buffer.from(`agent:${secret}`).toString('base64')}` };
}

test('a listener with a token: a call without it is refused, and the token stays here', async (context) => {
  const token = randomBytes(16).toString('hex');
  const sides = await pair(context, { outbound: { token: 'token' }, files: { token } });
  assert.equal((await call(sides.port, '/find')).status, 407);
  assert.equal((await call(sides.port, '/find', basic('0'.repeat(32)))).status, 407);
  assert.equal((await call(sides.port, '/find', basic(token))).status, 200);
  const records = await sides.planner.sidecar.recordsFrom(0, 3);
  assert.deepEqual(
    records.map(({ sallyport }) => sallyport.fault),
    ['caller_refused', 'caller_refused', undefined],
  );
  assert.ok(!JSON.stringify(records).includes(token));
  const { headers } = await sides.agent.next();
  assert.ok(!headers.some((text) => text.toLowerCase().startsWith('proxy-')));
});

test('a unix socket: the agent calls on it as on a port', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'sp-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'out.sock');
  const sides = await pair(context, { outbound: { listen: `unix://${path}` } });
  const status = await new Promise((resolve, reject) => {
    const sent = request(
      { socketPath: path, path: '/find', agent: false, headers: { host: RESEARCHER_HOST } },
      (response) => resolve(response.resume().statusCode),
    );
    sent.on('error', reject).end();
  });
  assert.equal(status, 200);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await both(sides);
});
