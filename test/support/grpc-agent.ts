import type { TestContext } from 'node:test';

import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type MethodDefinition,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

import type { System } from './system.ts';

/** Messages are bytes, on both sides: no schema is needed to carry them. */
export function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function method(path: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

/** Methods of the agent; `Hang` never answers, `Fail` answers with a status, trailers and details. */
export const METHOD = {
  unary: '/test.Agent/Unary',
  download: '/test.Agent/Download',
  upload: '/test.Agent/Upload',
  chat: '/test.Agent/Chat',
  fail: '/test.Agent/Fail',
  hang: '/test.Agent/Hang',
} as const;

/** A gRPC agent of the ordinary kind, and what it saw. */
export type GrpcAgent = {
  readonly port: number;
  /** Calls that reached it. */
  readonly calls: () => number;
  /** Calls of `Hang` that were cancelled from outside. */
  readonly cancelled: () => number;
  /** Metadata of the newest `Unary` call. */
  readonly metadata: () => Metadata;
};

/** Starts one; it ends with the test. */
export async function startGrpcAgent(context: TestContext): Promise<GrpcAgent> {
  let calls = 0;
  let cancelled = 0;
  let metadata = new Metadata();
  const implementation: UntypedServiceImplementation = {
    unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
      calls += 1;
      metadata = call.metadata;
      const first = new Metadata();
      first.set('x-first', 'head');
      first.set('x-first-bin', Buffer.from([0, 255, 1]));
      call.sendMetadata(first);
      const last = new Metadata();
      last.set('x-last', 'tail');
      last.set('x-last-bin', Buffer.from([254, 0, 2]));
      done(null, call.request, last);
    },
    download: (call: ServerWritableStream<Buffer, Buffer>) => {
      calls += 1;
      for (let i = 0; i < Number(call.request.toString()); i += 1) call.write(Buffer.from(`message ${i}`));
      call.end();
    },
    upload: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
      calls += 1;
      let bytes = 0;
      let messages = 0;
      call.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        messages += 1;
      });
      call.on('end', () => done(null, Buffer.from(`${messages} of ${bytes}`)));
    },
    chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
      calls += 1;
      call.on('data', (chunk: Buffer) => call.write(chunk));
      call.on('end', () => call.end());
    },
    fail: (_call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
      calls += 1;
      const last = new Metadata();
      last.set('x-why-bin', Buffer.from([7, 0, 7]));
      done({ code: status.FAILED_PRECONDITION, details: 'not now: 100 % früh', metadata: last });
    },
    hang: (call: ServerUnaryCall<Buffer, Buffer>) => {
      calls += 1;
      call.on('cancelled', () => (cancelled += 1));
    },
  };
  const server = new Server();
  server.addService(
    {
      unary: method(METHOD.unary, false, false),
      download: method(METHOD.download, false, true),
      upload: method(METHOD.upload, true, false),
      chat: method(METHOD.chat, true, true),
      fail: method(METHOD.fail, false, false),
      hang: method(METHOD.hang, false, false),
    },
    implementation,
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  context.after(() => server.forceShutdown());
  return { port, calls: () => calls, cancelled: () => cancelled, metadata: () => metadata };
}

/** An ordinary client with the ordinary peer's certificate; closed with the test. */
export function grpcClient(context: TestContext, system: System): Client {
  const { authority, caller, sidecar } = system;
  const [root, key, chain] = [authority.bundlePem, caller.keyPem, caller.chainPem].map((pem) => Buffer.from(pem));
  const secure = credentials.createSsl(root ?? null, key ?? null, chain ?? null, {
    checkServerIdentity: () => undefined,
  });
  // grpc-js takes no address for a server name.
  const named = { 'grpc.ssl_target_name_override': 'agent.test', 'grpc.default_authority': 'agent.test' };
  const client = new Client(`127.0.0.1:${sidecar.port}`, secure, named);
  context.after(() => client.close());
  return client;
}
