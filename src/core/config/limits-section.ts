import { DEFAULT_LIMITS } from '../model/limits.ts';
import { count, duration, section, size } from './fields.ts';
import { formatDuration, formatSize } from '../kernel/units.ts';

import type { Limits } from '../model/limits.ts';

const D = DEFAULT_LIMITS;
const KIB = 1_024;
const MIB = 1_048_576;
const GIB = 1_073_741_824;
const DAY = 86_400_000;

/** `inbound[].limits`: every bound of `core/model/limits.ts`; durations lose their `Ms`. HTTP/2 windows as RFC 9113 6.9.1 allows. */
export const limitsSection = section({
  connections: count(1, 1_000_000)
    .prefault(D.connections)
    .describe('Open connections of this listener; further ones are closed with a record.'),
  handshakeTimeout: duration(100, DAY)
    .prefault(formatDuration(D.handshakeTimeoutMs))
    .describe('From accept to the end of the TLS handshake.'),
  headTimeout: duration(100, DAY)
    .prefault(formatDuration(D.headTimeoutMs))
    .describe('From the first byte of a request head to its end.'),
  idleTimeout: duration(100)
    .prefault(formatDuration(D.idleTimeoutMs))
    .describe('A connection with no request under way.'),
  streamIdleTimeout: duration(100, undefined, true)
    .prefault(formatDuration(D.streamIdleTimeoutMs))
    .describe('A request with no byte moving in either direction; `0s`: no bound.'),
  requestTimeout: duration(100, undefined, true)
    .prefault(formatDuration(D.requestTimeoutMs))
    .describe('A whole request, body included; gRPC, WebSocket and TCP are exempt; `0s`: no bound.'),
  upstreamTimeout: duration(100, undefined, true)
    .prefault(formatDuration(D.upstreamTimeoutMs))
    .describe("From forwarding to the head of the agent's answer; gRPC, WebSocket and TCP are exempt; `0s`: no bound."),
  upstreamConnectTimeout: duration(10, DAY)
    .prefault(formatDuration(D.upstreamConnectTimeoutMs))
    .describe('To connect to the agent.'),
  headerBytes: size(KIB, MIB)
    .prefault(formatSize(D.headerBytes))
    .describe('Names and values of a request head, and 32 bytes a field (RFC 7541 4.1).'),
  headerCount: count(8, 1_000).prefault(D.headerCount).describe('Fields in a request head.'),
  targetBytes: size(64, 64 * KIB)
    .prefault(formatSize(D.targetBytes))
    .describe('Path and query together.'),
  bodyBytes: size(1, 8_192 * GIB, true)
    .prefault(formatSize(D.bodyBytes))
    .describe('A whole request body, which is streamed and never held; `0B`: no bound.'),
  inspectedBodyBytes: size(1, 64 * MIB)
    .prefault(formatSize(D.inspectedBodyBytes))
    .describe('A body that is held because the policy reads it; a larger one is refused.'),
  openPerPeer: count(1, 1_000_000)
    .prefault(D.openPerPeer)
    .describe('Requests and raw connections that one identity may have open at once; further ones are refused.'),
  concurrentStreams: count(1, 65_536)
    .prefault(D.concurrentStreams)
    .describe('HTTP/2 streams open at once on one connection.'),
  streamWindowBytes: size(65_535, GIB)
    .prefault(formatSize(D.streamWindowBytes))
    .describe('HTTP/2 flow-control window of a stream.'),
  connectionWindowBytes: size(65_535, GIB)
    .prefault(formatSize(D.connectionWindowBytes))
    .describe('HTTP/2 flow-control window of a connection.'),
  bufferBytes: size(KIB, 16 * MIB)
    .prefault(formatSize(D.bufferBytes))
    .describe('Bytes held between the two sides of one request before the faster side is paused.'),
}).transform((limits): Limits => ({
  connections: limits.connections,
  handshakeTimeoutMs: limits.handshakeTimeout,
  headTimeoutMs: limits.headTimeout,
  idleTimeoutMs: limits.idleTimeout,
  streamIdleTimeoutMs: limits.streamIdleTimeout,
  requestTimeoutMs: limits.requestTimeout,
  upstreamTimeoutMs: limits.upstreamTimeout,
  upstreamConnectTimeoutMs: limits.upstreamConnectTimeout,
  headerBytes: limits.headerBytes,
  headerCount: limits.headerCount,
  targetBytes: limits.targetBytes,
  bodyBytes: limits.bodyBytes,
  inspectedBodyBytes: limits.inspectedBodyBytes,
  openPerPeer: limits.openPerPeer,
  concurrentStreams: limits.concurrentStreams,
  streamWindowBytes: limits.streamWindowBytes,
  connectionWindowBytes: limits.connectionWindowBytes,
  bufferBytes: limits.bufferBytes,
}));
