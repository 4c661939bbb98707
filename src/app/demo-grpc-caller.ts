import {
  credentials,
  loadPackageDefinition,
  Metadata,
  status,
  type GrpcObject,
  type StatusObject,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

import { CALL_MS, newTrace, type Seen } from './demo-calls.ts';

import type { Client, ClientDuplexStream, ClientReadableStream, ClientWritableStream } from '@grpc/grpc-js';
import type { CallerIdentity } from './demo-identities.ts';

type Options = { readonly deadline: number };
type Done = (failure: { readonly code: number } | null) => void;

/** The service of `examples/grpc-agent/weather.proto`, as grpc-js makes it. */
type Weather = Client & {
  Now(place: object, metadata: Metadata, options: Options, done: Done): unknown;
  Watch(place: object, metadata: Metadata, options: Options): ClientReadableStream<unknown>;
  Upload(metadata: Metadata, options: Options, done: Done): ClientWritableStream<object>;
  Converse(metadata: Metadata, options: Options): ClientDuplexStream<object, unknown>;
};

/** The official gRPC client, all four kinds of call. */
export class GrpcCaller {
  readonly #client: Weather;

  constructor({ cert, key, ca }: CallerIdentity, port: number, proto: string) {
    const root = loadPackageDefinition(loadSync(proto)) as unknown as { examples: { weather: { v1: GrpcObject } } };
    const Service = root.examples.weather.v1['Weather'] as unknown as new (
      target: string,
      channel: ReturnType<typeof credentials.createSsl>,
    ) => Weather;
    const channel = credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert));
    this.#client = new Service(`localhost:${port}`, channel);
  }

  /** Unary. */
  now(): Promise<Seen> {
    return this.#seen((metadata, options, done) => this.#client.Now({ name: 'Oslo' }, metadata, options, done));
  }

  /** Server streaming. */
  watch(): Promise<Seen> {
    return this.#seen((metadata, options, done) =>
      drain(this.#client.Watch({ name: 'Oslo' }, metadata, options), done),
    );
  }

  /** Client streaming. */
  upload(): Promise<Seen> {
    return this.#seen((metadata, options, done) => {
      const call = this.#client.Upload(metadata, options, done);
      for (const celsius of [18, 20, 22]) call.write({ celsius });
      call.end();
    });
  }

  /** Bidirectional streaming. */
  converse(): Promise<Seen> {
    return this.#seen((metadata, options, done) => {
      const call = this.#client.Converse(metadata, options);
      drain(call, done);
      for (const name of ['Oslo', 'Quito']) call.write({ name });
      call.end();
    });
  }

  close(): void {
    this.#client.close();
  }

  #seen(call: (metadata: Metadata, options: Options, done: Done) => unknown): Promise<Seen> {
    const { traceId, traceparent } = newTrace();
    const metadata = new Metadata();
    metadata.set('traceparent', traceparent);
    return new Promise((resolve) => {
      call(metadata, { deadline: Date.now() + CALL_MS }, (failure) =>
        resolve({ status: `grpc ${failure?.code ?? 0}`, traceId }),
      );
    });
  }
}

/** Reads a stream to its end, which is its status: `end` and `error` come in either order. */
function drain(call: ClientReadableStream<unknown>, done: Done): void {
  call.on('data', () => undefined);
  call.on('error', () => undefined);
  call.on('status', ({ code }: StatusObject) => done(code === status.OK ? null : { code }));
}
