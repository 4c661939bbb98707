import type { ConnectionOptions } from 'node:tls';

import { connectFrames, FLAG, frame, headerBlock, postFrame, TYPE, uint32, type FramePeer } from '../../support/http2-frame-peer.ts'; // prettier-ignore
import { connectRaw } from '../../support/raw-http1-peer.ts';
import { frameUpstream, scriptedUpstream, type ScriptedUpstream } from '../../support/scripted-upstream.ts';

/** One connection of a peer, on which the same is asked again and again; resolves when the answer is complete. */
export type Lane = { readonly ask: () => Promise<void>; readonly close: () => void };

const BODY = 'x'.repeat(1_000);
const ANSWER = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n${BODY}`;
const FIELDS = 'Host: agent.internal\r\nAccept: application/json\r\nUser-Agent: bench\r\nX-Team: blue\r\n';

export const GET = `GET /api/v1/catalog/items?page=2 HTTP/1.1\r\n${FIELDS}\r\n`;
export const POST = `POST /api/v1/catalog/query HTTP/1.1\r\n${FIELDS}Content-Type: application/octet-stream\r\nContent-Length: 1000\r\n\r\n${BODY}`;
export const DENIED = `GET /admin HTTP/1.1\r\n${FIELDS}\r\n`;

/** A gRPC message of 51 bytes with its prefix. */
const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 46]), Buffer.alloc(46, 'x')]);
const CALL = [
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
  ['user-agent', 'bench'],
] as const;
const RESPONSE = headerBlock([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
const TRAILERS = headerBlock([['grpc-status', '0']]);

/** Windows that never have to be widened: SETTINGS_INITIAL_WINDOW_SIZE, and the connection's (RFC 9113 section 6.9). */
const WIDE = [[4, 0x7fffffff]] as const;
const WIDER = frame(TYPE.windowUpdate, 0, 0, uint32(0x3fffffff));

/** An agent that gives each request the same answer, in one write. */
export function http1Upstream(): Promise<ScriptedUpstream> {
  return scriptedUpstream(async (connection) => {
    for (;;) {
      await connection.request();
      connection.raw = Buffer.alloc(0);
      connection.send(ANSWER);
    }
  });
}

/** A gRPC agent that gives back each message; the answer to a call that ends with its first message is one write. */
export function grpcUpstream(): Promise<ScriptedUpstream> {
  return frameUpstream(async (peer) => {
    peer.send(WIDER);
    const answered = new Set<number>();
    for (;;) {
      const { streamId, payload, flags } = await peer.next(TYPE.data);
      peer.frames.length = 0;
      const head = answered.has(streamId) ? [] : [frame(TYPE.headers, FLAG.endHeaders, streamId, RESPONSE)];
      answered.add(streamId);
      const over = (flags & FLAG.endStream) !== 0;
      const end = over ? [frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, streamId, TRAILERS)] : [];
      peer.send(...head, ...(payload.length > 0 ? [frame(TYPE.data, 0, streamId, payload)] : []), ...end);
    }
  }, WIDE);
}

/** HTTP/1.1 requests, one after the other. */
export async function http1Lane(port: number, tls: ConnectionOptions, request: string, status: number): Promise<Lane> {
  const peer = await connectRaw({ port, tls: { ...tls, ALPNProtocols: ['http/1.1'] } });
  const ask = async (): Promise<void> => {
    peer.send(request);
    const answer = await peer.response();
    if (answer.status !== status) throw new Error(`${answer.statusLine} instead of ${status}: ${answer.body}`);
  };
  return { ask, close: () => peer.close() };
}

/** Unary calls, one after the other; a call is one write. */
export async function unaryLane(port: number, tls: ConnectionOptions): Promise<Lane> {
  const peer = await connectWide(port, tls);
  let streamId = -1;
  const ask = async (): Promise<void> => {
    streamId += 2;
    peer.send(postFrame(streamId, '/bench.Echo/Unary', CALL), frame(TYPE.data, FLAG.endStream, streamId, MESSAGE));
    await peer.next(TYPE.data, of(streamId));
    await peer.next(TYPE.headers, ends(streamId));
    peer.frames.length = 0;
  };
  return { ask, close: () => peer.close() };
}

/** Messages of one call, each sent when the one before was answered. */
export async function messageLane(port: number, tls: ConnectionOptions): Promise<Lane> {
  const peer = await connectWide(port, tls);
  peer.send(postFrame(1, '/bench.Echo/Unary', CALL));
  const ask = async (): Promise<void> => {
    peer.send(frame(TYPE.data, 0, 1, MESSAGE));
    await peer.next(TYPE.data, of(1));
    peer.frames.length = 0;
  };
  return { ask, close: () => peer.close() };
}

type Match = Parameters<FramePeer['next']>[1];

function of(wanted: number): Match {
  return ({ streamId }) => streamId === wanted;
}

function ends(wanted: number): Match {
  return ({ streamId, flags }) => streamId === wanted && (flags & FLAG.endStream) !== 0;
}

async function connectWide(port: number, tls: ConnectionOptions): Promise<FramePeer> {
  const peer = await connectFrames({ port, tls, settings: WIDE });
  peer.send(WIDER);
  return peer;
}
