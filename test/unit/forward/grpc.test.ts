import assert from 'node:assert/strict';
import { once as event } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';

import * as grpc from '@grpc/grpc-js';

import { fault } from '../../../src/core/model/faults.ts';
import type { Forwarder } from '../../../src/io/forward/forwarder.ts';
import { permitted, permitFor, forwarderTo } from '../../support/forwarding.ts';
import { StreamDownstream } from '../../support/stream-downstream.ts';

/** Messages are text; what a service means by them is its own affair. */
const text = {
  requestSerialize: (value: string) => Buffer.from(value),
  requestDeserialize: (bytes: Buffer) => bytes.toString(),
  responseSerialize: (value: string) => Buffer.from(value),
  responseDeserialize: (bytes: Buffer) => bytes.toString(),
};
const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
  path,
  requestStream,
  responseStream,
  ...text,
});

const SERVICE = {
  unary: method('/t.T/Unary', false, false),
  list: method('/t.T/List', false, true),
  sum: method('/t.T/Sum', true, false),
  chat: method('/t.T/Chat', true, true),
};

const IMPLEMENTATION: grpc.UntypedServiceImplementation = {
  unary: (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) => {
    if (call.request === 'fail') done({ code: grpc.status.NOT_FOUND, details: 'no such thing' });
    else if (call.request === 'hang') call.on('cancelled', () => cancelled.resolve());
    else done(null, `${call.request}!`);
  },
  list: (call: grpc.ServerWritableStream<string, string>) => {
    for (const each of call.request.split(' ')) call.write(each);
    call.end();
  },
  sum: (call: grpc.ServerReadableStream<string, string>, done: grpc.sendUnaryData<string>) => {
    let sum = '';
    call.on('data', (each: string) => (sum += each));
    call.on('end', () => done(null, sum));
  },
  chat: (call: grpc.ServerDuplexStream<string, string>) => {
    call.on('data', (each: string) => call.write(each.toUpperCase()));
    call.on('end', () => call.end());
  },
};

const cancelled = Promise.withResolvers<void>();
const agent = new grpc.Server();
let forwarder: Forwarder;
let front: Http2Server;
let client: grpc.Client;

/** A gRPC client, a front of node:http2 without TLS, the forwarder, an ordinary gRPC server: only the gate is missing. */
before(async () => {
  agent.addService(SERVICE, IMPLEMENTATION);
  const port = await new Promise<number>((resolve, reject) => {
    agent.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  forwarder = forwarderTo('h2c', port);
  front = createServer();
  front.on('stream', (stream: ServerHttp2Stream, _headers, _flags, raw: string[]) => forwardCall(stream, raw));
  front.listen(0, '127.0.0.1');
  await event(front, 'listening');
  client = new grpc.Client(`127.0.0.1:${(front.address() as AddressInfo).port}`, grpc.credentials.createInsecure());
});

after(async () => {
  client.close();
  front.close();
  agent.forceShutdown();
  await forwarder.stop(0);
});

function forwardCall(stream: ServerHttp2Stream, raw: readonly string[]): void {
  const pseudo = raw.findIndex((name, at) => at % 2 === 0 && !name.startsWith(':'));
  const target = raw[raw.indexOf(':path') + 1] ?? '';
  const permit = permitFor(
    permitted({ style: 'grpc', method: 'POST', target, headers: raw.slice(pseudo), body: { kind: 'stream' } }),
  );
  const downstream = new StreamDownstream(stream);
  stream.on('aborted', () => downstream.onClosed?.(fault('peer_aborted', 'reset'), 'peer'));
  forwarder.forward(permit, downstream, () => {});
}

const call = (name: keyof typeof SERVICE): [string, (value: string) => Buffer, (bytes: Buffer) => string] => [
  SERVICE[name].path,
  text.requestSerialize,
  text.responseDeserialize,
];

test('a real gRPC client and server: unary', async () => {
  const answer = await new Promise<string | undefined>((resolve, reject) => {
    client.makeUnaryRequest(...call('unary'), 'hello', (error, value) =>
      error === null ? resolve(value) : reject(error),
    );
  });
  assert.equal(answer, 'hello!');
});

test('a real gRPC client and server: status and message of the agent arrive', async () => {
  const error = await new Promise<grpc.ServiceError | null>((resolve) => {
    client.makeUnaryRequest(...call('unary'), 'fail', resolve);
  });
  assert.equal(error?.code, grpc.status.NOT_FOUND);
  assert.equal(error?.details, 'no such thing');
});

test('a real gRPC client and server: server streaming', async () => {
  const messages: string[] = [];
  const stream = client.makeServerStreamRequest(...call('list'), 'one two three');
  stream.on('data', (each: string) => messages.push(each));
  await event(stream, 'end');
  assert.deepEqual(messages, ['one', 'two', 'three']);
});

test('a real gRPC client and server: client streaming', async () => {
  const answer = await new Promise<string | undefined>((resolve, reject) => {
    const stream = client.makeClientStreamRequest(...call('sum'), (error, value) =>
      error === null ? resolve(value) : reject(error),
    );
    for (const each of ['a', 'b', 'c']) stream.write(each);
    stream.end();
  });
  assert.equal(answer, 'abc');
});

test('a real gRPC client and server: bidirectional streaming, one message at a time', async () => {
  const stream = client.makeBidiStreamRequest(...call('chat'));
  for (const each of ['x', 'yy', 'zzz']) {
    stream.write(each);
    const [answer] = await event(stream, 'data');
    assert.equal(answer, each.toUpperCase());
  }
  stream.end();
  stream.resume();
  await event(stream, 'end');
});

test('a real gRPC client and server: a message of a megabyte', async () => {
  const large = 'm'.repeat(1_000_000);
  const answer = await new Promise<string | undefined>((resolve, reject) => {
    client.makeUnaryRequest(...call('unary'), large, (error, value) =>
      error === null ? resolve(value) : reject(error),
    );
  });
  assert.equal(answer, `${large}!`);
});

test('a real gRPC client and server: cancellation reaches the agent', async () => {
  const pending = client.makeUnaryRequest(...call('unary'), 'hang', () => {});
  await new Promise((resolve) => setTimeout(resolve, 30));
  pending.cancel();
  await cancelled.promise;
});
