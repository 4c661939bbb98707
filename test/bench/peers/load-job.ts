import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { buildGo } from './go-build.ts';

/** The Go module of the load and the upstream. */
export const GO_FOLDER = fileURLToPath(new URL('go', import.meta.url));
/** Beyond warm-up and window: opening connections before, waiting for late answers after (10 s). */
const SPARE_SECONDS = 90;

/** A request of a job; they go out in turn, each as often as its weight says. */
export type LoadRequest = {
  readonly method: string;
  /** Path and query, or the full method of a gRPC call. */
  readonly path: string;
  /** Beside `host` (`:authority`), `content-length` and what gRPC prescribes. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Path of the file with the body, for gRPC with the message. Null: no body; for gRPC a message of 51 bytes. */
  readonly bodyFile?: string | null;
  /** Default 200. */
  readonly expectStatus?: number;
  /** gRPC only; default 0. A denial is HTTP status 200 with gRPC status 7. */
  readonly expectGrpcStatus?: number;
  /** Whole number from 1; default 1. */
  readonly weight?: number;
};

/** What the load does: stdin of the Go program `load`, whose `internal/job` reads it and refuses what it does not know. */
export type LoadJob = {
  /** `IP:port`. */
  readonly address: string;
  readonly serverName: string;
  /** Paths of PEM files: what the server's certificate is checked against, our certificate with its chain, its key. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** `grpc-stream`: ping-pong on long streams, a message counts as a request. `handshake`: each request on a new connection, which counts from its dialling. */
  readonly protocol: 'http1' | 'http2' | 'grpc' | 'grpc-stream' | 'handshake';
  readonly connections: number;
  /** Concurrent requests of a connection, HTTP/2 only; default 1. */
  readonly streams?: number;
  readonly requests: readonly LoadRequest[];
  /** Of `grpc-stream`, before the stream is ended and the next begun; default 100. */
  readonly messagesPerStream?: number;
  /**
   * Closed: each connection (stream) asks again as soon as it was answered; latency from the send. Open: starts evenly spaced over all connections
   * together, in turn; latency from the intended start, so that what waits for its busy connection is charged.
   */
  readonly loop: { readonly kind: 'closed' } | { readonly kind: 'open'; readonly perSecond: number };
  /** Of `handshake`: with a ticket of the connection before; one that is not resumed counts as unexpected. */
  readonly resume?: boolean;
  /** Opened before the warm-up, after one answered request each; kept until the end, beside the load. */
  readonly idleConnections?: number;
  /** HTTP/1.1 connections that read answers of `slowPath` at 64 KB a second meanwhile, uncounted. */
  readonly slowReaders?: number;
  readonly slowPath?: string;
  readonly warmupSeconds: number;
  readonly seconds: number;
  /** Processes whose CPU time is read at both ends of the window. */
  readonly pids: readonly number[];
  /** Processes of the harness, say the upstream, that `otherLoad` leaves out as well. */
  readonly helpers?: readonly number[];
};

/** Microseconds. Kept in buckets of at most 0.8 % width; `max` is exact. */
export type Latencies = {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
};

/** What a load measured: one line of the Go program. */
export type LoadResult = {
  /** Answered in the window, right or wrong; in open loop those whose intended start is in it. */
  readonly requests: number;
  /** Answered with another status than expected, or not resumed. */
  readonly unexpected: number;
  readonly firstUnexpected: string | null;
  /** Connections or streams that broke, and what was not answered 10 s after the window. */
  readonly failed: number;
  readonly firstFailure: string | null;
  /** True length of the window. */
  readonly seconds: number;
  /** Answers inside the window a second. */
  readonly perSecond: number;
  /** User and system time of `pids` in the window. */
  readonly cpuMicros: number;
  readonly cpuMicrosPerRequest: number;
  readonly latencyMicros: Latencies;
  /** The load's own error, of sends that had no need to wait for their connection; null in closed loop. */
  readonly lateMicros: { readonly p50: number; readonly p99: number } | null;
  /** The load's own CPU time for each request. */
  readonly ownMicrosPerRequest: number;
  /** Share (0 to 1) of the machine's CPU time used by other processes than `pids`, `helpers` and the load. */
  readonly otherLoad: number;
  /** Idle connections that were closed, and slow readers that had to connect again, before the end. */
  readonly idleClosed: number;
  readonly slowReopened: number;
};

/** Runs a job; `pin` is put before the command (`taskset` words). Throws where the load could not begin, with what it says. */
export async function runLoad(job: LoadJob, pin: readonly string[] = []): Promise<LoadResult> {
  const [command, ...args] = [...pin, await buildGo(GO_FOLDER, 'load')];
  const seconds = job.warmupSeconds + job.seconds + SPARE_SECONDS;
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: seconds * 1_000 });
  // A load that refuses its job does not read it to the end; its exit code tells.
  child.stdin.on('error', () => undefined).end(JSON.stringify(job));
  const [out, complaint, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  if (code !== 0) throw new Error(`load on ${job.address} ended with ${code ?? 'a signal'}: ${complaint.trim()}`);
  return parseLoadResult(out);
}

const NUMBERS = [
  'requests',
  'unexpected',
  'failed',
  'seconds',
  'perSecond',
  'cpuMicros',
  'cpuMicrosPerRequest',
] as const;
const PERCENTILES = ['p50', 'p90', 'p99', 'p999', 'max'] as const;

/** Reads the line of the Go program; throws where it is not what {@link LoadResult} says. */
export function parseLoadResult(line: string): LoadResult {
  const value = JSON.parse(line) as Partial<LoadResult>;
  const missing = [
    ...[...NUMBERS, 'ownMicrosPerRequest', 'otherLoad', 'idleClosed', 'slowReopened'].filter(
      (name) => typeof value[name as 'requests'] !== 'number',
    ),
    ...PERCENTILES.filter((name) => typeof value.latencyMicros?.[name] !== 'number').map(
      (name) => `latencyMicros.${name}`,
    ),
  ];
  if (missing.length > 0) throw new Error(`the load's result lacks ${missing.join(', ')}: ${line.slice(0, 500)}`);
  return value as LoadResult;
}
