/**
 * An ordinary gRPC agent: no TLS, no identity, no policy. It knows nothing of Sallyport.
 * `node examples/grpc-agent/server.ts [port]` listens on loopback and prints the port.
 */
import { join } from 'node:path';

import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type GrpcObject,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

type Place = { readonly name: string };
type Report = { readonly place: string; readonly celsius: number };
type Reading = { readonly celsius: number };
type Summary = { readonly readings: number; readonly mean_celsius: number };

const WATCHED_REPORTS = 3;

/** The weather everywhere, made up from the name so that it is the same each time. */
function report(place: Place): Report {
  return { place: place.name, celsius: 10 + (place.name.length % 15) };
}

function now(call: ServerUnaryCall<Place, Report>, done: sendUnaryData<Report>): void {
  done(null, report(call.request));
}

function watch(call: ServerWritableStream<Place, Report>): void {
  for (let i = 0; i < WATCHED_REPORTS; i += 1) call.write(report(call.request));
  call.end();
}

function upload(call: ServerReadableStream<Reading, Summary>, done: sendUnaryData<Summary>): void {
  let readings = 0;
  let sum = 0;
  call.on('data', (reading: Reading) => {
    readings += 1;
    sum += reading.celsius;
  });
  call.on('end', () => done(null, { readings, mean_celsius: readings === 0 ? 0 : sum / readings }));
}

function converse(call: ServerDuplexStream<Place, Report>): void {
  call.on('data', (place: Place) => call.write(report(place)));
  call.on('end', () => call.end());
}

const definition = loadSync(join(import.meta.dirname, 'weather.proto'), { keepCase: true });
const root = loadPackageDefinition(definition) as unknown as { examples: { weather: { v1: GrpcObject } } };
const weather = root.examples.weather.v1['Weather'] as ServiceClientConstructor;

const server = new Server();
server.addService(weather.service, { Now: now, Watch: watch, Upload: upload, Converse: converse });
server.bindAsync(`127.0.0.1:${process.argv[2] ?? '0'}`, ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(JSON.stringify({ listening: port }));
});
process.on('SIGTERM', () => server.forceShutdown());
