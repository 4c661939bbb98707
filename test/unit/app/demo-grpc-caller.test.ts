import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { loadPackageDefinition, Server, ServerCredentials, status, type GrpcObject } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

import { locateClone } from '../../../src/app/demo-clone.ts';
import { GrpcCaller } from '../../../src/app/demo-grpc-caller.ts';
import { callerAndServer } from '../../support/demo-caller.ts';

import type { Seen } from '../../../src/app/demo-calls.ts';
import type { ServiceClientConstructor } from '@grpc/grpc-js';

/** As far as these handlers look at a call. */
type Call = {
  readonly metadata: { get(name: string): readonly unknown[] };
  on(event: string, heard: (message: object) => void): void;
  write(message: object): void;
  end(): void;
  emit(event: 'error', error: object): void;
};
type Done = (error: object | null, answer?: object) => void;

const CALLS = ['now', 'watch', 'upload', 'converse'] as const;

/** A weather service that hears the traces of its calls, and refuses all of them when `code` is given. */
async function weather(context: TestContext, code?: status) {
  const clone = locateClone();
  assert.ok(clone.ok);
  const { proto } = clone.value;
  const root = loadPackageDefinition(loadSync(proto)) as unknown as { examples: { weather: { v1: GrpcObject } } };
  const { service } = root.examples.weather.v1['Weather'] as ServiceClientConstructor;
  const { caller, tls } = callerAndServer();
  const server = new Server();
  const heard = { traces: new Array<string>(), messages: 0 };
  server.addService(service, handlers(heard, code) as never);
  const pair = { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) };
  const port = await new Promise<number>((resolve, reject) => {
    const secure = ServerCredentials.createSsl(Buffer.from(tls.ca), [pair], true);
    server.bindAsync('127.0.0.1:0', secure, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  const client = new GrpcCaller(caller, port, proto);
  context.after(() => {
    client.close();
    server.forceShutdown();
  });
  return { client, heard, server };
}

function handlers(heard: { traces: string[]; messages: number }, code: status | undefined) {
  const hear = (call: Call): void => void heard.traces.push(String(call.metadata.get('traceparent')[0]));
  const unary = (call: Call, done: Done): void => {
    hear(call);
    done(code === undefined ? null : { code }, {});
  };
  const streaming = (call: Call): void => {
    hear(call);
    if (code !== undefined) return call.emit('error', { code });
    call.write({});
    call.end();
  };
  const uploading = (call: Call, done: Done): void => {
    call.on('data', () => (heard.messages += 1));
    call.on('end', () => unary(call, done));
  };
  const conversing = (call: Call): void => {
    hear(call);
    if (code !== undefined) return call.emit('error', { code });
    call.on('data', () => {
      heard.messages += 1;
      call.write({});
    });
    call.on('end', () => call.end());
  };
  return { Now: unary, Watch: streaming, Upload: uploading, Converse: conversing };
}

test('all four kinds of call are made, each under a trace of its own', async (context) => {
  const { client, heard } = await weather(context);
  const seen: Seen[] = [];
  for (const name of CALLS) seen.push(await client[name]());
  assert.deepEqual(
    seen.map((one) => one.status),
    ['grpc 0', 'grpc 0', 'grpc 0', 'grpc 0'],
  );
  assert.deepEqual(
    heard.traces.map((trace) => trace.slice(3, 35)),
    seen.map(({ traceId }) => traceId),
  );
  assert.equal(heard.messages, 5);
});

for (const name of CALLS) {
  test(`${name}: a refusal is told with its gRPC status`, async (context) => {
    const { client } = await weather(context, status.PERMISSION_DENIED);
    assert.equal((await client[name]()).status, 'grpc 7');
  });
}

test('nobody there is UNAVAILABLE', async (context) => {
  const { client, server } = await weather(context);
  server.forceShutdown();
  assert.equal((await client.now()).status, 'grpc 14');
});
