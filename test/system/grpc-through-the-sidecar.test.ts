import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Http2Stream, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';

import { Metadata, status, type Client, type ServiceError, type StatusObject } from '@grpc/grpc-js';

import type { DecisionRecord } from '../../src/core/model/record.ts';
import { asIs, grpcClient, METHOD, startGrpcAgent, type GrpcAgent } from '../support/grpc-agent.ts';
import { answer, ask, connectHttp2, grpcHead, grpcMessage } from '../support/system-clients.ts';
import { startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';

/** The real process before a grpc-js agent, called by a grpc-js client. Methods below `test.Refused` are refused. */
const POLICY = `package test.authz

default decision := false

decision if input.parsed_path[0] != "test.Refused"
`;

type UnaryAnswer = {
  readonly error: ServiceError | null;
  readonly value: Buffer | undefined;
  readonly first: Metadata;
  readonly last: StatusObject;
};

function unary(client: Client, path: string, message: Buffer, metadata = new Metadata()): Promise<UnaryAnswer> {
  return new Promise((resolve) => {
    let first = new Metadata();
    let outcome: { readonly error: ServiceError | null; readonly value: Buffer | undefined } | undefined;
    let last: StatusObject | undefined;
    const finish = (): void => {
      if (outcome !== undefined && last !== undefined) resolve({ ...outcome, first, last });
    };
    const call = client.makeUnaryRequest(path, asIs, asIs, message, metadata, (error, value) => {
      outcome = { error, value };
      finish();
    });
    call.on('metadata', (each) => (first = each));
    call.on('status', (each) => {
      last = each;
      finish();
    });
  });
}

async function collected(call: AsyncIterable<Buffer>): Promise<readonly string[]> {
  const messages: string[] = [];
  for await (const message of call) messages.push(message.toString());
  return messages;
}

/** What a call of any kind ends with when it is refused. */
function refusedCode(call: { on(event: 'status', heard: (last: StatusObject) => void): unknown }): Promise<number> {
  return new Promise((resolve) => call.on('status', ({ code }) => resolve(code)));
}

const facts = ({ sallyport: { verdict, fault, outcome } }: DecisionRecord): unknown => [
  verdict,
  fault,
  outcome.kind,
  outcome.fault,
  outcome.grpc_status,
];

async function fourKinds(client: Client, agent: GrpcAgent): Promise<void> {
  const metadata = new Metadata();
  metadata.set('x-asked', 'text');
  metadata.set('x-asked-bin', Buffer.from([0, 200, 3]));
  const one = await unary(client, METHOD.unary, Buffer.from('hello'), metadata);
  assert.equal(one.error, null);
  assert.equal(one.value?.toString(), 'hello');
  assert.deepEqual(agent.metadata().get('x-asked'), ['text']);
  assert.deepEqual(agent.metadata().get('x-asked-bin'), [Buffer.from([0, 200, 3])]);
  assert.deepEqual([one.first.get('x-first'), one.first.get('x-first-bin')], [['head'], [Buffer.from([0, 255, 1])]]);
  assert.deepEqual(
    [one.last.metadata.get('x-last'), one.last.metadata.get('x-last-bin')],
    [['tail'], [Buffer.from([254, 0, 2])]],
  );

  const download = await collected(client.makeServerStreamRequest(METHOD.download, asIs, asIs, Buffer.from('3')));
  assert.deepEqual(download, ['message 0', 'message 1', 'message 2']);

  const upload = await new Promise<Buffer | undefined>((resolve, reject) => {
    const call = client.makeClientStreamRequest(METHOD.upload, asIs, asIs, (error, value) => {
      if (error === null) resolve(value);
      else reject(error);
    });
    for (const part of ['a', 'bb', 'ccc']) call.write(Buffer.from(part));
    call.end();
  });
  assert.equal(upload?.toString(), '3 of 6');

  const chat = client.makeBidiStreamRequest(METHOD.chat, asIs, asIs);
  for (const word of ['one', 'two']) {
    chat.write(Buffer.from(word));
    const [back] = (await once(chat, 'data')) as [Buffer];
    assert.equal(back.toString(), word, 'an answer comes while the request goes on');
  }
  chat.end();
  const [last] = (await once(chat, 'status')) as [StatusObject];
  assert.equal(last.code, status.OK);
}

async function refusals(client: Client, system: System, agent: GrpcAgent): Promise<void> {
  const before = system.sidecar.records().length;
  const reached = agent.calls();
  const path = '/test.Refused/Method';
  const serverStream = client.makeServerStreamRequest(path, asIs, asIs, Buffer.from('x'));
  const clientStream = client.makeClientStreamRequest(path, asIs, asIs, () => undefined);
  const duplex = client.makeBidiStreamRequest(path, asIs, asIs);
  serverStream.on('error', () => undefined).resume();
  duplex.on('error', () => undefined).resume();
  clientStream.on('error', () => undefined);
  clientStream.write(Buffer.from('not for the agent'));
  duplex.write(Buffer.from('not for the agent'));
  const codes = await Promise.all([
    unary(client, path, Buffer.from('x')).then(({ error }) => error?.code),
    refusedCode(serverStream),
    refusedCode(clientStream),
    refusedCode(duplex),
  ]);
  assert.deepEqual(codes, [7, 7, 7, 7]);
  assert.equal(agent.calls(), reached, 'none of them reached the agent');
  const records = await system.sidecar.recordsFrom(before, 4);
  assert.deepEqual(
    records.map(facts),
    records.map(() => ['deny', 'policy_denied', 'refused', undefined, 7]),
  );
}

async function ordinaryCalls(context: TestContext, scheme: 'h2c' | 'auto'): Promise<void> {
  const agent = await startGrpcAgent(context);
  const system = await startSystem(context, { upstream: `${scheme}://127.0.0.1:${agent.port}`, policy: POLICY });
  const { sidecar } = system;
  const client = grpcClient(context, system);

  await context.test('all four kinds of call, with metadata both ways', async () => {
    await fourKinds(client, agent);
    const records = await sidecar.recordsFrom(0, 4);
    assert.deepEqual(
      records.map(facts),
      records.map(() => ['allow', undefined, 'forwarded', undefined, 0]),
    );
    assert.equal(
      await sidecar.metric('sallyport_requests_total{direction="inbound",style="grpc",verdict="allow",fault="none"}'),
      4,
    );
  });

  await context.test('all four kinds refused: status 7, and nothing reaches the agent', async () => {
    await refusals(client, system, agent);
  });

  await context.test("the agent's own error passes with its details and trailers", async () => {
    const before = sidecar.records().length;
    const { error, last } = await unary(client, METHOD.fail, Buffer.alloc(0));
    assert.deepEqual([error?.code, error?.details], [status.FAILED_PRECONDITION, 'not now: 100 % früh']);
    assert.deepEqual(last.metadata.get('x-why-bin'), [Buffer.from([7, 0, 7])]);
    const [record] = await sidecar.recordsFrom(before, 1);
    assert.deepEqual(record && facts(record), ['allow', undefined, 'forwarded', undefined, status.FAILED_PRECONDITION]);
  });

  await context.test('a message of one megabyte each way', async () => {
    const before = sidecar.records().length;
    const message = Buffer.alloc(1_048_576, 'large');
    const { error, value } = await unary(client, METHOD.unary, message);
    assert.equal(error, null);
    assert.ok(value?.equals(message));
    const [record] = await sidecar.recordsFrom(before, 1);
    const { bytes_in: bytesIn, bytes_out: bytesOut } = record?.sallyport.outcome ?? {};
    assert.deepEqual([bytesIn, bytesOut], [message.length + 5, message.length + 5]);
  });

  await context.test('300 calls at once, more than one connection may hold', async () => {
    const before = sidecar.records().length;
    const words = Array.from({ length: 300 }, (_, i) => `call ${i}`);
    const answers = await Promise.all(words.map((word) => unary(client, METHOD.unary, Buffer.from(word))));
    assert.deepEqual(
      answers.map(({ value }) => value?.toString()),
      words,
    );
    assert.equal((await sidecar.recordsFrom(before, 300)).length, 300);
  });

  await context.test("the client's cancellation reaches the agent", async () => {
    const before = sidecar.records().length;
    const [calls, cancelled] = [agent.calls(), agent.cancelled()];
    const call = client.makeUnaryRequest(METHOD.hang, asIs, asIs, Buffer.alloc(0), () => undefined);
    await until('the call at the agent', () => agent.calls() > calls);
    call.cancel();
    await until('the cancellation at the agent', () => agent.cancelled() > cancelled);
    const [record] = await sidecar.recordsFrom(before, 1);
    assert.deepEqual(record && facts(record), ['allow', undefined, 'aborted', 'peer_aborted', undefined]);
    assert.equal(
      (await unary(client, METHOD.unary, Buffer.from('on'))).value?.toString(),
      'on',
      'its connection goes on',
    );
    await sidecar.recordsFrom(before, 2);
  });

  await context.test("the client's deadline reaches the agent", async () => {
    const before = sidecar.records().length;
    const cancelled = agent.cancelled();
    const error = await new Promise<ServiceError | null>((resolve) => {
      const options = { deadline: Date.now() + 300 };
      client.makeUnaryRequest(METHOD.hang, asIs, asIs, Buffer.alloc(0), new Metadata(), options, resolve);
    });
    assert.equal(error?.code, status.DEADLINE_EXCEEDED);
    await until('the end of the call at the agent', () => agent.cancelled() > cancelled);
    // Client, sidecar and agent all keep the deadline: who is first decides how the record calls it.
    const [record, ...more] = await sidecar.recordsFrom(before, 1);
    assert.ok(['forwarded', 'aborted', 'upstream-failed'].includes(record?.sallyport.outcome.kind ?? ''));
    assert.deepEqual(more, []);
  });
}

for (const scheme of ['h2c', 'auto'] as const)
  test(`gRPC before an agent at ${scheme}://`, { timeout: 60_000 }, (context) => ordinaryCalls(context, scheme));

test(
  'a deadline is ours to keep when the agent does not: status 4, and the agent is reset',
  { timeout: 60_000 },
  async (context) => {
    const reached = Promise.withResolvers<{
      readonly stream: Http2Stream;
      readonly headers: IncomingHttpHeaders;
    }>();
    const agent = createServer();
    agent.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      reached.resolve({ stream, headers });
    });
    agent.listen(0, '127.0.0.1');
    await once(agent, 'listening');
    context.after(() => agent.close());
    const system = await startSystem(context, {
      upstream: `h2c://127.0.0.1:${(agent.address() as AddressInfo).port}`,
      policy: POLICY,
    });
    const session = await connectHttp2(context, system);
    const stream = ask(session, { ...grpcHead('/test.Agent/Silent'), 'grpc-timeout': '100m' }, false);
    const answered = answer(stream);
    stream.write(grpcMessage('anybody?'));
    const { stream: atAgent, headers } = await reached.promise;
    assert.equal(headers['grpc-timeout'], '100m', 'the agent is told the same deadline');
    const { headers: head, trailers } = await answered;
    assert.equal(head[':status'], 200);
    assert.equal({ ...head, ...trailers }['grpc-status'], '4');
    if (!atAgent.closed) await once(atAgent, 'close');
    assert.equal(atAgent.rstCode, 8, 'CANCEL');
    const [record, ...more] = await system.sidecar.recordsFrom(0, 1);
    assert.deepEqual(record && facts(record), ['allow', undefined, 'upstream-failed', 'upstream_timeout', 4]);
    assert.deepEqual(more, []);
  },
);

test('an agent that is not there: status 14, and the record says so', { timeout: 60_000 }, async (context) => {
  // tcpmux: nobody serves it.
  const system = await startSystem(context, { upstream: 'h2c://127.0.0.1:1', policy: POLICY });
  const { error } = await unary(grpcClient(context, system), METHOD.unary, Buffer.from('x'));
  assert.equal(error?.code, status.UNAVAILABLE);
  const [record] = await system.sidecar.recordsFrom(0, 1);
  assert.deepEqual(record && facts(record), ['allow', undefined, 'upstream-failed', 'upstream_unreachable', 14]);
});
